//! The key of a request: the digests of its parts.

use std::sync::Arc;

use super::digest::{OrderedDigest, Tag, leaf};
use super::holes::{Holes, IdentityUse};
use super::minted_message::minted_in;
use super::part::KeyPart;
use super::value;
use ouli_codec::MessageView;
use ouli_codec::identity::Identity;

/// The key of a request: the digests of all its parts. Requests with equal keys match if their
/// identities do.
#[derive(Clone, Debug)]
pub struct Key {
    hash: u128,
    parts: Box<[PartDigest]>,
    identities: Box<[IdentityUse]>,
}

impl PartialEq for Key {
    /// Identities are equal modulo a renaming, which a key does not know.
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash
    }
}

impl Eq for Key {}

impl Key {
    /// The digest of all parts in the order of their declaration.
    pub fn hash(&self) -> u128 {
        self.hash
    }

    /// The digests of the parts, used to rank candidates of a miss.
    pub fn parts(&self) -> &[PartDigest] {
        &self.parts
    }

    /// The values in the request that its client made up.
    pub fn minted(&self) -> impl Iterator<Item = &Arc<str>> {
        self.identities
            .iter()
            .filter_map(|found| match &found.identity {
                Identity::Minted(value) => Some(value),
                Identity::Secret(_) | Identity::Placeholder(..) | Identity::Placed(..) => None,
            })
    }

    /// The identities in the request, in the order of their places.
    pub fn identities(&self) -> &[IdentityUse] {
        &self.identities
    }
}

/// The digest of one part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartDigest {
    /// Digest of the part's name.
    pub name: u64,
    /// Digest of the part's value.
    pub value: u64,
    /// A bit for each segment, parameter, field or outer member of the value, or 0.
    pub sketch: u64,
}

impl PartDigest {
    /// The digest of the name of a part that is neither for one header nor from a plugin.
    pub fn name_of(part: &str) -> u64 {
        low_half(leaf(Tag::Name, part.as_bytes()))
    }
}

/// Derives the key of a request. Excluded values count as absent. A header that the request does
/// not have adds nothing, so that many can be declared.
pub fn derive(parts: &[KeyPart], message: &dyn MessageView) -> Key {
    let message = message.with_holes().unwrap_or(message);
    let mut holes = Holes::new(message, minted_in(parts, message));
    let mut digest = OrderedDigest::new(Tag::Key);
    let mut digests = Vec::with_capacity(parts.len());
    for part in parts.iter().filter(|part| !is_absent(part, message)) {
        let (name, before) = (part.name_digest(), holes.len());
        holes.begin_part(name);
        let value = value::digest_value(part, message, &mut holes);
        digest.push(name);
        digest.push(value.digest);
        digests.push(PartDigest {
            name: low_half(name),
            value: low_half(value.digest),
            sketch: value.sketch.0,
        });
        holes.end_part(before, || part.name());
    }
    value::collect_minted_headers(message, &mut holes);
    Key {
        hash: digest.finish(),
        parts: digests.into(),
        identities: holes.finish(),
    }
}

fn is_absent(part: &KeyPart, message: &dyn MessageView) -> bool {
    let is_sent = |name: &str| message.fields().get_all(name).next().is_some();
    match part {
        KeyPart::Header(name) => !is_sent(name),
        KeyPart::Cookies => !is_sent("cookie"),
        KeyPart::Vary { .. } | KeyPart::Minted(_) => true,
        KeyPart::HiddenHeaders { except } => value::hidden_headers(message, except).is_empty(),
        _ => false,
    }
}

fn low_half(digest: u128) -> u64 {
    (digest & u128::from(u64::MAX)) as u64
}
