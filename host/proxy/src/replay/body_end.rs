//! How recorded bodies end.

use ouli_message::failure::{Failure, FailureKind};
use ouli_message::stream::Ending;

/// How a recorded body ends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum BodyEnd {
    /// Completely.
    Complete,
    /// It is aborted.
    Aborted {
        /// When, in microseconds from the start.
        at: u64,
        /// The error code on HTTP/2.
        code: Option<u32>,
        /// The connection is reset.
        reset: bool,
    },
    /// It is kept open until the client leaves.
    WaitForClient,
}

impl BodyEnd {
    /// The end of a recorded body. On HTTP/1.1 the response is alone on its connection, which can
    /// be reset.
    pub(crate) fn of(ending: Ending, failure: Option<&Failure>, is_alone: bool) -> Self {
        match (failure, ending) {
            (Some(Failure { cause, at }), _) => match cause.kind {
                FailureKind::ClientGone | FailureKind::Timeout => Self::WaitForClient,
                _ => Self::Aborted {
                    at: *at,
                    code: cause.code,
                    reset: is_alone && cause.kind == FailureKind::Reset,
                },
            },
            (None, Ending::Complete) => Self::Complete,
            (None, Ending::ClientAborted) => Self::WaitForClient,
            (None, Ending::ServerAborted) => Self::Aborted {
                at: 0,
                code: None,
                reset: false,
            },
        }
    }
}
