//! Tests with third-party software: httpbin as the upstream; curl, httpx and Node's fetch as
//! clients; boto3 with moto; grpcio and tonic as both; and programs that exchange streams. They
//! need Python, Node and Chromium, so they are ignored by default; `.ci/run` installs what they
//! need and runs them.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

/// Paths of the programs that the tests run.
mod tools;

/// Upstreams and the gateway.
mod process;

/// The requests of all clients.
mod requests;
/// The secrets in the requests.
mod secrets;

/// The clients: curl, and scripts for client libraries.
mod client;
mod curl;
mod script;

/// Compares recorded and replayed responses.
mod compare;
/// The files that a run wrote.
mod files;

/// Record and replay without the upstream.
mod replay;
/// Record and replay in many concurrent sessions.
mod sessions;

/// Record and replay of streams and conversations.
mod streams;

/// Invocations of curl: direct, recorded and replayed. REDbot.
mod matrix;

/// Content codings.
mod codings;
/// Responses that are not read, and responses before the end of the request.
mod early;

/// Connections to upstreams.
mod pool;

/// gRPC calls.
mod grpc;

/// Error messages of client libraries.
mod sdks;

/// Ambiguous requests to third-party servers.
mod smuggling;

/// Certificates of openssl, between curl, nginx and Node.
mod tls;

/// What authors of plugins see of their output and errors.
mod authors;
/// Guests that were compiled when the contract was frozen.
mod contract;

/// These tests use only a part of the helpers of the suite.
#[path = "../support/mod.rs"]
#[expect(
    dead_code,
    unused_imports,
    clippy::disallowed_methods,
    reason = "the helpers are those of the suite, and they run programs other than the gateway"
)]
mod support;

/// Recordings after kills and faults at selected system calls.
mod crash;
