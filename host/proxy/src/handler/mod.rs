//! Handles one request from its head to the end of its response: chooses the session, and records,
//! replays or forwards by the mode of the endpoint.

mod accept;
mod access_log;
mod admin_pages;
pub(crate) mod body_buffer;
mod body_workers;
pub(crate) mod buffered_body;
mod dispatch;
mod endpoint;
mod error;
mod error_body;
pub(crate) mod error_format;
mod error_outcome;
mod error_response;
pub(crate) mod grpc_status;
mod logged_target;
mod own_response;
mod problem_type;
mod request_body;
mod request_context;
mod request_handler;
mod request_limiter;
mod request_trace;
mod response_body;
mod route;
mod session_pages;
mod session_selection;
mod shared_state;
mod snapshot;
mod target_authority;

pub use admin_pages::PLUGIN_STATUS_PATH;
pub use body_workers::BodyWorkers;
pub use endpoint::Endpoint;
pub use error::ExchangeError;
pub use request_handler::RequestHandler;
pub use request_limiter::RequestLimiter;
pub use response_body::OutgoingBody;
pub use route::Route;
pub use shared_state::{PageRenderer, SharedState};
pub use snapshot::Snapshot;

pub(crate) use access_log::AccessOutcome;
pub(crate) use request_body::RequestBody;
pub(crate) use request_context::RequestContext;
pub(crate) use request_limiter::RequestPermit;
pub(crate) use request_trace::RequestTrace;
pub(crate) use shared_state::StreamPermit;
