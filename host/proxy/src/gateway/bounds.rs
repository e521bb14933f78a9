//! From `[limits]` to the limits of the server and the upstream client.

use ouli_config::Limits;
use ouli_net::server::{self, ConnectionLimits};
use ouli_net::upstream;

/// How many connections all listeners may have.
pub fn connection_limits(limits: &Limits) -> ConnectionLimits {
    ConnectionLimits {
        total: limits.connections,
        per_source: limits.connections_per_source,
        per_loopback: limits.connections_per_loopback,
    }
}

/// The limits of a listener and its connections.
pub fn server_bounds(limits: &Limits) -> server::Bounds {
    server::Bounds {
        backlog: limits.backlog,
        accept_queue_timeout: limits.accept_queue_timeout,
        rejected_connections: limits.rejected_connections,
        max_requests_per_connection: limits.max_requests_per_connection,
        max_connection_age: limits.max_connection_age,
        uri_bytes: limits.uri_bytes,
        header_bytes: limits.header_bytes,
        header_count: limits.header_count,
        request_header_timeout: limits.request_header_timeout,
        half_close_timeout: limits.half_close_timeout,
        tcp_notsent_lowat: limits.tcp_notsent_lowat,
        idle_timeout: limits.idle_timeout,
        keepalive_drain_timeout: limits.keepalive_drain_timeout,
        requests_per_source: limits.requests_per_source,
        requests_per_loopback: limits.requests_per_loopback,
        request_body_min_rate: limits.request_body_min_rate,
        request_body_grace: limits.request_body_grace,
        request_body_contended_grace: limits.request_body_contended_grace,
        request_body_idle_timeout: limits.request_body_idle_timeout,
        request_timeout: limits.request_timeout,
        response_send_timeout: limits.response_send_timeout,
        tls_handshake_timeout: limits.tls_handshake_timeout,
        http2_max_concurrent_streams: limits.http2_max_concurrent_streams,
        http2_stream_window: limits.http2_stream_window,
        http2_connection_window: limits.http2_connection_window,
        http2_max_header_list_size: limits.http2_max_header_list_size,
        http2_header_table_size: limits.http2_header_table_size,
        http2_header_count: limits.http2_header_count,
        http2_max_frame_size: limits.http2_max_frame_size,
        http2_send_buffer: limits.http2_send_buffer,
        http2_max_pending_resets: limits.http2_max_pending_resets,
        http2_max_local_resets: limits.http2_max_local_resets,
        http2_max_client_resets: limits.http2_max_client_resets,
        http2_max_control_frames: limits.http2_max_control_frames,
        http2_ping_interval: limits.http2_ping_interval,
        http2_ping_timeout: limits.http2_ping_timeout,
    }
}

/// The limits of an upstream client.
pub fn upstream_bounds(limits: &Limits) -> upstream::Bounds {
    upstream::Bounds {
        connect_timeout: limits.connect_timeout,
        tls_handshake_timeout: limits.tls_handshake_timeout,
        response_header_timeout: limits.response_header_timeout,
        continue_timeout: limits.continue_timeout,
        interim_responses: limits.interim_responses,
        idle_timeout: limits.upstream_idle_timeout,
        idle_connections: limits.upstream_idle_connections,
        header_bytes: limits.upstream_header_bytes,
        header_count: limits.upstream_header_count,
        body_idle_timeout: limits.upstream_body_idle_timeout,
        stream_window: limits.upstream_stream_window,
        connection_window: limits.upstream_connection_window,
        retry_buffer: limits.upstream_retry_buffer,
        send_buffer: limits.upstream_send_buffer,
        tunnel_window: limits.http2_stream_window,
        max_concurrent_requests: limits.upstream_max_concurrent_requests,
        max_pending_requests: limits.max_pending_requests,
        pending_request_timeout: limits.pending_request_timeout,
    }
}
