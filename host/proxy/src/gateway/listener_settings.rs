//! The settings of a listener: what a reload changes on its sockets.

use std::path::Path;
use std::sync::Arc;

use super::bounds::server_bounds;
use super::error::StartError;
use super::tls_settings::BuiltTls;
use ouli_config::{ClientAuth, Endpoint, Limits, Tls};
use ouli_net::server::Bounds;
use ouli_net::tls::{self, CertificateAuthority, CertificateSource, ServerConfig};

/// The settings of new connections. A change keeps the sockets and the open connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ListenerSettings {
    pub(super) tls: Tls,
    pub(super) bounds: Bounds,
    client_auth: Option<ClientAuth>,
    certificate_cache_size: usize,
}

impl ListenerSettings {
    pub(super) fn of(endpoint: &Endpoint, limits: &Limits) -> Self {
        Self {
            tls: endpoint.tls.clone(),
            client_auth: endpoint.client_auth.clone(),
            certificate_cache_size: limits.certificate_cache_size,
            bounds: server_bounds(limits),
        }
    }

    /// True if clients are shown the same certificates and asked for the same, as far as the
    /// configuration decides.
    pub(super) fn has_tls_of(&self, other: &Self) -> bool {
        self.tls == other.tls
            && self.client_auth == other.client_auth
            && self.certificate_cache_size == other.certificate_cache_size
    }
}

/// The TLS side of a listener; none if its clients use no TLS. A certificate that no file has is
/// issued by the local CA in the folder.
pub(super) fn tls_config(
    ca_folder: Option<&Path>,
    endpoint: &Endpoint,
    limits: &Limits,
    files: &BuiltTls,
) -> Result<Option<Arc<ServerConfig>>, StartError> {
    let is_local_ca = endpoint.tls == Tls::SelfSigned && files.identity.is_none();
    let ca_folder = match ca_folder {
        None if is_local_ca => return Err(StartError::CaFolder(endpoint.name.clone())),
        folder => folder.unwrap_or(Path::new("")),
    };
    let build = || {
        let source = match (&endpoint.tls, &files.identity) {
            (Tls::Off, _) => return Ok(None),
            (_, Some(identity)) => CertificateSource::Identity(Arc::clone(identity)),
            (_, None) => CertificateSource::LocalCa {
                authority: Arc::new(CertificateAuthority::open_or_create(ca_folder)?),
                cache_size: limits.certificate_cache_size,
            },
        };
        tls::server_config(&source, files.clients.clone()).map(Some)
    };
    build().map_err(|source| StartError::Tls {
        endpoint: endpoint.name.clone(),
        source,
    })
}
