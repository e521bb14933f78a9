//! Tests with software that others wrote: httpbin as the upstream; curl, httpx and Node's fetch
//! as clients; boto3 before moto; grpcio and tonic as both; and programs that hold conversations
//! with each other. They need Python, Node and Chromium, so they run only where asked: `.ci/run`
//! installs what they take and runs them.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

/// Where the programs are that the tests run.
mod tools;

/// Upstreams, and the gateway.
mod process;

/// What all clients send.
mod requests;
/// What of that is secret.
mod secrets;

/// What sends it: curl, and scripts for the clients that are libraries.
mod client;
mod curl;
mod script;

/// What the same responses are.
mod compare;
/// What a run left behind.
mod files;

/// What was seen while recording is seen again without the upstream.
mod replay;
/// The same in many sessions at once.
mod sessions;

/// The same for streams and conversations.
mod streams;

/// Content codings.
mod codings;
/// Answers that no client waits for, or that wait for no request.
mod early;

/// Calls of gRPC.
mod grpc;

/// What client libraries print of an error.
mod sdks;

/// Doubtful requests, before servers that others wrote.
mod smuggling;

/// Guests that were compiled when the contract was frozen.
mod contract;

/// What the suite stands on, as far as it is needed here.
#[path = "../support/mod.rs"]
#[expect(
    dead_code,
    unused_imports,
    clippy::disallowed_methods,
    reason = "it is made for the suite, and stands for the programs around the gateway"
)]
mod support;

/// What was recorded outlasts kills and faults at chosen calls of the system.
mod crash;
