//! The gateway's own answers: every fault of an exchange becomes a response here, and nowhere else.
//!
//! Each carries `ouli-error: KIND`, so that no client takes it for a recorded answer, and a body
//! after RFC 9457.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Request, Response, StatusCode};
use serde_json::{Value, json};

use super::response_body::OutgoingBody;
use crate::session::SessionError;
use ouli_codec::grpc;
use ouli_matching::miss::Miss;
use ouli_message::FailureCause;
use ouli_net::http::validation::InvalidMessage;
use ouli_net::server::Rejection;
use ouli_net::upstream::UpstreamError;
use ouli_plugin::PluginFailure;

/// The field that marks an answer of the gateway's own.
pub(crate) const ERROR_HEADER: &str = "ouli-error";

/// Why an exchange has no answer from an upstream or a cassette.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// Nothing like it is recorded.
    #[error("{}", .0.to_text())]
    Miss(Box<Miss>),
    /// The upstream gave no answer.
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
    /// The upstream gave no answer when the exchange was recorded.
    #[error("the upstream gave no answer when this was recorded: {0}")]
    RecordedFailure(FailureCause),
    /// A plugin gave no answer.
    #[error(transparent)]
    Plugin(#[from] PluginFailure),
    /// The session cannot be used.
    #[error("{0}")]
    Session(String),
    /// There are too many sessions.
    #[error("more than {most} sessions (limits.sessions)")]
    TooManySessions {
        /// The limit.
        most: usize,
    },
    /// The cassette cannot be used.
    #[error("{0}")]
    Cassette(String),
    /// The body of the request is too large to be held.
    #[error("the body of the request is larger than {most} bytes (limits.request_body)")]
    RequestBodyTooLarge {
        /// The limit in bytes.
        most: usize,
    },
    /// The body of the request has a coding that cannot be undone.
    #[error("the body of the request cannot be decoded: {0}")]
    Undecodable(String),
    /// The client sent what cannot be used, or left.
    #[error("the request cannot be used: {0}")]
    Downstream(String),
    /// The request could be taken for another one.
    #[error("the request is not taken, since servers could read it in more than one way: {0}")]
    InvalidMessage(#[from] InvalidMessage),
    /// The request is none that is served.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// The client wants a tunnel.
    #[error("CONNECT is not served: this is a reverse proxy; send requests to its address")]
    ConnectNotSupported,
    /// Too many requests are at work, in all or for one upstream; the setting says which.
    #[error("too many requests at once (limits.{0})")]
    TooManyRequests(&'static str),
    /// Too much is held already.
    #[error("as much is held in memory as may be (limits.memory)")]
    MemoryLimit,
    /// Too many streams are at work.
    #[error("too many WebSockets and other streams at once (limits.streams)")]
    TooManyStreams,
    /// The handshake of a WebSocket is not as it should be.
    #[error("the handshake of the WebSocket cannot be used: {0}")]
    WebSocketHandshake(String),
    /// A page of the gateway's own is asked for by somebody who gets none, for this reason.
    #[error("the gateway's own pages are for this machine; this request is refused: {0}")]
    AdminForbidden(&'static str),
    /// A reload took the endpoint away.
    #[error("the endpoint {0} is no longer configured")]
    NoEndpoint(String),
    /// The endpoint has nowhere to go.
    #[error("the endpoint {0} has no upstream; add `upstream = \"https://...\"` to it")]
    NoUpstream(String),
    /// The gateway stops, and the time for it is over.
    #[error("the gateway stops")]
    Stopping,
    /// The gateway itself failed.
    #[error("the gateway failed: {0}")]
    Internal(String),
}

/// What an error is to a client: kind, status and title.
struct ProblemType(&'static str, u16, &'static str);

impl From<SessionError> for ExchangeError {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::InvalidName(reason) => Self::Session(reason),
            SessionError::TooMany(most) => Self::TooManySessions { most },
            SessionError::Cassette(reason) => Self::Cassette(reason),
        }
    }
}

impl ExchangeError {
    /// What the upstream did, where it is to blame.
    pub(crate) fn failure_cause(&self) -> Option<FailureCause> {
        match self {
            Self::Upstream(error) => Some(error.cause()),
            _ => None,
        }
    }

    fn problem_type(&self) -> ProblemType {
        match self {
            // Not a 5xx: client libraries would try again.
            Self::Miss(_) => ProblemType("miss", 404, "no recorded exchange matches"),
            Self::Upstream(UpstreamError::Timeout { .. }) => {
                ProblemType("upstream", 504, "the upstream is late")
            }
            Self::Upstream(UpstreamError::Connect { .. } | UpstreamError::Broken { .. }) => {
                ProblemType("upstream", 502, "the upstream failed")
            }
            Self::RecordedFailure(fault) => ProblemType(
                "upstream",
                fault.status().as_u16(),
                "the upstream failed when this was recorded",
            ),
            Self::Plugin(_) => ProblemType("plugin", 500, "a plugin failed"),
            Self::Session(_) => ProblemType("session", 400, "the session cannot be used"),
            Self::TooManySessions { .. } => ProblemType("limit", 503, "too many sessions"),
            Self::Cassette(_) => ProblemType("cassette", 500, "the cassette cannot be used"),
            Self::RequestBodyTooLarge { .. } => ProblemType("limit", 413, "the body is too large"),
            Self::Undecodable(_) => ProblemType("coding", 415, "the body cannot be decoded"),
            Self::Downstream(_) | Self::InvalidMessage(_) => {
                ProblemType("request", 400, "the request cannot be used")
            }
            Self::AdminForbidden(_) => {
                ProblemType("forbidden", 403, "the page is not for this request")
            }
            Self::Rejected(refusal) => match refusal {
                Rejection::UriTooLong { .. } => ProblemType("limit", 414, "the target is too long"),
                Rejection::TooManyHeaders { .. } => {
                    ProblemType("limit", 431, "the head is too large")
                }
                Rejection::BodyTimeout(_) => ProblemType("limit", 408, "the body is late"),
                Rejection::IncompleteBody => {
                    ProblemType("request", 400, "the request cannot be used")
                }
            },
            Self::ConnectNotSupported => ProblemType("request", 405, "CONNECT is not served"),
            Self::TooManyRequests(_) => ProblemType("limit", 503, "too many requests"),
            Self::MemoryLimit => ProblemType("limit", 503, "too much in memory"),
            Self::TooManyStreams => ProblemType("limit", 503, "too many streams"),
            Self::WebSocketHandshake(_) => {
                ProblemType("handshake", 400, "the handshake cannot be used")
            }
            Self::NoEndpoint(_) | Self::NoUpstream(_) => {
                ProblemType("endpoint", 503, "the endpoint cannot be used")
            }
            Self::Stopping => ProblemType("stopping", 503, "the gateway stops"),
            Self::Internal(_) => ProblemType("gateway", 500, "the gateway failed"),
        }
    }
}

/// In what form a client takes the gateway's own answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ErrorFormat {
    /// A status and a problem document.
    Http,
    /// The status of a call.
    Grpc,
}

impl ErrorFormat {
    pub(crate) fn of<B>(request: &Request<B>) -> Self {
        if grpc::has_grpc_body(request.headers()) {
            Self::Grpc
        } else {
            Self::Http
        }
    }
}

/// The word for an error.
pub(crate) fn error_kind(error: &ExchangeError) -> &'static str {
    error.problem_type().0
}

/// The response for an error.
pub(crate) fn error_response(error: &ExchangeError, asks: ErrorFormat) -> Response<OutgoingBody> {
    match asks {
        ErrorFormat::Http => problem_response(error),
        ErrorFormat::Grpc => grpc_error_response(error),
    }
}

/// The answer to a call: a response without messages, with the status in its header.
fn grpc_error_response(error: &ExchangeError) -> Response<OutgoingBody> {
    let ProblemType(kind, _, _) = error.problem_type();
    let (code, message) = grpc_status(error);
    let mut response = Response::new(OutgoingBody::empty());
    let headers = response.headers_mut();
    *headers = grpc::trailers_only(code, &message).to_map();
    headers.insert(ERROR_HEADER, HeaderValue::from_static(kind));
    response
}

/// What an error is to a client of gRPC: the code and the message.
pub(crate) fn grpc_status(error: &ExchangeError) -> (grpc::Code, String) {
    let ProblemType(_, status, _) = error.problem_type();
    let code = match (error, status) {
        // Not `unavailable`: client libraries would try again.
        (ExchangeError::Miss(_), _) => grpc::Code::NotFound,
        (ExchangeError::Stopping, _) => grpc::Code::Unavailable,
        (_, 504) => grpc::Code::DeadlineExceeded,
        (_, 502) => grpc::Code::Unavailable,
        (_, 503 | 413) => grpc::Code::ResourceExhausted,
        (_, 400..=499) => grpc::Code::InvalidArgument,
        (_, _) => grpc::Code::Internal,
    };
    let mut message = match error {
        ExchangeError::Miss(miss) => miss.to_text(),
        other => other.to_string(),
    };
    // Metadata is small with many clients: 8 KiB, and percent-encoding may triple a message.
    message.truncate(message.floor_char_boundary(MAX_GRPC_MESSAGE));
    (code, message)
}

/// Bytes of a report in the status of a call.
const MAX_GRPC_MESSAGE: usize = 2 << 10;

fn problem_response(error: &ExchangeError) -> Response<OutgoingBody> {
    let ProblemType(kind, status, title) = error.problem_type();
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let problem: Value = match error {
        ExchangeError::Miss(miss) => miss.to_problem(),
        other => json!({
            "type": format!("urn:ouli:problem:{}", kind),
            "title": title,
            "status": status.as_u16(),
            "detail": other.to_string(),
        }),
    };
    let mut text = serde_json::to_vec_pretty(&problem).unwrap_or_default();
    text.push(b'\n');
    let mut response = Response::new(OutgoingBody::from_bytes(Bytes::from(text)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(ERROR_HEADER, HeaderValue::from_static(kind));
    let problem_json = HeaderValue::from_static("application/problem+json");
    headers.insert(CONTENT_TYPE, problem_json);
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

/// Says it on stderr, as loud as its cause deserves: the client's own faults are its own business.
pub(crate) fn log_error(error: &ExchangeError) {
    match error {
        ExchangeError::Miss(miss) => tracing::warn!("{}", miss.to_text()),
        ExchangeError::Upstream(_)
        | ExchangeError::TooManyRequests(_)
        | ExchangeError::MemoryLimit
        | ExchangeError::TooManyStreams
        | ExchangeError::TooManySessions { .. }
        | ExchangeError::NoUpstream(_) => {
            tracing::warn!("{error}");
        }
        ExchangeError::Plugin(_) | ExchangeError::Cassette(_) | ExchangeError::Internal(_) => {
            tracing::error!("{error}");
        }
        ExchangeError::Session(_)
        | ExchangeError::RequestBodyTooLarge { .. }
        | ExchangeError::Undecodable(_)
        | ExchangeError::Downstream(_)
        | ExchangeError::InvalidMessage(_)
        | ExchangeError::WebSocketHandshake(_)
        | ExchangeError::ConnectNotSupported
        | ExchangeError::Rejected(_)
        | ExchangeError::Stopping
        | ExchangeError::AdminForbidden(_)
        | ExchangeError::RecordedFailure(_)
        | ExchangeError::NoEndpoint(_) => tracing::debug!("{error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ouli_message::failure::{FailureKind, Phase};

    #[test]
    fn every_error_response_has_the_error_header_and_a_kind() {
        let late = UpstreamError::Timeout {
            target: "h:1".into(),
            awaited: "response headers from",
            limit: std::time::Duration::from_secs(1),
            key: "response_header_timeout",
            phase: Phase::Head,
        };
        let broken = UpstreamError::Broken {
            target: "h:1".into(),
            reason: "x".into(),
            cause: FailureCause::new(Phase::Head, FailureKind::Reset),
        };
        let refused = FailureCause::new(Phase::Connect, FailureKind::Refused);
        let left = FailureCause::new(Phase::Head, FailureKind::ClientGone);
        let cases = [
            (ExchangeError::Upstream(late), 504, "upstream"),
            (ExchangeError::Upstream(broken), 502, "upstream"),
            (ExchangeError::RecordedFailure(refused), 502, "upstream"),
            (ExchangeError::RecordedFailure(left), 504, "upstream"),
            (ExchangeError::Session("x".into()), 400, "session"),
            (ExchangeError::Cassette("x".into()), 500, "cassette"),
            (ExchangeError::RequestBodyTooLarge { most: 1 }, 413, "limit"),
            (ExchangeError::Undecodable("x".into()), 415, "coding"),
            (ExchangeError::Downstream("x".into()), 400, "request"),
            (
                ExchangeError::InvalidMessage(InvalidMessage::MultipleHosts),
                400,
                "request",
            ),
            (ExchangeError::ConnectNotSupported, 405, "request"),
            (Rejection::UriTooLong { max: 1 }.into(), 414, "limit"),
            (Rejection::TooManyHeaders { max: 1 }.into(), 431, "limit"),
            (
                Rejection::BodyTimeout("request_body_idle_timeout").into(),
                408,
                "limit",
            ),
            (Rejection::IncompleteBody.into(), 400, "request"),
            (ExchangeError::AdminForbidden("x"), 403, "forbidden"),
            (
                ExchangeError::TooManyRequests("max_concurrent_requests"),
                503,
                "limit",
            ),
            (ExchangeError::MemoryLimit, 503, "limit"),
            (ExchangeError::TooManySessions { most: 1 }, 503, "limit"),
            (ExchangeError::NoEndpoint("x".into()), 503, "endpoint"),
            (ExchangeError::NoUpstream("x".into()), 503, "endpoint"),
            (ExchangeError::Internal("x".into()), 500, "gateway"),
        ];
        for (error, status, kind) in cases {
            let response = error_response(&error, ErrorFormat::Http);
            assert_eq!(response.status(), status, "{error}");
            assert_eq!(response.headers()[ERROR_HEADER], kind, "{error}");
            let retry = response.headers().contains_key(RETRY_AFTER);
            assert_eq!(retry, status == 503, "{error}");
        }
    }
}
