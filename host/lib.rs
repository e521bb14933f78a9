//! ouli-gateway: records the traffic between a program and its servers with every secret taken out,
//! and replays it.
//!
//! Layers, from the bottom; a module uses those above it in this list and none below:
//!
//! ```text
//! 0  exchange · fault       what happened: pure values and rules
//! 1  config · drain · reading · tls   what the user asked; who must finish before a stop; a buffer
//!                           of the thread; certificates
//! 2  server · upstream · cassette · plugin     the doors: sockets in, sockets out, disk, wasm
//! 3  session                one name's recordings: where they stand and how they went
//! 4  mode                   record, replay, auto, passthrough: joins the doors for one exchange
//! 5  gateway                puts it together, reloads it, takes it down
//! 6  cli · demo             what the user typed
//! ```

#![forbid(unsafe_code)]

pub mod exchange;
pub mod fault;

pub mod config;
pub mod drain;
pub mod reading;
pub mod tls;

pub mod cassette;
pub mod plugin;
pub mod server;
pub mod upstream;

pub mod session;

pub mod mode;

pub mod gateway;

pub mod cli;
pub mod demo;
