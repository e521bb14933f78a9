//! The listeners of this gateway, which it never dials: such a request would go round without end.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::{PoisonError, RwLock};

use ouli_config::listener_accepts;

/// The addresses at which this gateway accepts, with the names of their endpoints.
#[derive(Debug, Default)]
pub struct OwnListeners(RwLock<Vec<(String, SocketAddr)>>);

/// The address that an upstream's name stands for is one of this gateway.
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
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        all.push((endpoint.to_owned(), address));
    }

    /// Takes the listener of an endpoint away, once it accepts nothing more.
    pub fn remove(&self, endpoint: &str) {
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = all.iter().position(|(name, _)| name == endpoint) {
            all.remove(at);
        }
    }

    /// The endpoint that takes connections to this address; none where nobody here does.
    pub fn endpoint_at(&self, address: SocketAddr) -> Option<String> {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let own = all
            .iter()
            .find(|(_, own)| listener_accepts(*own, address, is_local));
        own.map(|(name, _)| name.clone())
    }

    pub(super) fn check(&self, address: SocketAddr) -> Result<(), SelfConnection> {
        let endpoint = self.endpoint_at(address);
        endpoint.map_or(Ok(()), |endpoint| Err(SelfConnection { address, endpoint }))
    }
}

/// True where the address is one of this machine: only such a one can be bound. Nothing is sent.
fn is_local(ip: IpAddr) -> bool {
    ip.is_loopback() || UdpSocket::bind((ip, 0)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_an_own_address_is_known() {
        let own = OwnListeners::default();
        own.add("one", "127.0.0.1:8001".parse().unwrap());
        own.add("every", "0.0.0.0:8002".parse().unwrap());
        own.add("both", "[::]:8003".parse().unwrap());
        own.add("six", "[::1]:8004".parse().unwrap());
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
            let found = own.endpoint_at(address.parse().unwrap());
            assert_eq!(found.as_deref(), endpoint, "{address}");
        }
        own.remove("one");
        assert_eq!(own.endpoint_at("127.0.0.1:8001".parse().unwrap()), None);
    }
}
