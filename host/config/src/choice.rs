//! The settings that are one word of a few.

use std::fmt;

/// A word of a fixed set.
pub(super) trait Choice: Copy + 'static {
    /// Every word of the set.
    const ALL: &'static [Self];
    /// How it is written.
    fn as_str(&self) -> &'static str;
}

/// What an endpoint does with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Ask the upstream and keep the exchange.
    Record,
    /// Answer from the cassette; no upstream is ever asked.
    Replay,
    /// Answer from the cassette where it has one, else ask the upstream and keep the exchange.
    Auto,
    /// Ask the upstream and keep nothing.
    Passthrough,
}

/// What a repeated request gets once its recorded responses are used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnExhausted {
    /// The last response again.
    Repeat,
    /// The answer of a miss.
    Miss,
}

/// What follows when more is to be recorded than the recorder keeps up with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnRecorderFull {
    /// Clients wait, for `limits.recorder_queue_timeout` at most.
    Wait,
    /// The exchange is not recorded.
    Drop,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// What recorded exchanges that nobody asked for mean for a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unused {
    /// They are listed.
    Report,
    /// They fail it.
    Fail,
}

/// What follows when a plugin fails on a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnError {
    /// The next matcher decides.
    Next,
    /// The request fails.
    Fail,
}

/// What follows when a new version of a plugin answers otherwise than the one in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnDifference {
    /// It is taken, and the differences are reported.
    Accept,
    /// It is not taken.
    Reject,
}

/// Whether a copy of a plugin serves more than one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instances {
    /// Copies are used again.
    Reused,
    /// Each call gets a copy of its own.
    Fresh,
}

impl Mode {
    /// True where the mode asks an upstream, so that an endpoint must have one.
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
