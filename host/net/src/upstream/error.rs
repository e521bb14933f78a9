//! Why there is no response from an upstream, or why its body ends early.

use std::error::Error as _;
use std::io;
use std::time::Duration;

use crate::http::validation::InvalidMessage;
use ouli_message::failure::{FailureCause, FailureKind, Phase};

pub(super) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The reason where the response head exceeds the limits.
pub(super) const HEAD_TOO_LARGE: &str = "the response head is too large \
    (limits.upstream_header_bytes, limits.upstream_header_count)";

/// Why there is no response.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// No connection was made.
    #[error("cannot connect to {target}: {reason}")]
    Connect {
        /// Host and port.
        target: String,
        /// What happened.
        reason: String,
        /// The same, to be recorded.
        cause: FailureCause,
    },
    /// The connection or the response head did not come in time.
    #[error("timed out waiting for {awaited} {target} after {limit:?} (limits.{key})")]
    Timeout {
        /// Host and port.
        target: String,
        /// What was waited for, as `response headers from`.
        awaited: &'static str,
        /// The time limit.
        limit: Duration,
        /// Its key.
        key: &'static str,
        /// How far the exchange had come.
        phase: Phase,
    },
    /// The connection broke, or the response is malformed.
    #[error("the exchange with {target} failed: {reason}")]
    Broken {
        /// Host and port.
        target: String,
        /// What happened.
        reason: String,
        /// The same, to be recorded.
        cause: FailureCause,
    },
}

impl UpstreamError {
    /// What happened, to be recorded.
    pub fn cause(&self) -> FailureCause {
        match self {
            Self::Connect { cause, .. } | Self::Broken { cause, .. } => *cause,
            Self::Timeout { phase, .. } => FailureCause::new(*phase, FailureKind::Timeout),
        }
    }
}

/// Why a response body ends early.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The connection broke, or the body is malformed.
    #[error("{}", broken(_0))]
    Broken(#[from] hyper::Error),
    /// Nothing arrived for too long.
    #[error("no data arrived for {limit:?} (limits.{key})")]
    Idle {
        /// The time limit.
        limit: Duration,
        /// Its key.
        key: &'static str,
    },
    /// The HTTP/2 stream ended without END_STREAM.
    #[error("the stream ended before the end of the response (RFC 9113, section 8.1)")]
    Truncated,
    /// A body follows a head that has none, as of a 204.
    #[error("data follows a response that has no body (RFC 9113, section 8.1.1)")]
    UnexpectedData,
    /// The trailers are malformed.
    #[error("the trailers are malformed: {0}")]
    InvalidTrailers(#[from] InvalidMessage),
    /// A gRPC call ended without a status.
    #[error("the gRPC call ended without a status")]
    NoGrpcStatus,
}

/// Bytes of the trailers, and of all chunk extensions, of an HTTP/1.1 response that hyper reads.
const CHUNK_META_BYTES: &str =
    "16 KiB, which is the most that is read; the upstream must send less";

/// What broke a body. For a bound of hyper, which names none, the bound and what to do.
fn broken(error: &hyper::Error) -> String {
    let cause = error.source().and_then(|cause| cause.downcast_ref());
    match cause.map(io::Error::to_string).as_deref() {
        Some("chunk trailers bytes over limit") => {
            format!("the trailers are larger than {CHUNK_META_BYTES}")
        }
        Some("chunk extensions over limit") => {
            format!("the chunk extensions are larger than {CHUNK_META_BYTES}")
        }
        Some("chunk trailers count overflow") => {
            "there are too many trailers; raise limits.upstream_header_count".to_owned()
        }
        Some(_) | None => error.to_string(),
    }
}

/// A phase of connecting took too long.
#[derive(Debug, thiserror::Error)]
#[error("timed out waiting for {awaited} the upstream after {limit:?}")]
pub(super) struct PhaseTimeout {
    /// What was waited for, as `a connection to`.
    pub(super) awaited: &'static str,
    pub(super) limit: Duration,
    pub(super) key: &'static str,
}

/// A phase of connecting failed.
#[derive(Debug, thiserror::Error)]
#[error("cannot connect")]
pub(super) struct PhaseError {
    pub(super) phase: Phase,
    /// What happened, if `source` does not tell.
    pub(super) kind: Option<FailureKind>,
    pub(super) source: BoxError,
}

impl PhaseError {
    pub(super) fn in_phase<E: Into<BoxError>>(phase: Phase) -> impl FnOnce(E) -> Self {
        move |error| Self {
            phase,
            kind: None,
            source: error.into(),
        }
    }
}
