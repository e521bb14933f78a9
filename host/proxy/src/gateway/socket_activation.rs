//! Socket activation: listening sockets opened by the service manager, such as systemd, so that a
//! restart refuses no connection.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use super::error::StartError;
use ouli_config::{Config, Endpoint};

/// A listening socket that was opened by the parent process.
#[derive(Clone, Debug)]
pub struct InheritedSocket {
    /// Its name; in systemd the value of `FileDescriptorName=`, by default the name of the unit.
    pub name: Option<String>,
    /// The socket. Other processes may accept from it too.
    pub socket: Arc<TcpListener>,
}

/// An inherited socket with its address.
struct BoundSocket {
    name: Option<String>,
    address: SocketAddr,
    socket: Arc<TcpListener>,
}

/// The inherited sockets. They stay open as long as the process runs: an endpoint that a reload
/// removes may come back.
pub(super) struct InheritedSockets(Vec<BoundSocket>);

impl InheritedSockets {
    /// Reads the addresses of the sockets.
    pub(super) fn new(inherited: &[InheritedSocket]) -> Result<Self, StartError> {
        let bound = inherited.iter().map(|inherited| {
            let address = inherited.socket.local_addr();
            let address =
                address.map_err(|error| StartError::InheritedSocket(error.to_string()))?;
            Ok(BoundSocket {
                name: inherited.name.clone(),
                address,
                socket: Arc::clone(&inherited.socket),
            })
        });
        bound.collect::<Result<_, _>>().map(Self)
    }

    /// The socket of an endpoint: the one with its name, otherwise the one at its address.
    pub(super) fn find(&self, endpoint: &Endpoint) -> Option<&Arc<TcpListener>> {
        let has_name = |one: &&BoundSocket| one.name.as_deref() == Some(endpoint.name.as_str());
        let has_address = |one: &&BoundSocket| one.address == endpoint.listen;
        let found = self.0.iter().find(has_name);
        let found = found.or_else(|| self.0.iter().find(has_address));
        found.map(|one| &one.socket)
    }

    /// Returns an error that explains how to use a socket that no endpoint uses.
    pub(super) fn check(&self, config: &Config) -> Result<(), StartError> {
        let used: Vec<_> = config
            .endpoints
            .iter()
            .filter_map(|endpoint| self.find(endpoint))
            .collect();
        let unused = self
            .0
            .iter()
            .find(|one| !used.iter().any(|used| Arc::ptr_eq(used, &one.socket)));
        let Some(unused) = unused else {
            return Ok(());
        };
        let names: Vec<_> = config
            .endpoints
            .iter()
            .map(|one| one.name.as_str())
            .collect();
        let name = unused.name.as_ref();
        let name = name.map_or_else(String::new, |name| format!(" `{name}`"));
        Err(StartError::InheritedSocket(format!(
            "no endpoint uses the socket{name} at {}; give it the name of an endpoint ({}; in \
             systemd: FileDescriptorName=), or set `listen = \"{}\"` in an endpoint",
            unused.address,
            names.join(", "),
            unused.address
        )))
    }
}
