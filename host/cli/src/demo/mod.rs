//! `demo`: records a built-in origin server, stops it, replays everything, and replaces a plugin
//! meanwhile.

mod body;
mod cases;
mod client;
mod conversation;
mod conversations;
mod grpc;
mod origin;
mod report;
mod run;
mod streaming_origin;
mod websocket_client;

pub(super) use run::demo;
