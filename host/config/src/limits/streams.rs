//! Limits on streams: WebSockets, event streams, gRPC calls.

/// Adds this group to the table of `define_limits!`, then calls the next macro.
macro_rules! stream_limits {
    ($next:ident $($then:ident)* { $($groups:tt)* }) => {
        $next! { $($then)* { $($groups)*

"streams" {
    /// Open WebSockets, other upgraded connections, event streams and gRPC calls over HTTP/2. A
    /// further WebSocket, upgrade or call gets 503; further event streams count against
    /// `max_concurrent_requests`.
    streams: usize = 8192, Count(1..=1_000_000),
        "twice `connections`: an HTTP/2 connection carries several";
    /// Time without a byte on a WebSocket, another upgraded connection, an upstream event stream or
    /// a replayed stream that is held open; then it is ended.
    stream_idle_timeout: Duration = 300 * SECOND, Time(MS..=DAY),
        "Envoy, stream_idle_timeout: 300 s";
    /// Decompressed size of a client message on a replayed WebSocket. A larger one gets close code
    /// 1009.
    websocket_message: usize = 16 * MIB, Bytes(KIB..=GIB),
        "tungstenite: 64 MiB; Envoy and nginx have no such limit";
    /// Time between the close frame of one side of a WebSocket and the end of the other; then both
    /// connections are closed.
    websocket_close_timeout: Duration = 5 * SECOND, Time(MS..=DAY),
        "time for the closing handshake (RFC 6455, section 7.1.1)";
    /// Decompressed size of a client message in a replayed gRPC call. A larger one ends the call
    /// with an error status.
    grpc_message: usize = 16 * MIB, Bytes(KIB..=GIB),
        "gRPC: 4 MiB by default";
}

        } }
    };
}

pub(super) use stream_limits;
