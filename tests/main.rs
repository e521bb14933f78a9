//! The test suite of the gateway: one binary, so that wasmtime is linked once.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests fail by panicking, and stand for the programs around the gateway"
)]

/// Helpers: an origin, a gateway, clients, plugins and the program.
mod support;

/// One line for each exchange.
mod access_log;
/// The commands for authors of plugins.
mod authors;
/// Backpressure in both directions.
mod backpressure;
/// Invalid configurations and cassettes are reported, and no recording is lost.
mod bad_input;
/// Upstream failures, recorded and replayed.
mod chaos;
/// The program as users run it.
mod cli;
/// Components compiled against the frozen contract keep working.
mod contract;
/// Recordings survive crashes, full disks and other gateways.
mod crash;
/// Cassettes that are damaged, edited, converted or linked.
mod damage;
/// Cassettes that are edited under a running gateway.
mod edited;
/// The gateway's own errors, as each client library shows them.
mod error_formats;
/// Regressions that fuzzing found.
mod fuzz;
/// Calls of gRPC, recorded and replayed.
mod grpc;
/// The help of every command, and the usage errors.
mod help;
/// HTTP/1.1: early errors, half-closed clients, repaired responses.
mod http1;
/// HTTP/2 on both sides, with and without TLS.
mod http2;
/// Interim responses and `expect: 100-continue`.
mod interim;
/// Every limit is reached and answered as documented.
mod limits;
/// Logins that belong to a connection.
mod logins;
/// What the logs say about a connection.
mod logs;
/// Snapshots of the texts that people read.
mod messages;
/// Miss reports: the differences and the settings that ignore them.
mod miss;
/// What record, replay, auto and passthrough do.
mod modes;
/// Session names and planted files stay within the cassette folder.
mod names;
/// Plugins of every role.
mod plugins;
/// Requests go to the configured upstream only.
mod proxy;
/// Recordings are faithful, and so are replays.
mod record_replay;
/// No secret reaches the disk.
mod redaction;
/// Reloads of configuration and plugins under traffic.
mod reload;
/// Marks and the health page.
mod runs;
/// Sessions that open, close and are used again.
mod session_lifetime;
/// Names of sessions, and the paths that are the gateway's own.
mod session_names;
/// Session selection and isolation.
mod sessions;
/// Shutdown, reload and socket handover lose no request.
mod shutdown;
/// Client, gateway and origin on a simulated faulty network.
mod simulation;
/// Request and response smuggling.
mod smuggling;
/// Event streams and other bodies that arrive in chunks.
mod streams;
/// Style rules, checked on the source.
mod tidy;
/// Trailer fields, announced or not.
mod trailers;
/// Upgrades to protocols other than WebSocket.
mod upgrades;
/// WebSockets: protocol rules, recording and replay.
mod websocket;
