//! The identities in one message, by the index of their hole.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::placeholder::PlaceholderMatch;
use crate::secret::Secret;
use ouli_codec::identity::{Content, Identity, hole, hole_index};

/// What belongs in the holes of a message that is redacted for a key.
#[derive(Debug, Default)]
pub(crate) struct Identities {
    /// Each with the class that matchers see in its place.
    found: Mutex<Vec<(Content, Arc<str>)>>,
}

impl Identities {
    /// A new hole for a secret.
    pub(crate) fn hole_for_secret(&self, secret: &Secret) -> String {
        let identity = Identity::Secret(secret.digest());
        self.add(identity, Arc::clone(secret.class()))
    }

    /// A new hole for a placeholder. None if it has no number, or is a hole already.
    pub(crate) fn hole_for_placeholder(&self, found: &PlaceholderMatch<'_>) -> Option<String> {
        let number = found.number?;
        if self.class_of(found).is_some() {
            return None;
        }
        let class: Arc<str> = found.class.into();
        let identity = Identity::Placeholder(Arc::clone(&class), number);
        Some(self.add(identity, class))
    }

    /// The class of the identity in a hole. None if this is no hole of the message.
    pub(crate) fn class_of(&self, found: &PlaceholderMatch<'_>) -> Option<Arc<str>> {
        let index = hole_index(found.class, found.number?)?;
        let known = self.found.lock();
        known.get(index).map(|(_, class)| Arc::clone(class))
    }

    /// What belongs in the hole with this index.
    pub(crate) fn get(&self, index: usize) -> Option<Content> {
        let known = self.found.lock();
        known.get(index).map(|(content, _)| content.clone())
    }

    fn add(&self, identity: Identity, class: Arc<str>) -> String {
        let content = Content {
            identity: (*class != *SIGNATURE).then_some(identity),
        };
        let mut known = self.found.lock();
        known.push((content, class));
        hole(known.len() - 1)
    }
}

/// The class of values that are computed anew for each request. They identify nobody.
pub(crate) const SIGNATURE: &str = "signature";
