//! An open listener, and the listeners that a configuration no longer has.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use super::listener_settings::ListenerSettings;
use super::listening_sockets::ListenerSockets;
use super::tls_settings::BuiltTls;
use ouli_config::{Config, Mode};
use ouli_net::drain::Drain;
use ouli_net::tls::ServerConfig;

/// A listener that accepts connections.
pub(super) struct OpenListener {
    /// The address in the configuration; with port 0 it differs from that of the sockets.
    pub(super) configured_addr: SocketAddr,
    pub(super) settings: ListenerSettings,
    pub(super) tls_files: BuiltTls,
    pub(super) tls_config: Option<Arc<ServerConfig>>,
    pub(super) mode: Mode,
    pub(super) sockets: ListenerSockets,
    /// Ends the accept loops with these settings.
    pub(super) accept_drain: Drain,
    /// Ends the connections.
    pub(super) connection_drain: Drain,
}

/// Listeners that the configuration no longer has, with the names of their endpoints, by address.
/// They still accept connections.
pub(super) struct RemovedListeners(BTreeMap<SocketAddr, (String, OpenListener)>);

impl RemovedListeners {
    /// Removes the listeners that the configuration no longer has.
    pub(super) fn take_from(open: &mut BTreeMap<String, OpenListener>, config: &Config) -> Self {
        let stays = |name: &str, open: &OpenListener| {
            let mut endpoints = config.endpoints.iter();
            endpoints.any(|one| one.name == name && one.listen == open.configured_addr)
        };
        let removed = open.extract_if(.., |name, open| !stays(name, open));
        let removed = removed.map(|(name, open)| (open.sockets.address(), (name, open)));
        Self(removed.collect())
    }

    /// The listener with this address.
    pub(super) fn take(&mut self, address: &SocketAddr) -> Option<(String, OpenListener)> {
        self.0.remove(address)
    }

    /// The listener of an endpoint.
    pub(super) fn take_endpoint(&mut self, endpoint: &str) -> Option<(String, OpenListener)> {
        let mut all = self.0.iter();
        let address = *all.find(|(_, (name, _))| name == endpoint)?.0;
        self.0.remove(&address)
    }

    /// The listeners without which a new address cannot be opened: one of both stands for all
    /// addresses of the port.
    pub(super) fn take_overlapping(&mut self, config: &Config) -> Vec<(String, OpenListener)> {
        let is_overlapping = |old: &SocketAddr| {
            let mut endpoints = config.endpoints.iter();
            let is_configured = endpoints.clone().any(|one| one.listen == *old);
            !is_configured
                && endpoints.any(|one| {
                    let is_any = one.listen.ip().is_unspecified() || old.ip().is_unspecified();
                    one.listen.port() == old.port() && is_any
                })
        };
        let taken = self.0.extract_if(.., |address, _| is_overlapping(address));
        taken.map(|(_, removed)| removed).collect()
    }

    /// All that are left.
    pub(super) fn into_rest(self) -> impl Iterator<Item = (String, OpenListener)> {
        self.0.into_values()
    }
}
