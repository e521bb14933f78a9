//! The command line. No other crate prints.

#![forbid(unsafe_code)]
mod args;
mod ca;
mod cassette;
mod check;
mod compiler;
mod demo;
mod descriptors;
mod dispatch;
mod environment;
mod exit_status;
mod log_fields;
mod output;
mod output_queue;
mod output_writer;
mod plugin;
mod sd_notify;
mod serve;
mod signals;
mod telemetry;

pub use dispatch::run;
