//! Replay: recorded responses sent to clients, with their recorded timing if asked.

pub(crate) mod answer;
pub(crate) mod shutdown_watch;
pub(crate) mod timed_body;
