//! The server: accepts connections, speaks HTTP/1.1 and HTTP/2, and drains. It serves any
//! [`HttpService`].

mod accept_loop;
mod activity;
mod body_error;
mod bounds;
mod connection;
mod connection_limiter;
mod context;
mod dispatch;
mod error;
mod expected_body;
mod frames;
mod half_close;
mod head_error;
mod head_limits;
mod http1;
mod http1_body;
mod http1_validator;
mod http2;
mod idle;
mod inspected_io;
mod interim;
mod listener;
mod own_output;
mod reject;
mod request_body;
mod request_guard;
mod request_line;
mod reset_on_close;
mod response_body;
mod service;
mod socket;
mod stop_accepting;
mod trailer_slot;

pub use accept_loop::{ListenerConfig, serve, serve_listener};
pub use bounds::Bounds;
pub use connection_limiter::{ConnectionLimiter, ConnectionLimits, SharedConnectionLimiter};
pub use error::{ListenError, Rejection};
pub use interim::InterimSender;
pub use listener::BoundListener;
pub use request_body::{IncomingBody, IncomingBodyError};
pub use request_guard::RequestGuard;
pub use service::HttpService;
pub use socket::{Listener, Socket};
pub use stop_accepting::stop_accepting;
