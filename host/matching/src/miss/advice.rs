//! The command that a report suggests, with its purpose.

use super::cause::Cause;
use super::guidance::Guidance;

/// A command for users to type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advice {
    /// What it is for.
    pub purpose: Purpose,
    /// The command.
    pub command: String,
}

/// What a command is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// It records the request.
    Record,
    /// It runs a gateway that records the request when the tests run again.
    RunAgain,
    /// It records a damaged cassette anew.
    Restore,
    /// It accepts the edits of a cassette.
    Accept,
}

impl Advice {
    pub(super) fn for_cause(cause: &Cause, is_damaged: bool, guidance: &Guidance) -> Option<Self> {
        let record = match guidance.chooses_port {
            true => Purpose::RunAgain,
            false => Purpose::Record,
        };
        let (purpose, command) = match cause {
            Cause::NoCassette | Cause::Empty | Cause::ReplayedSecret(_) => {
                (record, &guidance.record_command)
            }
            Cause::NoMatch if is_damaged => (Purpose::Restore, &guidance.record_command),
            // Mode `record` would start a new cassette.
            Cause::NoMatch | Cause::OtherIdentity(_) => (record, &guidance.auto_command),
            Cause::Edited { .. } => (Purpose::Accept, &guidance.accept_command),
            Cause::Exhausted { .. } => return None,
        };
        Some(Self {
            purpose,
            command: command.clone(),
        })
    }

    /// The purpose, as the beginning of a sentence that the command follows.
    pub(super) fn introduction(&self) -> &'static str {
        match self.purpose {
            Purpose::Record => "to record it, run",
            Purpose::RunAgain => "to record it, run the tests again with this gateway",
            Purpose::Restore => "restore the cassette from version control, or record it again",
            Purpose::Accept => "to accept the edit, run",
        }
    }
}
