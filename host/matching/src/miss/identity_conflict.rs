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
}
