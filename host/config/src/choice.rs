//! Settings that are one word of a fixed set.

use std::fmt;

/// A setting that is one word of a fixed set.
pub(super) trait Choice: Copy + 'static {
    /// All values.
    const ALL: &'static [Self];
    /// The word in the configuration.
    fn as_str(&self) -> &'static str;
}

/// What an endpoint does with requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Forwards to the upstream and records.
    Record,
    /// Answers from the cassette; never connects to an upstream.
    Replay,
    /// Answers from the cassette; on a miss, forwards to the upstream and records.
    Auto,
    /// Forwards to the upstream and records nothing.
    Passthrough,
}

/// The response to a repeated request when its recorded responses are used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnExhausted {
    /// The last response again.
    Repeat,
    /// A miss: 404.
    Miss,
}

/// What happens when the recorder's queue is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnRecorderFull {
    /// Responses are delayed, at most by `limits.recorder_queue_timeout`.
    Wait,
    /// The exchange is not recorded.
    Drop,
}

/// The format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Plain text.
    Text,
    /// One JSON object per line.
    Json,
}

/// What unused recorded exchanges mean for a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unused {
    /// They are listed.
    Report,
    /// They fail the verdict.
    Fail,
}

/// What happens when a matcher fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnError {
    /// The next matcher is called.
    Next,
    /// The request fails.
    Fail,
}

/// What happens when a new version of a plugin answers differently from the current one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnDifference {
    /// The new version is used, and the differences are reported.
    Accept,
    /// The current version stays in use.
    Reject,
}

/// Whether an instance of a plugin serves more than one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instances {
    /// Instances are reused.
    Reused,
    /// Each call gets a new instance.
    Fresh,
}

impl Mode {
    /// True if the mode forwards requests, so the endpoint must have an upstream.
    pub fn needs_upstream(self) -> bool {
        match self {
            Self::Record | Self::Auto | Self::Passthrough => true,
            Self::Replay => false,
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Choice for Mode {
    const ALL: &'static [Self] = &[Self::Record, Self::Replay, Self::Auto, Self::Passthrough];

    fn as_str(&self) -> &'static str {
        match self {
            Self::Record => "record",
            Self::Replay => "replay",
            Self::Auto => "auto",
            Self::Passthrough => "passthrough",
        }
    }
}

impl Choice for OnExhausted {
    const ALL: &'static [Self] = &[Self::Repeat, Self::Miss];

    fn as_str(&self) -> &'static str {
        match self {
            Self::Repeat => "repeat",
            Self::Miss => "miss",
        }
    }
}

impl Choice for OnRecorderFull {
    const ALL: &'static [Self] = &[Self::Wait, Self::Drop];

    fn as_str(&self) -> &'static str {
        match self {
            Self::Wait => "wait",
            Self::Drop => "drop",
        }
    }
}

impl Choice for LogFormat {
    const ALL: &'static [Self] = &[Self::Text, Self::Json];

    fn as_str(&self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
        }
    }
}

impl Choice for Unused {
    const ALL: &'static [Self] = &[Self::Report, Self::Fail];

    fn as_str(&self) -> &'static str {
        match self {
            Self::Report => "report",
            Self::Fail => "fail",
        }
    }
}

impl Choice for OnError {
    const ALL: &'static [Self] = &[Self::Next, Self::Fail];

    fn as_str(&self) -> &'static str {
        match self {
            Self::Next => "next",
            Self::Fail => "fail",
        }
    }
}

impl Choice for OnDifference {
    const ALL: &'static [Self] = &[Self::Accept, Self::Reject];

    fn as_str(&self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Reject => "reject",
        }
    }
}

impl Choice for Instances {
    const ALL: &'static [Self] = &[Self::Reused, Self::Fresh];

    fn as_str(&self) -> &'static str {
        match self {
            Self::Reused => "reused",
            Self::Fresh => "fresh",
        }
    }
}
