//! Why an exchange has no response from an upstream or a cassette.

use tracing::Level;

use crate::session::SessionError;
use ouli_matching::miss::Miss;
use ouli_message::FailureCause;
use ouli_net::http::validation::InvalidMessage;
use ouli_net::server::Rejection;
use ouli_net::upstream::UpstreamError;
use ouli_plugin::PluginFailure;

/// What begins a text that a client library shows.
pub(super) const MESSAGE_PREFIX: &str = "ouli-gateway: ";

/// Why an exchange has no response from an upstream or a cassette.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// No recorded exchange matches the request.
    #[error("{}", .0.to_text())]
    Miss(Box<Miss>),
    /// The upstream sent no valid response.
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
    /// The upstream sent no response when the exchange was recorded.
    #[error("the upstream sent no response when this was recorded: {0}")]
    RecordedFailure(FailureCause),
    /// A plugin failed.
    #[error(transparent)]
    Plugin(#[from] PluginFailure),
    /// The name of the session is invalid.
    #[error("{0}")]
    Session(String),
    /// No session of this name is known.
    #[error(
        "no session {0:?} is known: it had no request yet, or was closed and forgotten \
         (limits.closed_session_memory)"
    )]
    NoSession(String),
    /// There are too many sessions.
    #[error("more than {max} sessions (limits.sessions)")]
    TooManySessions {
        /// The limit.
        max: usize,
    },
    /// The cassette cannot be used.
    #[error("{0}")]
    Cassette(String),
    /// A recorded body or message cannot be read: which one, and why.
    #[error(
        "a recorded body cannot be read: {0}; restore it from version control, or record the \
         session again"
    )]
    StoredBody(String),
    /// The exchanges of the session do not fit in the memory.
    #[error("{0}")]
    IndexMemory(String),
    /// The request body is too large to be buffered.
    #[error("the request body is larger than {max} bytes (limits.request_body)")]
    RequestBodyTooLarge {
        /// The limit in bytes.
        max: usize,
    },
    /// The request body exceeds the limits of decoding, or a message of a call is not valid.
    #[error("the request body cannot be decoded: {0}")]
    Undecodable(String),
    /// The client sent an invalid request, or closed its connection.
    #[error("the request is invalid: {0}")]
    Downstream(String),
    /// Two servers could read the request in different ways.
    #[error("the request is rejected because servers could interpret it differently: {0}")]
    InvalidMessage(#[from] InvalidMessage),
    /// A limit of the server rejects the request.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// The client asks for a tunnel.
    #[error("CONNECT is not supported: this is a reverse proxy; send requests to its address")]
    ConnectNotSupported,
    /// The target names another server.
    #[error(
        "the request is for {server}, but the endpoint {endpoint} answers for {upstream} alone: it \
         is a reverse proxy. Send the request to the address of the gateway with a path as its \
         target, without a proxy setting as HTTP_PROXY, or add an endpoint with this upstream"
    )]
    Misdirected {
        /// Scheme, host and port of the target.
        server: String,
        /// Name of the endpoint.
        endpoint: String,
        /// URL of its upstream, or the upstreams that the session was recorded from.
        upstream: String,
    },
    /// Too many concurrent requests, in all or to one upstream; the setting says which.
    #[error("too many concurrent requests (limits.{0})")]
    TooManyRequests(&'static str),
    /// The memory limit is reached.
    #[error("memory limit reached (limits.memory)")]
    MemoryLimit,
    /// Too many concurrent streams.
    #[error("too many concurrent WebSockets and other streams (limits.streams)")]
    TooManyStreams,
    /// The WebSocket handshake is invalid.
    #[error("the WebSocket handshake is invalid: {0}")]
    WebSocketHandshake(String),
    /// The request may not see the gateway's own pages, for this reason.
    #[error("the gateway's own pages are only for this machine; the request is rejected: {0}")]
    AdminForbidden(&'static str),
    /// The page does not have the method of the request.
    #[error("this page of the gateway answers {0} alone")]
    PageMethod(&'static str),
    /// The path is the gateway's, and it has no such page.
    #[error(
        "the gateway has no such page; its pages are GET /__ouli/healthz, GET /__ouli/plugins, \
         GET /__ouli/sessions/NAME and POST /__ouli/sessions/NAME/mark; a request PATH in the \
         session NAME is /__ouli/session/NAME/PATH"
    )]
    UnknownPage {
        /// The path begins as that of a request in a session, so a test may have sent it.
        in_session: bool,
    },
    /// A reload removed the endpoint.
    #[error("the endpoint {0} is no longer configured")]
    NoEndpoint(String),
    /// The endpoint has no upstream.
    #[error("the endpoint {0} has no upstream; add `upstream = \"https://...\"` to it")]
    NoUpstream(String),
    /// The gateway is shutting down and the drain timeout has passed.
    #[error("the gateway stops")]
    Stopping,
    /// The gateway itself failed.
    #[error("internal error: {0}")]
    Internal(String),
}

impl From<SessionError> for ExchangeError {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::InvalidName(reason) => Self::Session(reason),
            SessionError::TooMany(max) => Self::TooManySessions { max },
            SessionError::IndexMemory(_) => Self::IndexMemory(error.to_string()),
            SessionError::Cassette(reason) => Self::Cassette(reason),
        }
    }
}

impl ExchangeError {
    /// The first sentence, without a full stop.
    pub(super) fn summary(&self) -> String {
        match self {
            Self::Miss(miss) => miss.summary(),
            other => other
                .to_string()
                .lines()
                .next()
                .unwrap_or_default()
                .to_owned(),
        }
    }

    /// The whole text, for a client that shows nothing else. It says whose text it is: an exception
    /// of a client library names the API only.
    pub(super) fn message(&self) -> String {
        format!("{MESSAGE_PREFIX}{}", self.detail())
    }

    /// The whole text on one line.
    pub(super) fn detail(&self) -> String {
        match self {
            Self::Miss(miss) => miss.detail(),
            other => other.to_string().replace('\n', " "),
        }
    }

    /// The failure of the upstream; none where the upstream did not fail.
    pub(crate) fn failure_cause(&self) -> Option<FailureCause> {
        match self {
            Self::Upstream(error) => Some(error.cause()),
            _ => None,
        }
    }

    /// Writes it to the log.
    pub(super) fn log(&self) {
        match self.log_level() {
            Level::ERROR => tracing::error!("{self}"),
            Level::WARN => tracing::warn!("{self}"),
            _ => tracing::debug!("{self}"),
        }
    }

    /// True if the filter of the log lets it pass.
    pub(super) fn is_logged(&self) -> bool {
        match self.log_level() {
            Level::ERROR => tracing::enabled!(Level::ERROR),
            Level::WARN => tracing::enabled!(Level::WARN),
            _ => tracing::enabled!(Level::DEBUG),
        }
    }

    /// Errors of the client are logged at `debug` only.
    fn log_level(&self) -> Level {
        match self {
            Self::Plugin(_)
            | Self::Cassette(_)
            | Self::StoredBody(_)
            | Self::IndexMemory(_)
            | Self::Internal(_) => Level::ERROR,
            Self::Miss(_)
            | Self::Upstream(_)
            | Self::TooManyRequests(_)
            | Self::MemoryLimit
            | Self::TooManyStreams
            | Self::TooManySessions { .. }
            | Self::NoUpstream(_) => Level::WARN,
            Self::Session(_)
            | Self::NoSession(_)
            | Self::RequestBodyTooLarge { .. }
            | Self::Undecodable(_)
            | Self::Downstream(_)
            | Self::InvalidMessage(_)
            | Self::WebSocketHandshake(_)
            | Self::ConnectNotSupported
            | Self::Misdirected { .. }
            | Self::Rejected(_)
            | Self::Stopping
            | Self::AdminForbidden(_)
            | Self::PageMethod(_)
            | Self::UnknownPage { .. }
            | Self::RecordedFailure(_)
            | Self::NoEndpoint(_) => Level::DEBUG,
        }
    }
}
