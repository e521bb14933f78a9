//! Limits on clients: connections, request heads and bodies, HTTP/2, shutdown.

/// Adds this group to the table of `define_limits!`, then calls the next macro.
macro_rules! client_limits {
    ($next:ident $($then:ident)* { $($groups:tt)* }) => {
        $next! { $($then)* { $($groups)*

"clients" {
    /// Open client connections, all endpoints together. Further ones wait `accept_queue_timeout`,
    /// then get 503 (HTTP/1.1) or GOAWAY (HTTP/2); with TLS they are closed.
    connections: usize = 4096, Count(1..=1_000_000),
        "one process, two descriptors per connection";
    /// Open connections of one IPv4 address or one IPv6 /64 network. Further ones get 503 or
    /// GOAWAY at once; with TLS they are closed.
    connections_per_source: usize = 512, Count(1..=1_000_000),
        "an eighth of `connections`, so that one machine cannot use up all of them";
    /// Open connections of one loopback address. Further ones get 503 or GOAWAY at once; with TLS
    /// they are closed.
    connections_per_loopback: usize = 1_000_000, Count(1..=1_000_000),
        "exceeds `connections`, since programs under test run on this machine";
    /// Time that new connections wait for one of `connections`; then they are rejected.
    accept_queue_timeout: Duration = SECOND, Time(MS..=DAY),
        "equals the Retry-After of the 503 response";
    /// Rejected connections that are being sent 503 or GOAWAY, per listener and thread. Further
    /// ones are closed without a response.
    rejected_connections: usize = 64, Count(0..=10_000),
        "most clients read the response within milliseconds; each connection takes a descriptor";
    /// Requests on one client connection. The last response carries `connection: close` (HTTP/1.1)
    /// or is followed by GOAWAY (HTTP/2).
    max_requests_per_connection: usize = 1_000_000, Count(1..=1_000_000_000),
        "nginx closes after 1,000 to free the connection's memory; here it does not grow";
    /// Age of a client connection after which its next request is the last one.
    max_connection_age: Duration = HOUR, Time(MS..=DAY),
        "nginx, keepalive_time: 1 h";
    /// Connections of one listener that the kernel queues until they are accepted (listen(2)).
    backlog: u32 = 4096, Count(1..=65_535),
        "Linux, net.core.somaxconn: 4096; a burst of connections loses no SYN";
    /// Requests in progress, all connections together. Further ones wait
    /// `pending_request_timeout`, then get 503.
    max_concurrent_requests: usize = 1024, Count(1..=1_000_000),
        "a quarter of `connections`; more requests in parallel only compete for the CPU";
    /// Size of an HTTP/1.1 request head. A larger one gets 431.
    header_bytes: usize = 32 * KIB, Bytes(8 * KIB..=MIB),
        "nginx: four buffers of 8 KiB; HAProxy: 16 KiB";
    /// Header fields of an HTTP/1.1 request. A request with more gets 431.
    header_count: usize = 100, Count(1..=10_000),
        "Envoy and hyper: 100 (RFC 9110, section 5.4)";
    /// Length of the request target (path and query). A longer one gets 414.
    uri_bytes: usize = 8 * KIB, Bytes(64..=64 * KIB),
        "RFC 9110, section 4.1: at least 8,000; nginx: 8 KiB";
    /// Time from the first byte of a request to the end of its head; then it gets 408.
    request_header_timeout: Duration = 10 * SECOND, Time(MS..=DAY),
        "stops clients that send a head slowly; nginx: 60 s, a program under test needs less";
    /// Time that a request waits for its response after its HTTP/1.1 client has ended its stream
    /// (shutdown(2)); then the client counts as gone.
    half_close_timeout: Duration = SECOND, Time(MS..=DAY),
        "a client that leaves looks the same; HAProxy, timeout client-fin";
    /// Time without a request on a client connection; then it is closed.
    idle_timeout: Duration = MINUTE, Time(MS..=DAY),
        "nginx: 75 s; Pingora: 60 s";
    /// Requests and streams in progress of one IPv4 address or one IPv6 /64 network. Further ones
    /// get 503 at once.
    requests_per_source: usize = 512, Count(1..=1_000_000),
        "half of `max_concurrent_requests`, so that one machine cannot use up all of them";
    /// Requests and streams in progress of one loopback address. Further ones get 503 at once.
    requests_per_loopback: usize = 1_000_000, Count(1..=1_000_000),
        "exceeds `max_concurrent_requests`, since programs under test run on this machine";
    /// Bytes per second that a request body has at least, measured over all the time spent waiting
    /// for it, once `request_body_grace` has passed. A slower one gets 408. 0: any rate.
    request_body_min_rate: u32 = 240, Bytes(0..=GIB),
        "Kestrel, MinRequestBodyDataRate: 240 bytes per second";
    /// Time spent waiting for a request body that does not count for `request_body_min_rate`.
    request_body_grace: Duration = 30 * SECOND, Time(MS..=DAY),
        "Apache, mod_reqtimeout: 20 s; Kestrel: 5 s; a client that is debugged pauses longer";
    /// The same while other requests wait for one of `max_concurrent_requests` or
    /// `upstream_max_concurrent_requests`: a client that trickles its body gives way to them.
    request_body_contended_grace: Duration = 500 * MS, Time(MS..=DAY),
        "half of `pending_request_timeout`, so that the requests that wait get their place";
    /// Time between two chunks of a request body; then the request gets 408. gRPC calls over HTTP/2
    /// are streams and exempt from the time limits of bodies.
    request_body_idle_timeout: Duration = MINUTE, Time(MS..=DAY),
        "nginx, client_body_timeout: 60 s";
    /// Total time spent waiting for the body of one request; then it gets 408. Time spent waiting
    /// for the upstream does not count.
    request_timeout: Duration = 300 * SECOND, Time(MS..=DAY),
        "Envoy at the edge: 300 s";
    /// Time in which a client accepts no byte of a response (TCP or HTTP/2 window); then the
    /// connection is closed.
    response_send_timeout: Duration = MINUTE, Time(MS..=DAY),
        "nginx, send_timeout: 60 s; CVE-2026-49975";
    /// Unsent response bytes that the kernel buffers per connection (TCP_NOTSENT_LOWAT).
    tcp_notsent_lowat: u32 = 64 * KIB, Bytes(4 * KIB..=GIB),
        "one read from an upstream; Linux alone buffers up to 4 MiB (tcp_wmem)";
    /// SETTINGS_MAX_CONCURRENT_STREAMS: open streams of one HTTP/2 connection. Further ones are
    /// reset (REFUSED_STREAM).
    http2_max_concurrent_streams: u32 = 100, Count(1..=10_000),
        "RFC 9113, section 5.1.2: no less than 100";
    /// SETTINGS_INITIAL_WINDOW_SIZE: request bytes buffered per HTTP/2 stream. The client then
    /// waits for WINDOW_UPDATE.
    http2_stream_window: u32 = 64 * KIB, Bytes(KIB..=2 * GIB - 1),
        "the initial value of RFC 9113, section 6.5.2, plus one byte";
    /// Request bytes buffered for all streams of one HTTP/2 connection. The client then waits for
    /// WINDOW_UPDATE.
    http2_connection_window: u32 = 256 * KIB, Bytes(64 * KIB..=2 * GIB - 1),
        "four full streams (RFC 9113, section 6.9); Envoy at the edge: 1 MiB";
    /// Decoded header fields of one HTTP/2 request. A larger list gets 431.
    /// SETTINGS_MAX_HEADER_LIST_SIZE is twice this: above it, h2 sends the 431 without a body.
    http2_max_header_list_size: u32 = 36 * KIB, Bytes(KIB..=MIB),
        "`header_bytes`, and the 32 bytes that each field counts more (RFC 9113, section 6.5.2)";
    /// SETTINGS_HEADER_TABLE_SIZE: HPACK table for request headers. Clients may not use a larger
    /// one.
    http2_header_table_size: u32 = 0, Bytes(0..=64 * KIB),
        "0 prevents HPACK amplification (CVE-2026-49975) and keeps idle connections small";
    /// Response bytes buffered per HTTP/2 stream. The upstream is not read until some are sent.
    http2_send_buffer: usize = 64 * KIB, Bytes(KIB..=64 * MIB),
        "hyper: 400 KiB for each of 200 streams, 80 MB per connection";
    /// Header fields of an HTTP/2 request. A request with more gets 431.
    http2_header_count: usize = 128, Count(1..=10_000),
        "a field can cost one byte on the wire (CVE-2026-49975); browsers send fewer than 40";
    /// SETTINGS_MAX_FRAME_SIZE: payload of a frame from a client. A larger one closes the
    /// connection (FRAME_SIZE_ERROR).
    http2_max_frame_size: u32 = 16 * KIB, Bytes(16 * KIB..=16 * MIB - 1),
        "the minimum of RFC 9113, section 6.5.2; each connection buffers one frame";
    /// Streams that the client resets before the gateway accepts them. More close the connection.
    http2_max_pending_resets: usize = 20, Count(1..=10_000),
        "CVE-2023-44487; the default of h2";
    /// Streams that the gateway resets for errors of the client. More close the connection.
    http2_max_local_resets: usize = 1024, Count(1..=100_000),
        "CVE-2025-8671; the default of h2";
    /// RST_STREAM frames from a client within 10 s on one connection. More close it.
    http2_max_client_resets: usize = 1000, Count(1..=1_000_000),
        "CVE-2023-44487; Envoy: 500 streams, half of them reset";
    /// SETTINGS, PING, PRIORITY, empty DATA and surplus WINDOW_UPDATE frames from a client within
    /// 10 s on one connection. More close it.
    http2_max_control_frames: usize = 100, Count(10..=1_000_000),
        "CVE-2019-9512, -9515, -9518; a client that measures latency sends ten per second";
    /// Interval of the PING frames that an HTTP/2 client is sent.
    http2_ping_interval: Duration = 30 * SECOND, Time(MS..=DAY),
        "below the timeouts of most NATs, a minute or more";
    /// Time that an HTTP/2 client has to answer a PING; then the connection is closed.
    http2_ping_timeout: Duration = 10 * SECOND, Time(MS..=DAY),
        "allows for some lost packets; gRPC: 20 s";
    /// Cached certificates of the local CA. An evicted one is issued again.
    certificate_cache_size: usize = 1024, Count(1..=100_000),
        "one for each server name that clients request";
    /// Size of a request body that is read whole to derive its key (modes replay and auto). A
    /// larger one gets 413.
    request_body: usize = 64 * MIB, Bytes(0..=4 * GIB),
        "equals `recorded_body`";
    /// Time for a TLS handshake. A client connection is then closed; an upstream that takes longer
    /// becomes 504.
    tls_handshake_timeout: Duration = 5 * SECOND, Time(MS..=DAY),
        "equals `connect_timeout`";
    /// Time that requests in progress have after SIGTERM or SIGINT; then they are aborted.
    shutdown_timeout: Duration = 30 * SECOND, Time(MS..=DAY),
        "Kubernetes sends SIGKILL after 30 s";
    /// Time without a request after which a client connection is closed during shutdown.
    keepalive_drain_timeout: Duration = 500 * MS, Time(MS..=DAY),
        "a request that is already on its way is answered; nginx, keepalive_min_timeout";
    /// Time before the end of `shutdown_timeout` at which streams are ended, WebSockets with close
    /// code 1001; at most half of `shutdown_timeout`.
    stream_drain_lead: Duration = 2 * SECOND, Time(MS..=DAY),
        "time for both sides to close (RFC 6455, section 7.4.1)";
    /// Log lines that wait to be written to standard error. Further ones are dropped and counted.
    log_buffer: usize = MIB, Bytes(4 * KIB..=GIB), RestartOnly,
        "some 5,000 lines; a pipe holds 64 KiB";
}

        } }
    };
}

pub(super) use client_limits;
