//! A request with a placeholder that a replayed response gave to the client.

/// A placeholder that the upstream does not know: a replayed response gave it to the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplayedSecret {
    /// The part of the request that has it.
    pub part: String,
    /// The placeholder.
    pub placeholder: String,
    /// The number of the exchange whose response has it.
    pub exchange: u64,
}

impl ReplayedSecret {
    /// What the upstream does not know, and what helps, as a clause.
    pub(super) fn clause(&self) -> String {
        let Self {
            part,
            placeholder,
            exchange,
        } = self;
        format!(
            "{part} has {placeholder} from the response of exchange {exchange}, and the upstream \
             does not know it; delete exchange {exchange} from the cassette, so that the upstream \
             makes a new one, or record the session again"
        )
    }
}
