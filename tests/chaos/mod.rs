//! Upstream failures, as clients, recordings and replays see them.

mod body;
mod calls;
mod certificates;
mod failures;
mod head;
mod http2;
mod malformed_http2;
mod peers;
mod pool;
mod secrets;
mod silence;
