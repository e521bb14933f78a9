//! What an error of an exchange counts as in the verdict.

use super::error::ExchangeError;
use crate::session::Outcome;
use ouli_config::Defect;

impl ExchangeError {
    /// What the error counts as; none if it is counted elsewhere or is no defect.
    pub(crate) fn outcome(&self) -> Option<Outcome> {
        let refused = |reason: String| Some(Outcome::Failed(Defect::RefusedRequest, reason));
        match self {
            // What cannot be replayed was not found.
            Self::Miss(_) | Self::Cassette(_) => Some(Outcome::Miss),
            Self::StoredBody(which) => Some(Outcome::Failed(
                Defect::Damage,
                format!("a stored body cannot be read: {which}"),
            )),
            // Every size would be a reason of its own.
            Self::IndexMemory(_) => refused(
                "the exchanges of its session do not fit in memory (limits.index_memory)"
                    .to_owned(),
            ),
            Self::Plugin(failure) => {
                Some(Outcome::Failed(Defect::PluginError, failure.to_string()))
            }
            // Counted with the exchange, which may be recorded as failed.
            Self::Upstream(_) => None,
            // A hit.
            Self::RecordedFailure(_) => None,
            // A page of the gateway's own, or the end of the run.
            Self::AdminForbidden(_)
            | Self::PageMethod(_)
            | Self::NoSession(_)
            | Self::UnknownPage { in_session: false }
            | Self::Stopping => None,
            // Every name would be a reason of its own.
            Self::Session(_) => refused("the name of its session is invalid".to_owned()),
            Self::Misdirected { .. } => refused("it is for another server".to_owned()),
            Self::TooManySessions { .. }
            | Self::RequestBodyTooLarge { .. }
            | Self::Undecodable(_)
            | Self::Downstream(_)
            | Self::InvalidMessage(_)
            | Self::Rejected(_)
            | Self::ConnectNotSupported
            | Self::TooManyRequests(_)
            | Self::MemoryLimit
            | Self::TooManyStreams
            | Self::WebSocketHandshake(_)
            | Self::UnknownPage { in_session: true }
            | Self::NoEndpoint(_)
            | Self::NoUpstream(_)
            | Self::Internal(_) => refused(self.summary()),
        }
    }
}
