//! Upstreams that fail in every way, and what clients, recordings and replays see of it.

mod body;
mod calls;
mod certificates;
mod failures;
mod head;
mod http2;
mod peers;
mod pool;
mod secrets;
mod silence;
