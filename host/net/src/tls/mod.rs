//! TLS on both sides: certificates of listeners, and trusted roots for upstreams.

mod authority;
mod certificate;
mod certificate_fault;
mod certificate_resolver;
mod config;
mod crypto;
mod dates;
mod error;
mod pem_files;
#[cfg(test)]
mod tests;
mod trust;

pub use authority::CertificateAuthority;
pub(crate) use certificate_fault::{own_fault, shown};
pub use config::{
    CertificateSource, ClientVerifier, Identity, client_config, load_client_verifier,
    load_identity, server_config,
};
pub use dates::date_problem;
pub(crate) use dates::rounded;
pub use error::TlsError;
/// The TLS settings of a client and of a server.
pub use rustls::{ClientConfig, ServerConfig};
pub(crate) use trust::is_ca_as_end_entity;
