//! Listening sockets that were opened by whoever started the process, such as systemd, so that a
//! restart refuses no connection.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use super::StartError;
use ouli_config::{Config, Endpoint};

/// A listening socket that was passed to the process.
#[derive(Clone, Debug)]
pub struct InheritedSocket {
    /// What it was called; systemd calls it as `FileDescriptorName=` says, else as its unit.
    pub name: Option<String>,
    /// The socket. Others may accept from it too.
    pub socket: Arc<TcpListener>,
}

/// A passed socket, its address known.
struct Known {
    name: Option<String>,
    address: SocketAddr,
    socket: Arc<TcpListener>,
}

/// The passed sockets. They are kept while the process lives: an endpoint that was taken away may
/// come back.
pub(super) struct InheritedSockets(Vec<Known>);

impl InheritedSockets {
    /// Looks at what was passed.
    pub(super) fn new(passed: &[InheritedSocket]) -> Result<Self, StartError> {
        let known = passed.iter().map(|passed| {
            let address = passed.socket.local_addr();
            let address =
                address.map_err(|error| StartError::InheritedSocket(error.to_string()))?;
            Ok(Known {
                name: passed.name.clone(),
                address,
                socket: Arc::clone(&passed.socket),
            })
        });
        known.collect::<Result<_, _>>().map(Self)
    }

    /// The socket for an endpoint: the one with its name, else the one at its address.
    pub(super) fn find(&self, endpoint: &Endpoint) -> Option<&Arc<TcpListener>> {
        let named = |known: &&Known| known.name.as_deref() == Some(endpoint.name.as_str());
        let placed = |known: &&Known| known.address == endpoint.listen;
        let found = self.0.iter().find(named);
        let found = found.or_else(|| self.0.iter().find(placed));
        found.map(|known| &known.socket)
    }

    /// Says of the sockets that no endpoint uses what would give them one.
    pub(super) fn check(&self, config: &Config) -> Result<(), StartError> {
        let used: Vec<_> = config
            .endpoints
            .iter()
            .filter_map(|endpoint| self.find(endpoint))
            .collect();
        let idle = self
            .0
            .iter()
            .find(|known| !used.iter().any(|used| Arc::ptr_eq(used, &known.socket)));
        let Some(idle) = idle else {
            return Ok(());
        };
        let names: Vec<_> = config
            .endpoints
            .iter()
            .map(|one| one.name.as_str())
            .collect();
        let called = idle.name.as_ref();
        let called = called.map_or_else(String::new, |name| format!(" `{name}`"));
        Err(StartError::InheritedSocket(format!(
            "the socket{called} at {} belongs to no endpoint; name it after one of {} (in systemd: \
             FileDescriptorName=), or write `listen = \"{}\"` in one",
            idle.address,
            names.join(", "),
            idle.address
        )))
    }
}
