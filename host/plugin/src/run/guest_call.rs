//! A call of a guest function and its result.

use std::sync::Arc;
use std::time::Duration;

use crate::Bounds;
use crate::sandbox::call_output::CallOutput;
use crate::sandbox::state::MAX_CALL_MESSAGES;
use ouli_codec::MessageView;

/// The function to call, with its arguments.
pub enum GuestCall<'a> {
    /// `identify` with a request, or with a message of a conversation.
    Identify(&'a Arc<dyn MessageView>),
    /// `redact` with a message.
    Redact(&'a Arc<dyn MessageView>),
    /// `decide` with a request and its response, if there is one.
    Decide(&'a Arc<dyn MessageView>, Option<&'a Arc<dyn MessageView>>),
}

/// The time limit of a call, and its key in `[limits]`.
pub(crate) type TimeLimit = (Duration, &'static str);

impl GuestCall<'_> {
    /// The role that is called.
    pub(crate) fn role(&self) -> &'static str {
        match self {
            Self::Identify(_) => "matcher",
            Self::Redact(_) => "redactor",
            Self::Decide(..) => "recording-policy",
        }
    }

    /// The time limit of the call.
    pub(crate) fn time_limit(&self, bounds: &Bounds) -> TimeLimit {
        match self {
            Self::Identify(_) => (bounds.matcher_cpu_time, "matcher_cpu_time"),
            Self::Redact(_) => (bounds.redactor_cpu_time, "redactor_cpu_time"),
            Self::Decide(..) => (bounds.policy_cpu_time, "policy_cpu_time"),
        }
    }

    /// The messages that the guest may read.
    pub(super) fn messages(&self) -> [Option<Arc<dyn MessageView>>; MAX_CALL_MESSAGES] {
        match self {
            Self::Identify(message) | Self::Redact(message) => [Some(Arc::clone(message)), None],
            Self::Decide(request, response) => {
                [Some(Arc::clone(request)), response.map(Arc::clone)]
            }
        }
    }
}

/// What the guest wrote, or the error that it returned. After the outer error the instance must
/// not be used again.
pub(crate) type CallResult = Result<Result<CallOutput, String>, CallFailure>;

/// Why an instance must not be used again.
#[derive(Debug)]
pub(crate) struct CallFailure {
    pub(crate) reason: String,
    /// The call reached its time limit, so it also delayed other requests.
    pub(crate) timed_out: bool,
}

impl From<String> for CallFailure {
    fn from(reason: String) -> Self {
        Self {
            reason,
            timed_out: false,
        }
    }
}
