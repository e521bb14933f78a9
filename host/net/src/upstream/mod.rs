//! The upstream client: a connection pool for each upstream, with a time limit on every phase.

mod body_end;
mod body_timeout;
mod bounds;
mod client;
mod connector;
mod continue_gate;
mod diagnosis;
mod dial;
mod early_close;
mod error;
mod happy_eyeballs;
mod interim_responses;
mod own_connection;
mod own_listeners;
mod pool;
mod pooled_request;
mod remedy;
mod request_body;
mod resend;
mod resendable_body;
mod slow_start;
mod stream_permit;
mod tasks;
mod tls_record;
mod tunnel;

pub use body_timeout::{Body, UpstreamBody};
pub use bounds::Bounds;
pub use client::RefusedBody;
pub use client::UpstreamClient;
pub use diagnosis::classify_body_error;
pub use dial::{Dial, DialError, DialFuture, Socket, TcpDialer};
pub use error::{BodyError, UpstreamError};
pub use interim_responses::OnInterim;
pub use own_connection::{Http1Outcome, PinnedConnection};
pub use own_listeners::OwnListeners;
pub use tunnel::{TunnelConnection, TunnelMethod};
