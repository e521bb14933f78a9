//! One secret and its placeholder.

use std::fmt;
use std::sync::Arc;

use crate::placeholder;

/// A secret of a session.
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

    /// The value of the secret.
    pub(super) fn value(&self) -> &Arc<[u8]> {
        &self.value
    }

    /// The class of the rule that found it first.
    pub fn class(&self) -> &Arc<str> {
        &self.class
    }

    /// The id of the rule that found it first.
    pub fn rule(&self) -> &Arc<str> {
        &self.rule
    }

    /// Its placeholder, such as `<token-1>`.
    pub fn placeholder(&self) -> String {
        placeholder::numbered(&self.class, self.number)
    }

    /// True if it looks like a word: it is found only between word boundaries.
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
