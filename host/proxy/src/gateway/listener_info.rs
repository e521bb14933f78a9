//! An open listener, as it is announced to the user.

use std::fmt;
use std::net::SocketAddr;

use ouli_config::Mode;

/// A listener that accepts connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerInfo {
    /// Name of the endpoint.
    pub endpoint: String,
    /// The address.
    pub address: SocketAddr,
    /// Clients use TLS.
    pub tls: bool,
    /// How requests are handled.
    pub mode: Mode,
    /// The address in the configuration, if it could not be opened. It is tried again.
    pub waits_for: Option<SocketAddr>,
}

impl fmt::Display for ListenerInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "https" } else { "http" };
        let (address, endpoint, mode) = (self.address, &self.endpoint, self.mode);
        write!(
            f,
            "listening on {scheme}://{address} endpoint={endpoint} mode={mode}"
        )
    }
}
