//! The gateway's own listeners. It never dials them: such a request would loop forever.

use std::net::{IpAddr, SocketAddr, UdpSocket};

use parking_lot::RwLock;

use ouli_config::listener_accepts;

/// The addresses of the gateway's listeners, with their endpoints.
#[derive(Debug, Default)]
pub struct OwnListeners(RwLock<Vec<(String, SocketAddr)>>);

/// The upstream resolves to one of the gateway's own listeners.
#[derive(Debug, thiserror::Error)]
#[error(
    "{address} is the endpoint `{endpoint}` of this gateway; write the address of the server to \
     record as its upstream"
)]
pub(super) struct SelfConnection {
    address: SocketAddr,
    endpoint: String,
}

impl OwnListeners {
    /// Adds a listener.
    pub fn add(&self, endpoint: &str, address: SocketAddr) {
        self.0.write().push((endpoint.to_owned(), address));
    }

    /// Removes the listener of an endpoint, once it accepts no more connections.
    pub fn remove(&self, endpoint: &str) {
        let mut listeners = self.0.write();
        if let Some(index) = listeners.iter().position(|(name, _)| name == endpoint) {
            listeners.remove(index);
        }
    }

    /// The port of an endpoint's listener.
    pub fn port_of(&self, endpoint: &str) -> Option<u16> {
        let listeners = self.0.read();
        let listener = listeners.iter().find(|(name, _)| name == endpoint);
        listener.map(|(_, address)| address.port())
    }

    /// The endpoint that accepts connections to this address, if any.
    pub fn endpoint_at(&self, address: SocketAddr) -> Option<String> {
        let listeners = self.0.read();
        let accepting = listeners
            .iter()
            .find(|(_, listener)| listener_accepts(*listener, address, is_local));
        accepting.map(|(endpoint, _)| endpoint.clone())
    }

    /// True if the address is one of this machine.
    pub fn is_own_machine(address: IpAddr) -> bool {
        is_local(address.to_canonical())
    }

    pub(super) fn check(&self, address: SocketAddr) -> Result<(), SelfConnection> {
        let endpoint = self.endpoint_at(address);
        endpoint.map_or(Ok(()), |endpoint| Err(SelfConnection { address, endpoint }))
    }
}

/// True if the address belongs to this machine: only such an address can be bound. Nothing is sent.
fn is_local(ip: IpAddr) -> bool {
    ip.is_loopback() || UdpSocket::bind((ip, 0)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_a_listener_by_every_address_that_reaches_it() {
        let listeners = OwnListeners::default();
        listeners.add("one", "127.0.0.1:8001".parse().unwrap());
        listeners.add("every", "0.0.0.0:8002".parse().unwrap());
        listeners.add("both", "[::]:8003".parse().unwrap());
        listeners.add("six", "[::1]:8004".parse().unwrap());
        for (address, endpoint) in [
            ("127.0.0.1:8001", Some("one")),
            ("0.0.0.0:8001", Some("one")),
            ("[::ffff:127.0.0.1]:8001", Some("one")),
            ("127.0.0.2:8001", None),
            ("127.0.0.1:8009", None),
            ("127.0.0.9:8002", Some("every")),
            ("0.0.0.0:8002", Some("every")),
            ("192.0.2.1:8002", None),
            ("[::1]:8002", None),
            ("[::ffff:0.0.0.0]:8003", Some("both")),
            ("127.0.0.1:8003", Some("both")),
            ("[::1]:8003", Some("both")),
            ("[2001:db8::1]:8003", None),
            ("[::]:8004", Some("six")),
            ("127.0.0.1:8004", None),
        ] {
            let found = listeners.endpoint_at(address.parse().unwrap());
            assert_eq!(found.as_deref(), endpoint, "{address}");
        }
        listeners.remove("one");
        assert_eq!(
            listeners.endpoint_at("127.0.0.1:8001".parse().unwrap()),
            None
        );
    }
}
