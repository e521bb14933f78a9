//! One secret and its placeholder.

use std::fmt;
use std::sync::Arc;

use crate::placeholder;

/// One secret.
pub struct Secret {
    value: Arc<[u8]>,
    class: Arc<str>,
    number: u64,
    rule: Arc<str>,
    is_word: bool,
}

impl Secret {
    pub(super) fn new(rule: Arc<str>, class: Arc<str>, number: u64, value: &[u8]) -> Self {
        Self {
            value: value.into(),
            class,
            number,
            rule,
            is_word: value.len() < LONG_VALUE_LEN && value.iter().all(u8::is_ascii_alphanumeric),
        }
    }

    /// The secret itself.
    pub(super) fn value(&self) -> &Arc<[u8]> {
        &self.value
    }

    /// The kind of secret: the class of the rule that saw it first.
    pub fn class(&self) -> &Arc<str> {
        &self.class
    }

    /// The id of the rule that saw it first.
    pub fn rule(&self) -> &Arc<str> {
        &self.rule
    }

    /// What stands in its place, such as `<token-1>`.
    pub fn placeholder(&self) -> String {
        placeholder::numbered(&self.class, self.number)
    }

    /// True where it is so like a word that it counts only where it stands alone.
    pub(super) fn is_word(&self) -> bool {
        self.is_word
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.placeholder())
    }
}

/// A value of at least this many bytes is not an ordinary word.
const LONG_VALUE_LEN: usize = 16;
