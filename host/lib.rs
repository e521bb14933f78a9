//! The gateway as a library: what a Rust program needs to run one in its own process.

#![forbid(unsafe_code)]

pub use ouli_cli as cli;
