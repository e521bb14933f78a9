//! The gateway's own answers: every fault of an exchange becomes a response here, and nowhere else.
//!
//! Each carries `ouli-error: KIND`, so that no client takes it for a recorded answer, and a body
//! after RFC 9457.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Request, Response, StatusCode};
use serde_json::{Value, json};

use super::response_body::Outgoing;
use crate::session::SessionError;
use ouli_codec::grpc;
use ouli_matching::miss::Miss;
use ouli_message::Fault;
use ouli_net::http::validation::Unsound;
use ouli_net::server::Refusal;
use ouli_net::upstream::UpstreamError;
use ouli_plugin::PluginFailure;

/// The field that marks an answer of the gateway's own.
pub(crate) const MARK: &str = "ouli-error";

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
    Recorded(Fault),
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
    TooLarge {
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
    Unsound(#[from] Unsound),
    /// The request is none that is served.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The client wants a tunnel.
    #[error("CONNECT is not served: this is a reverse proxy; send requests to its address")]
    Connect,
    /// Too many requests are at work, in all or for one upstream; the setting says which.
    #[error("too many requests at once (limits.{0})")]
    Busy(&'static str),
    /// Too much is held already.
    #[error("as much is held in memory as may be (limits.memory)")]
    Memory,
    /// Too many streams are at work.
    #[error("too many WebSockets and other streams at once (limits.streams)")]
    TooManyStreams,
    /// The handshake of a WebSocket is not as it should be.
    #[error("the handshake of the WebSocket cannot be used: {0}")]
    Handshake(String),
    /// A page of the gateway's own is asked for by somebody who gets none, for this reason.
    #[error("the gateway's own pages are for this machine; this request is refused: {0}")]
    Foreign(&'static str),
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
    Gateway(String),
}

/// What an error is to a client: kind, status and title.
struct Shape(&'static str, u16, &'static str);

impl From<SessionError> for ExchangeError {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::Name(reason) => Self::Session(reason),
            SessionError::TooMany(most) => Self::TooManySessions { most },
            SessionError::Cassette(reason) => Self::Cassette(reason),
        }
    }
}

impl ExchangeError {
    /// What the upstream did, where it is to blame.
    pub(crate) fn fault(&self) -> Option<Fault> {
        match self {
            Self::Upstream(error) => Some(error.fault()),
            _ => None,
        }
    }

    fn shape(&self) -> Shape {
        match self {
            // Not a 5xx: client libraries would try again.
            Self::Miss(_) => Shape("miss", 404, "no recorded exchange matches"),
            Self::Upstream(UpstreamError::Late { .. }) => {
                Shape("upstream", 504, "the upstream is late")
            }
            Self::Upstream(UpstreamError::Connect { .. } | UpstreamError::Broken { .. }) => {
                Shape("upstream", 502, "the upstream failed")
            }
            Self::Recorded(fault) => Shape(
                "upstream",
                fault.status().as_u16(),
                "the upstream failed when this was recorded",
            ),
            Self::Plugin(_) => Shape("plugin", 500, "a plugin failed"),
            Self::Session(_) => Shape("session", 400, "the session cannot be used"),
            Self::TooManySessions { .. } => Shape("limit", 503, "too many sessions"),
            Self::Cassette(_) => Shape("cassette", 500, "the cassette cannot be used"),
            Self::TooLarge { .. } => Shape("limit", 413, "the body is too large"),
            Self::Undecodable(_) => Shape("coding", 415, "the body cannot be decoded"),
            Self::Downstream(_) | Self::Unsound(_) => {
                Shape("request", 400, "the request cannot be used")
            }
            Self::Foreign(_) => Shape("foreign", 403, "the page is not for this request"),
            Self::Refused(refusal) => match refusal {
                Refusal::LongTarget { .. } => Shape("limit", 414, "the target is too long"),
                Refusal::ManyFields { .. } => Shape("limit", 431, "the head is too large"),
                Refusal::Late(_) => Shape("limit", 408, "the body is late"),
                Refusal::Broken => Shape("request", 400, "the request cannot be used"),
            },
            Self::Connect => Shape("request", 405, "CONNECT is not served"),
            Self::Busy(_) => Shape("limit", 503, "too many requests"),
            Self::Memory => Shape("limit", 503, "too much in memory"),
            Self::TooManyStreams => Shape("limit", 503, "too many streams"),
            Self::Handshake(_) => Shape("handshake", 400, "the handshake cannot be used"),
            Self::NoEndpoint(_) | Self::NoUpstream(_) => {
                Shape("endpoint", 503, "the endpoint cannot be used")
            }
            Self::Stopping => Shape("stopping", 503, "the gateway stops"),
            Self::Gateway(_) => Shape("gateway", 500, "the gateway failed"),
        }
    }
}

/// In what form a client takes the gateway's own answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asks {
    /// A status and a problem document.
    Http,
    /// The status of a call.
    Grpc,
}

impl Asks {
    pub(crate) fn of<B>(request: &Request<B>) -> Self {
        if grpc::is_call(request.headers()) {
            Self::Grpc
        } else {
            Self::Http
        }
    }
}

/// The word for an error.
pub(crate) fn kind(error: &ExchangeError) -> &'static str {
    error.shape().0
}

/// The response for an error.
pub(crate) fn answer(error: &ExchangeError, asks: Asks) -> Response<Outgoing> {
    match asks {
        Asks::Http => problem(error),
        Asks::Grpc => call(error),
    }
}

/// The answer to a call: a response without messages, with the status in its header.
fn call(error: &ExchangeError) -> Response<Outgoing> {
    let Shape(kind, _, _) = error.shape();
    let (code, message) = status(error);
    let mut response = Response::new(Outgoing::nothing());
    let headers = response.headers_mut();
    *headers = grpc::trailers_only(code, &message).to_map();
    headers.insert(MARK, HeaderValue::from_static(kind));
    response
}

/// What an error is to a client of gRPC: the code and the message.
pub(crate) fn status(error: &ExchangeError) -> (grpc::Code, String) {
    let Shape(_, status, _) = error.shape();
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
    message.truncate(message.floor_char_boundary(MESSAGE));
    (code, message)
}

/// Bytes of a report in the status of a call.
const MESSAGE: usize = 2 << 10;

fn problem(error: &ExchangeError) -> Response<Outgoing> {
    let Shape(kind, status, title) = error.shape();
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
    let mut response = Response::new(Outgoing::bytes(Bytes::from(text)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(MARK, HeaderValue::from_static(kind));
    let problem_json = HeaderValue::from_static("application/problem+json");
    headers.insert(CONTENT_TYPE, problem_json);
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

/// Says it on stderr, as loud as its cause deserves: the client's own faults are its own business.
pub(crate) fn log(error: &ExchangeError) {
    match error {
        ExchangeError::Miss(miss) => tracing::warn!("{}", miss.to_text()),
        ExchangeError::Upstream(_)
        | ExchangeError::Busy(_)
        | ExchangeError::Memory
        | ExchangeError::TooManyStreams
        | ExchangeError::TooManySessions { .. }
        | ExchangeError::NoUpstream(_) => {
            tracing::warn!("{error}");
        }
        ExchangeError::Plugin(_) | ExchangeError::Cassette(_) | ExchangeError::Gateway(_) => {
            tracing::error!("{error}");
        }
        ExchangeError::Session(_)
        | ExchangeError::TooLarge { .. }
        | ExchangeError::Undecodable(_)
        | ExchangeError::Downstream(_)
        | ExchangeError::Unsound(_)
        | ExchangeError::Handshake(_)
        | ExchangeError::Connect
        | ExchangeError::Refused(_)
        | ExchangeError::Stopping
        | ExchangeError::Foreign(_)
        | ExchangeError::Recorded(_)
        | ExchangeError::NoEndpoint(_) => tracing::debug!("{error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ouli_message::failure::{Phase, What};

    #[test]
    fn every_answer_is_marked_and_says_what_it_is() {
        let late = UpstreamError::Late {
            target: "h:1".into(),
            what: "response",
            limit: std::time::Duration::from_secs(1),
            key: "first_byte_timeout",
            phase: Phase::Head,
        };
        let broken = UpstreamError::Broken {
            target: "h:1".into(),
            reason: "x".into(),
            fault: Fault::new(Phase::Head, What::Reset),
        };
        let refused = Fault::new(Phase::Connect, What::Refused);
        let left = Fault::new(Phase::Head, What::Left);
        let cases = [
            (ExchangeError::Upstream(late), 504, "upstream"),
            (ExchangeError::Upstream(broken), 502, "upstream"),
            (ExchangeError::Recorded(refused), 502, "upstream"),
            (ExchangeError::Recorded(left), 504, "upstream"),
            (ExchangeError::Session("x".into()), 400, "session"),
            (ExchangeError::Cassette("x".into()), 500, "cassette"),
            (ExchangeError::TooLarge { most: 1 }, 413, "limit"),
            (ExchangeError::Undecodable("x".into()), 415, "coding"),
            (ExchangeError::Downstream("x".into()), 400, "request"),
            (ExchangeError::Unsound(Unsound::Hosts), 400, "request"),
            (ExchangeError::Connect, 405, "request"),
            (Refusal::LongTarget { most: 1 }.into(), 414, "limit"),
            (Refusal::ManyFields { most: 1 }.into(), 431, "limit"),
            (Refusal::Late("request_idle_timeout").into(), 408, "limit"),
            (Refusal::Broken.into(), 400, "request"),
            (ExchangeError::Foreign("x"), 403, "foreign"),
            (ExchangeError::Busy("in_flight"), 503, "limit"),
            (ExchangeError::Memory, 503, "limit"),
            (ExchangeError::TooManySessions { most: 1 }, 503, "limit"),
            (ExchangeError::NoEndpoint("x".into()), 503, "endpoint"),
            (ExchangeError::NoUpstream("x".into()), 503, "endpoint"),
            (ExchangeError::Gateway("x".into()), 500, "gateway"),
        ];
        for (error, status, kind) in cases {
            let response = answer(&error, Asks::Http);
            assert_eq!(response.status(), status, "{error}");
            assert_eq!(response.headers()[MARK], kind, "{error}");
            let retry = response.headers().contains_key(RETRY_AFTER);
            assert_eq!(retry, status == 503, "{error}");
        }
    }
}
