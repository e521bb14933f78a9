//! A recorded request with the same key and other secrets.

use super::change::{Change, IgnoreList};
use crate::key::{HEADER_PREFIX, KeyPart};

/// Why the secrets of a request are not those of a recorded one with the same key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityConflict {
    /// The part that has the secret.
    pub part: String,
    /// The number of the exchange with the recorded request.
    pub exchange: u64,
    /// What the secret stands for, and since when.
    pub reason: String,
    /// It is no secret, but a value that the client made up.
    pub is_minted: bool,
}

impl IdentityConflict {
    /// What it is, in the plural.
    pub(super) fn kind(&self) -> &'static str {
        match self.is_minted {
            true => "values that the client makes up",
            false => "secrets",
        }
    }

    /// What differs, as a clause.
    pub(super) fn clause(&self) -> String {
        let Self {
            part,
            exchange,
            reason,
            ..
        } = self;
        format!("exchange {exchange} differs in {part}: {reason}")
    }

    /// The change of the settings that leaves out the header with the secret; none if it is in
    /// another part.
    pub(super) fn change(&self, parts: &[KeyPart]) -> Option<Change> {
        if self.part == "cookies" {
            return Some(Change::IgnoreHeader("cookie".to_owned()));
        }
        let name = self.part.strip_prefix(HEADER_PREFIX)?;
        let mut parts = parts.iter();
        Some(
            match parts.any(|it| matches!(it, KeyPart::Header(own) if own == name)) {
                true => Change::RemoveHeader(name.to_owned()),
                false => Change::Ignore {
                    list: IgnoreList::Headers,
                    entry: name.to_owned(),
                },
            },
        )
    }
}
