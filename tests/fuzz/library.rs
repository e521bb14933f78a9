//! The parts of the library that read bytes of others, and nothing else of it: without the runtime
//! of plugins they compile in a minute, and with marks for the fuzzer.
#![allow(
    dead_code,
    unreachable_pub,
    unused,
    reason = "the rest of the library uses them"
)]

#[path = "../../host/cassette/mod.rs"]
pub mod cassette;
#[path = "../../host/config/mod.rs"]
pub mod config;
#[path = "../../host/exchange/mod.rs"]
pub mod exchange;
#[path = "../../host/fault.rs"]
pub mod fault;
