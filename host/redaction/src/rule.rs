//! A rule as the passes use it: its id for the reports and the class of its placeholders.

use std::sync::Arc;

use crate::placeholder;
use ouli_codec::randomness::looks_random;

/// The id and the class of a compiled rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) id: Arc<str>,
    pub(super) class: Arc<str>,
    /// It applies to values that look random only.
    only_random: bool,
}

impl Rule {
    pub(super) fn new(id: &str, class: &str) -> Self {
        Self {
            id: id.into(),
            class: class.into(),
            only_random: false,
        }
    }

    /// The same rule for values that look random only.
    pub(super) fn only_random(mut self) -> Self {
        self.only_random = true;
        self
    }

    /// False if the rule leaves some values as they are.
    pub(super) fn applies_to_all(&self) -> bool {
        !self.only_random
    }

    /// True if a value is a secret by this rule.
    pub(super) fn applies_to(&self, value: &[u8]) -> bool {
        self.applies_to_all() || placeholder::is_placeholder(value) || looks_random(value)
    }
}
