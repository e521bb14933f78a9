//! The test suite of the gateway: one binary, so that wasmtime is linked once.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests fail by panicking, and stand for the programs around the gateway"
)]

/// What the tests stand on: an origin, a gateway, clients, plugins and the program.
mod support;

/// One line for each exchange.
mod access_log;
/// The commands for authors of plugins.
mod authors;
/// Who is slow slows the other side down.
mod backpressure;
/// What is wrong with files is told, and nothing recorded before is lost.
mod bad_input;
/// Upstreams that fail in every way, while recording and at replay.
mod chaos;
/// The program as users run it.
mod cli;
/// What was compiled against a frozen contract keeps working.
mod contract;
/// What was recorded outlasts crashes, full disks and other gateways.
mod crash;
/// Inputs that the fuzzer keeps.
mod fuzz;
/// Calls of gRPC, recorded and replayed.
mod grpc;
/// The help of every command, and the usage errors.
mod help;
/// HTTP/2 on both sides, with and without TLS.
mod http2;
/// Every limit is reached, and answered as documented.
mod limits;
/// What the logs say about a connection.
mod logs;
/// Why a request has no answer, and what would give it one.
mod miss;
/// What record, replay, auto and passthrough do and leave alone.
mod modes;
/// Names and planted files lead nowhere.
mod names;
/// Plugins of every role, good and bad.
mod plugins;
/// Nobody is asked but the upstream.
mod proxy;
/// What is recorded is what was there, and what is replayed is what was recorded.
mod record_replay;
/// No secret reaches the disk.
mod redaction;
/// Files change while traffic flows.
mod reload;
/// How requests choose a session, and what a session keeps apart.
mod sessions;
/// The gateway stops, reloads and hands over without the loss of a request.
mod shutdown;
/// Client, gateway and origin on a network that breaks.
mod simulation;
/// What two servers could read in two ways.
mod smuggling;
/// Event streams and other bodies that come piece by piece.
mod streams;
/// The rules of the house, kept by looking at the source.
mod tidy;
/// WebSockets, by the rules of their protocol and as they were recorded.
mod websocket;
