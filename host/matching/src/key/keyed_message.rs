//! A message with the parts of its key, so that its key can be derived with other parts too.

use std::sync::Arc;

use super::derive::{Key, derive};
use super::describe::{DescribedPart, describe};
use super::part::KeyPart;
use ouli_codec::MessageView;

/// A message with the parts of its key.
#[derive(Clone)]
pub struct KeyedMessage {
    /// The plugin that made the key. None for the built-in matcher, which `[matcher]` configures.
    pub matcher: Option<String>,
    /// The parts of the key; none for the end of a conversation, which is no message.
    pub parts: Vec<KeyPart>,
    /// The message.
    pub view: Arc<dyn MessageView>,
}

impl KeyedMessage {
    /// The key of the message.
    pub fn key(&self) -> Key {
        derive(&self.parts, &*self.view)
    }

    /// The parts with their values.
    pub fn describe(&self) -> Vec<DescribedPart> {
        describe(&self.parts, &*self.view)
    }

    /// The parts with their values, with a hole in the place of each secret.
    pub fn describe_with_holes(&self) -> Vec<DescribedPart> {
        describe(&self.parts, self.view.with_holes().unwrap_or(&*self.view))
    }

    /// The same message without the part for its body.
    #[must_use]
    pub fn head(&self) -> Self {
        self.with_parts_that(|part| !matches!(part, KeyPart::Body { .. }))
    }

    /// The same message with the part for its body alone.
    #[must_use]
    pub fn body(&self) -> Self {
        self.with_parts_that(|part| matches!(part, KeyPart::Body { .. } | KeyPart::Minted(_)))
    }

    fn with_parts_that(&self, are_kept: impl Fn(&&KeyPart) -> bool) -> Self {
        self.with_parts(self.parts.iter().filter(are_kept).cloned().collect())
    }

    /// The same message with other parts.
    pub(crate) fn with_parts(&self, parts: Vec<KeyPart>) -> Self {
        Self {
            matcher: self.matcher.clone(),
            parts,
            view: Arc::clone(&self.view),
        }
    }
}
