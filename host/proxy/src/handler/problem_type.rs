//! The problem type of each error: the kind in the header `ouli-error`, the status and the title.

use http::StatusCode;

use super::error::ExchangeError;
use ouli_net::server::Rejection;
use ouli_net::upstream::UpstreamError;

/// The header that marks a response as the gateway's own.
pub(crate) const ERROR_HEADER: &str = "ouli-error";

/// The kind of an error: the value of the header `ouli-error`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ErrorKind {
    Cassette,
    Coding,
    Endpoint,
    Forbidden,
    Gateway,
    Handshake,
    Limit,
    Miss,
    Page,
    Plugin,
    Request,
    Session,
    Stopping,
    Upstream,
}

impl ErrorKind {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Cassette => "cassette",
            Self::Coding => "coding",
            Self::Endpoint => "endpoint",
            Self::Forbidden => "forbidden",
            Self::Gateway => "gateway",
            Self::Handshake => "handshake",
            Self::Limit => "limit",
            Self::Miss => "miss",
            Self::Page => "page",
            Self::Plugin => "plugin",
            Self::Request => "request",
            Self::Session => "session",
            Self::Stopping => "stopping",
            Self::Upstream => "upstream",
        }
    }
}

/// A problem type (RFC 9457, section 3.1) and the status that goes with it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ProblemType {
    pub(crate) kind: ErrorKind,
    pub(crate) status: StatusCode,
    pub(crate) title: &'static str,
}

impl ProblemType {
    fn new(status: StatusCode, kind: ErrorKind, title: &'static str) -> Self {
        Self {
            kind,
            status,
            title,
        }
    }

    fn not_found(kind: ErrorKind, title: &'static str) -> Self {
        Self::new(StatusCode::NOT_FOUND, kind, title)
    }

    fn bad_request(kind: ErrorKind, title: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, kind, title)
    }

    fn internal_error(kind: ErrorKind, title: &'static str) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, kind, title)
    }

    fn unavailable(kind: ErrorKind, title: &'static str) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, kind, title)
    }

    fn upstream(status: StatusCode, title: &'static str) -> Self {
        Self::new(status, ErrorKind::Upstream, title)
    }

    fn misdirected() -> Self {
        let title = "the request is for another server";
        Self::new(StatusCode::MISDIRECTED_REQUEST, ErrorKind::Request, title)
    }

    /// A limit that the client can keep, with the status that names it.
    fn limit(status: StatusCode, title: &'static str) -> Self {
        Self::new(status, ErrorKind::Limit, title)
    }

    fn rejected(rejection: &Rejection) -> Self {
        match rejection {
            Rejection::UriTooLong { .. } => {
                Self::limit(StatusCode::URI_TOO_LONG, "the target is too long")
            }
            Rejection::TooManyHeaders { .. } | Rejection::HeaderListTooLarge { .. } => Self::limit(
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                "the head is too large",
            ),
            Rejection::BodyTimeout(_) => {
                Self::limit(StatusCode::REQUEST_TIMEOUT, "the request body timed out")
            }
            Rejection::TooManyTrailers => {
                Self::limit(StatusCode::BAD_REQUEST, "the request has too many trailers")
            }
            Rejection::IncompleteBody => {
                Self::bad_request(ErrorKind::Request, "the request is invalid")
            }
        }
    }
}

/// The title of [`ExchangeError::UnknownPage`].
const NO_PAGE: &str = "the gateway has no such page";

impl ExchangeError {
    /// The problem type of the error. A miss is not a 5xx, because client libraries would retry.
    pub(crate) fn problem_type(&self) -> ProblemType {
        use ErrorKind as Kind;
        match self {
            Self::Miss(_) => ProblemType::not_found(Kind::Miss, "no recorded exchange matches"),
            Self::Upstream(UpstreamError::Timeout { .. }) => {
                ProblemType::upstream(StatusCode::GATEWAY_TIMEOUT, "the upstream timed out")
            }
            Self::Upstream(UpstreamError::Connect { .. } | UpstreamError::Broken { .. }) => {
                ProblemType::upstream(StatusCode::BAD_GATEWAY, "the upstream failed")
            }
            Self::RecordedFailure(cause) => {
                ProblemType::upstream(cause.status(), "the upstream failed when this was recorded")
            }
            Self::Plugin(_) => ProblemType::internal_error(Kind::Plugin, "a plugin failed"),
            Self::Session(_) => ProblemType::bad_request(Kind::Session, "the session is invalid"),
            Self::NoSession(_) => ProblemType::not_found(Kind::Session, "no such session"),
            Self::TooManySessions { .. } => {
                ProblemType::unavailable(Kind::Limit, "too many sessions")
            }
            Self::Cassette(_) | Self::StoredBody(_) | Self::IndexMemory(_) => {
                ProblemType::internal_error(Kind::Cassette, "the cassette cannot be used")
            }
            Self::RequestBodyTooLarge { .. } => ProblemType::limit(
                StatusCode::PAYLOAD_TOO_LARGE,
                "the request body is too large",
            ),
            Self::Undecodable(_) => ProblemType::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                Kind::Coding,
                "the request body cannot be decoded",
            ),
            Self::Downstream(_) | Self::InvalidMessage(_) => {
                ProblemType::bad_request(Kind::Request, "the request is invalid")
            }
            Self::AdminForbidden(_) => ProblemType::new(
                StatusCode::FORBIDDEN,
                Kind::Forbidden,
                "the page is only for this machine",
            ),
            Self::PageMethod(_) => ProblemType::new(
                StatusCode::METHOD_NOT_ALLOWED,
                Kind::Page,
                "the page does not have this method",
            ),
            Self::UnknownPage { .. } => ProblemType::not_found(Kind::Page, NO_PAGE),
            Self::Rejected(rejection) => ProblemType::rejected(rejection),
            Self::ConnectNotSupported => ProblemType::new(
                StatusCode::METHOD_NOT_ALLOWED,
                Kind::Request,
                "CONNECT is not supported",
            ),
            Self::Misdirected { .. } => ProblemType::misdirected(),
            Self::TooManyRequests(_) => {
                ProblemType::unavailable(Kind::Limit, "too many concurrent requests")
            }
            Self::MemoryLimit => ProblemType::unavailable(Kind::Limit, "memory limit reached"),
            Self::TooManyStreams => {
                ProblemType::unavailable(Kind::Limit, "too many concurrent streams")
            }
            Self::WebSocketHandshake(_) => {
                ProblemType::bad_request(Kind::Handshake, "the handshake is invalid")
            }
            Self::NoEndpoint(_) | Self::NoUpstream(_) => {
                ProblemType::unavailable(Kind::Endpoint, "the endpoint cannot be used")
            }
            Self::Stopping => ProblemType::unavailable(Kind::Stopping, "the gateway stops"),
            Self::Internal(_) => ProblemType::internal_error(Kind::Gateway, "internal error"),
        }
    }

    /// The kind of the error.
    pub(crate) fn kind(&self) -> ErrorKind {
        self.problem_type().kind
    }
}
