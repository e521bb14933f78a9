//! The test suite of the gateway: one binary, so that wasmtime is linked once.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests fail by panicking, and stand for the programs around the gateway"
)]

/// Helpers: an origin, a gateway, clients, plugins and the program.
mod support;

/// The access log.
mod access_log;
/// The authority of requests, and requests for other servers.
mod authority;
/// Commands for plugin authors.
mod authors;
/// Backpressure in both directions.
mod backpressure;
/// Invalid configurations and cassettes are reported, and no recording is lost.
mod bad_input;
/// Upstream failures, recorded and replayed.
mod chaos;
/// The program as users run it.
mod cli;
/// The compilation of plugins.
mod compilation;
/// Components that were compiled with the frozen contract.
mod contract;
/// The cost of one request is linear in its size.
mod cost;
/// Recordings after crashes, on full disks and with several gateways.
mod crash;
/// Cassettes that are damaged, edited, converted or linked.
mod damage;
/// Cassettes that are edited while the gateway runs.
mod edited;
/// The gateway's own errors in the formats of client libraries.
mod error_formats;
/// Inputs of the fuzz targets.
mod fuzz;
/// gRPC calls, recorded and replayed.
mod grpc;
/// The help of every command and the usage errors.
mod help;
/// HTTP/1.1: early errors, half-closed clients, repaired responses.
mod http1;
/// HTTP/2 on both sides, with and without TLS.
mod http2;
/// Secrets that match by their identity.
mod identities;
/// Interim responses and `expect: 100-continue`.
mod interim;
/// Tests that reach every limit.
mod limits;
/// Logins that belong to a connection.
mod logins;
/// Log lines of connections.
mod logs;
/// Snapshots of messages for users.
mod messages;
/// Values that clients make up.
mod minted;
/// Miss reports: the differences and the settings that ignore them.
mod miss;
/// The modes record, replay, auto and passthrough.
mod modes;
/// Requests that differ from the recorded ones in one part.
mod mutations;
/// Session names and planted files stay within the cassette folder.
mod names;
/// The pages under `/__ouli/`.
mod own_pages;
/// Plugins of every role.
mod plugins;
/// Requests go to the configured upstream only.
mod proxy;
/// Record and replay of single exchanges.
mod record_replay;
/// Secrets are not written to disk.
mod redaction;
/// Reloads of configuration and plugins under traffic.
mod reload;
/// Cassettes that are removed during a recording.
mod removed;
/// Repeated requests, in every mode.
mod repeats;
/// Marks and the health page.
mod runs;
/// Headers that select a response.
mod selection;
/// Sessions that open, close and are used again.
mod session_lifetime;
/// Names of sessions, and the paths that are the gateway's own.
mod session_names;
/// Session selection and isolation.
mod sessions;
mod settings;
/// Shutdown, reload and socket handover without lost requests.
mod shutdown;
/// Client, gateway and origin on a simulated faulty network.
mod simulation;
/// Request and response smuggling.
mod smuggling;
/// FIFOs, devices and folders in the place of files.
mod special_files;
/// The order of exchanges is that of their requests.
mod start_order;
/// Event streams and other bodies that arrive in chunks.
mod streams;
/// Text from outside on terminals and in logs.
mod terminal;
/// Style rules of the source.
mod tidy;
/// Certificates of both sides, and TLS spoken to a port without it.
mod tls;
/// Trailer fields, announced or not.
mod trailers;
/// Standard error and standard output that nobody reads.
mod unread_output;
/// Cassettes with what cannot be sent.
mod unsendable;
/// Upgrades to protocols other than WebSocket.
mod upgrades;
/// Responses that a header of the request selected.
mod variants;
/// The verdict and the exit status.
mod verdict;
/// WebSockets: protocol rules, recording and replay.
mod websocket;
mod withheld;
