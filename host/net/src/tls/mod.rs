//! TLS on both sides: certificates of listeners, and trusted roots for upstreams.

mod authority;
mod certificate;
mod certificate_resolver;
mod config;
mod crypto;
mod error;
mod pem_files;
#[cfg(test)]
mod tests;

pub use authority::CertificateAuthority;
pub use config::{CertificateSource, client_config, server_config};
pub use error::TlsError;
/// The TLS settings of a client and of a server.
pub use rustls::{ClientConfig, ServerConfig};
