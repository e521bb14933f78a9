//! How an exchange failed: how far it came, what happened, and when.

use std::fmt;

use http::StatusCode;

/// A failed exchange has this beside its request, and beside the part of the response that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What happened, and where.
    pub cause: FailureCause,
    /// When, in microseconds: from the head of the response where that came, else from the request.
    pub at: u64,
}

/// What went wrong with an upstream, and how far the exchange had come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailureCause {
    /// How far the exchange had come.
    pub phase: Phase,
    /// What happened.
    pub kind: FailureKind,
    /// The error code where a stream or a connection of HTTP/2 was ended with one (RFC 9113,
    /// section 7).
    pub code: Option<u32>,
}

/// What an exchange was doing when it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// The name was looked up and the connection made.
    Connect,
    /// The TLS handshake.
    Tls,
    /// The request was sent, and no whole head of a response came.
    Head,
    /// The head of the response was there, its body on the way.
    Body,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FailureKind {
    /// The name has no address.
    Dns,
    /// The connection or the handshake was refused.
    Refused,
    /// No way leads to the address.
    Unreachable,
    /// The certificate of the upstream is not trusted.
    Untrusted,
    /// The connection or the stream was reset.
    Reset,
    /// The connection was closed too early.
    Closed,
    /// A time limit of the gateway ran out.
    Timeout,
    /// What came breaks the protocol, or its bounds.
    Malformed,
    /// The client left while it waited for the upstream.
    ClientGone,
}

impl Phase {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Connect, Self::Tls, Self::Head, Self::Body];

    /// The word for it in cassettes and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Head => "head",
            Self::Body => "body",
        }
    }
}

impl FailureKind {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Dns,
        Self::Refused,
        Self::Unreachable,
        Self::Untrusted,
        Self::Reset,
        Self::Closed,
        Self::Timeout,
        Self::Malformed,
        Self::ClientGone,
    ];

    /// The word for it in cassettes and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
            Self::Untrusted => "untrusted",
            Self::Reset => "reset",
            Self::Closed => "closed",
            Self::Timeout => "timeout",
            Self::Malformed => "malformed",
            Self::ClientGone => "left",
        }
    }
}

impl FailureCause {
    /// A fault without a code.
    pub fn new(phase: Phase, what: FailureKind) -> Self {
        let code = None;
        Self {
            phase,
            kind: what,
            code,
        }
    }

    /// True where no head of a response came.
    pub fn is_before_response(&self) -> bool {
        self.phase != Phase::Body
    }

    /// The status of the gateway's own answer (RFC 9110, sections 15.6.3 and 15.6.5).
    pub fn status(&self) -> StatusCode {
        match self.kind {
            FailureKind::Timeout | FailureKind::ClientGone => StatusCode::GATEWAY_TIMEOUT,
            FailureKind::Dns
            | FailureKind::Refused
            | FailureKind::Unreachable
            | FailureKind::Untrusted
            | FailureKind::Reset
            | FailureKind::Closed
            | FailureKind::Malformed => StatusCode::BAD_GATEWAY,
        }
    }
}

/// `body reset 8`: the phase, what happened, and the code where there is one.
impl fmt::Display for FailureCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.phase.name(), self.kind.name())?;
        match self.code {
            Some(code) => write!(f, " {code}"),
            None => Ok(()),
        }
    }
}
