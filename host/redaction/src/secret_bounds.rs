//! The limits of the secrets of one session.

/// Limits of the registry of one session. Secrets of the environment do not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SecretBounds {
    /// Maximum number of secrets.
    pub count: usize,
    /// Maximum total size of the secrets in bytes.
    pub bytes: usize,
    /// Maximum size in bytes of the fingerprints of forgotten secrets.
    pub fingerprint_bytes: usize,
}

impl Default for SecretBounds {
    fn default() -> Self {
        Self {
            count: 65_536,
            bytes: 64 << 20,
            fingerprint_bytes: 16 << 20,
        }
    }
}
