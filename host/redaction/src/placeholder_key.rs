//! Numbers of placeholders that follow from the secret and a key, so that a secret has the same
//! placeholder in every recording made with this key.

use std::fmt;

use ouli_codec::identity::FIRST_KEYED;
use sha2::{Digest as _, Sha256};

/// How many there are: all have eleven digits.
const COUNT: u64 = 90_000_000_000;

/// The block size of SHA-256.
const BLOCK: usize = 64;

/// A key of the user. Without it, nothing about a secret can be told from its number.
#[derive(Clone)]
pub struct PlaceholderKey {
    inner: Sha256,
    outer: Sha256,
}

impl PlaceholderKey {
    /// The shortest key in bytes.
    pub const MIN_LEN: usize = 16;

    /// A key; none if it is too short.
    pub fn new(key: &[u8]) -> Option<Self> {
        if key.len() < Self::MIN_LEN {
            return None;
        }
        // HMAC (RFC 2104, section 2).
        let mut block = [0; BLOCK];
        match block.get_mut(..key.len()) {
            Some(start) => start.copy_from_slice(key),
            None => block[..32].copy_from_slice(&Sha256::digest(key)),
        }
        let padded = |pad: u8| Sha256::new_with_prefix(block.map(|byte| byte ^ pad));
        Some(Self {
            inner: padded(0x36),
            outer: padded(0x5c),
        })
    }

    /// The number of a secret.
    pub(super) fn number(&self, secret: &[u8]) -> u64 {
        let inner = self.inner.clone().chain_update(secret).finalize();
        let digest = self.outer.clone().chain_update(inner).finalize();
        let mut half = [0; 8];
        half.copy_from_slice(&digest[..8]);
        FIRST_KEYED + u64::from_be_bytes(half) % COUNT
    }
}

impl fmt::Debug for PlaceholderKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("PlaceholderKey")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Secrets;

    #[test]
    fn a_number_follows_from_the_secret_and_the_key() {
        let key = |text: &str| PlaceholderKey::new(text.as_bytes()).unwrap();
        let [one, other] = [key("0123456789abcdef"), key(&"other".repeat(30))];
        assert_eq!(one.number(b"secret"), one.number(b"secret"));
        assert_ne!(one.number(b"secret"), one.number(b"secrets"));
        assert_ne!(one.number(b"secret"), other.number(b"secret"));
        assert!(PlaceholderKey::new(b"short").is_none());
        // RFC 4231, section 4.3, with a longer key of the same block.
        let known = PlaceholderKey::new(&[0x0b; 20]).unwrap();
        let expected = 0xb034_4c61_d8db_3853_u64;
        assert_eq!(known.number(b"Hi There"), FIRST_KEYED + expected % COUNT);
    }

    #[test]
    fn placeholders_are_equal_in_all_sessions_with_a_key() {
        let secrets = || {
            let key = PlaceholderKey::new(b"0123456789abcdef");
            Secrets::default().with_key(key)
        };
        let first = secrets().placeholder("token", b"first-secret-1");
        let other = secrets();
        other.register("token", b"other-secret-2");
        other.resume_numbering(first.as_bytes());
        assert_eq!(other.placeholder("token", b"first-secret-1"), first);
    }
}
