//! Failures of an exchange with an upstream: the phase, the kind and the time.

use std::fmt;

use http::StatusCode;

/// The failure of an exchange. The exchange also has its request and the part of the response that
/// was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The phase and the kind.
    pub cause: FailureCause,
    /// The time in microseconds, from the response head or, if there is none, from the request.
    pub at: u64,
}

/// The cause of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailureCause {
    /// The phase in which the exchange failed.
    pub phase: Phase,
    /// What happened.
    pub kind: FailureKind,
    /// The HTTP/2 error code of RST_STREAM or GOAWAY (RFC 9113, section 7).
    pub code: Option<u32>,
}

/// The phase of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Name resolution and TCP handshake.
    Connect,
    /// The TLS handshake.
    Tls,
    /// From sending the request to the end of the response head.
    Head,
    /// The response body.
    Body,
}

/// The kind of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FailureKind {
    /// The name cannot be resolved.
    Dns,
    /// The upstream refused the connection or the handshake.
    Refused,
    /// There is no route to the address.
    Unreachable,
    /// The certificate of the upstream is not trusted.
    Untrusted,
    /// The connection or the stream was reset.
    Reset,
    /// The upstream closed the connection too early.
    Closed,
    /// A timeout of the gateway expired.
    Timeout,
    /// The response violates the protocol or a limit.
    Malformed,
    /// The client closed the connection or the stream while waiting for the upstream.
    ClientGone,
}

impl Phase {
    /// All phases in their order.
    pub const ALL: [Self; 4] = [Self::Connect, Self::Tls, Self::Head, Self::Body];

    /// The name in cassettes and reports.
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
    /// All kinds.
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

    /// The name in cassettes and reports.
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
    /// A cause without an error code.
    pub fn new(phase: Phase, kind: FailureKind) -> Self {
        Self {
            phase,
            kind,
            code: None,
        }
    }

    /// True if no response head was received.
    pub fn is_before_response(&self) -> bool {
        self.phase != Phase::Body
    }

    /// The status of the gateway's own response (RFC 9110, sections 15.6.3 and 15.6.5).
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

/// `body reset 8`: the phase, the kind and, if any, the error code.
impl fmt::Display for FailureCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.phase.name(), self.kind.name())?;
        match self.code {
            Some(code) => write!(f, " {code}"),
            None => Ok(()),
        }
    }
}
