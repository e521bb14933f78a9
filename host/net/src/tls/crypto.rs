//! The cryptography provider of all TLS settings.

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};

pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}
