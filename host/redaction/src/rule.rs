//! A rule as the passes use it: its id for the reports and the class of its placeholders.

use std::sync::Arc;

/// The id and the class of a compiled rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) id: Arc<str>,
    pub(super) class: Arc<str>,
}

impl Rule {
    pub(super) fn new(id: &str, class: &str) -> Self {
        Self {
            id: id.into(),
            class: class.into(),
        }
    }
}
