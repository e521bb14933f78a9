//! Bounds of what lasts: WebSockets, event streams, calls of gRPC.

use crate::limit::{GIB, KIB, Limit, LimitField, bytes, count, time};

/// In the order in which they are listed.
#[rustfmt::skip]
pub(super) const ROWS: &[Limit] = &[
    count("streams", 1..=1_000_000, LimitField::Size(|l| &mut l.streams),
        "WebSockets, event streams and calls of gRPC at once; one more WebSocket gets 503",
        "twice the connections: those of HTTP/2 carry several"),
    time("stream_idle_timeout", LimitField::Time(|l| &mut l.stream_idle_timeout),
        "a WebSocket or an upstream's events without a byte, or a replayed stream nobody ends",
        "Envoy, stream_idle_timeout: 300 s"),
    bytes("websocket_message", KIB..=GIB, LimitField::Size(|l| &mut l.websocket_message),
        "a client's message at replay, decompressed; a larger one gets close code 1009",
        "tungstenite has 64 MiB; Envoy and nginx do not look"),
    time("websocket_close_timeout", LimitField::Time(|l| &mut l.websocket_close_timeout),
        "from the end of one side of a WebSocket to that of the other",
        "RFC 6455, section 7.1.1"),
    bytes("grpc_message", KIB..=GIB, LimitField::Size(|l| &mut l.grpc_message),
        "a client's message of gRPC at replay; a larger one ends the call",
        "gRPC itself takes 4 MiB by default"),
];
