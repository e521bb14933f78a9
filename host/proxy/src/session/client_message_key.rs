//! The keys of the messages that a client sends in a conversation.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use ouli_matching::key::{IdentityUse, Key};

/// The key of a message of the client, or of its violation of the protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClientMessageKey {
    pub(crate) hash: u128,
    pub(crate) identities: Box<[IdentityUse]>,
}

impl ClientMessageKey {
    pub(crate) fn of(key: &Key) -> Self {
        Self {
            hash: key.hash(),
            identities: key.identities().into(),
        }
    }

    /// The digests of these keys.
    pub(crate) fn hashes(keys: &[Self]) -> impl Iterator<Item = &u128> {
        keys.iter().map(|key| &key.hash)
    }

    pub(crate) fn of_violation(code: u16, reason: &str) -> Self {
        Self {
            hash: violation_key(code, reason),
            identities: Box::default(),
        }
    }
}

/// The key of a violation of the protocol by the client, which counts as a message.
fn violation_key(code: u16, reason: &str) -> u128 {
    let half = |number: u8| {
        let mut hasher = DefaultHasher::new();
        (number, code, reason).hash(&mut hasher);
        u128::from(hasher.finish())
    };
    (half(0) << 64) | half(1)
}
