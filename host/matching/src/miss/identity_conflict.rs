//! A recorded request with the same key and other secrets.

/// Why the secrets of a request are not those of a recorded one with the same key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityConflict {
    /// The part that has the secret.
    pub part: String,
    /// The number of the exchange with the recorded request.
    pub exchange: u64,
    /// What the secret stands for, and since when.
    pub reason: String,
}

impl IdentityConflict {
    /// What differs, as a clause.
    pub(super) fn clause(&self) -> String {
        let Self {
            part,
            exchange,
            reason,
        } = self;
        format!("exchange {exchange} differs in {part}: {reason}")
    }
}
