//! The environment of one guest: the data of its store, its WASI, its time, memory and log.

pub(crate) mod call_output;
pub(crate) mod cpu_timer;
pub(crate) mod log;
pub(crate) mod no_network;
mod output_lines;
pub(crate) mod output_tail;
pub(crate) mod resource_limiter;
pub(crate) mod state;
pub(crate) mod wasi;
pub(crate) mod wasi_context;
