//! The key of a request: the digests of its parts.

use super::digest::{OrderedDigest, Tag, leaf};
use super::part::KeyPart;
use super::value;
use ouli_codec::MessageView;

/// The digests of all parts of one request. Requests that are the same have the same key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    hash: u128,
    parts: Box<[PartDigest]>,
}

impl Key {
    /// One number for all parts, in the order of their declaration.
    pub fn hash(&self) -> u128 {
        self.hash
    }

    /// The digests part by part, to find what is near where nothing is equal.
    pub fn parts(&self) -> &[PartDigest] {
        &self.parts
    }
}

/// The digest of one part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartDigest {
    /// Digest of the part's name.
    pub name: u64,
    /// Digest of the part's value.
    pub value: u64,
    /// A bit for each segment, parameter, field or outer member of the value; 0 where it has none.
    pub sketch: u64,
}

impl PartDigest {
    /// The digest of the name of a part that is neither one header's nor a plugin's own.
    pub fn name_of(part: &str) -> u64 {
        low(leaf(Tag::Name, part.as_bytes()))
    }
}

/// The key of a request. What is absent and what `but` leaves out are the same.
pub fn derive(parts: &[KeyPart], message: &dyn MessageView) -> Key {
    let mut whole = OrderedDigest::new(Tag::Key);
    let parts = parts
        .iter()
        .map(|part| {
            let (name, taken) = (part.name_digest(), value::digest_value(part, message));
            whole.push(name);
            whole.push(taken.digest);
            PartDigest {
                name: low(name),
                value: low(taken.digest),
                sketch: taken.sketch.0,
            }
        })
        .collect();
    Key {
        hash: whole.finish(),
        parts,
    }
}

fn low(digest: u128) -> u64 {
    (digest & u128::from(u64::MAX)) as u64
}
