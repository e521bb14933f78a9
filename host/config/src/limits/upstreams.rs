//! Limits on upstreams: connecting, response heads and bodies, concurrent requests.

/// Adds this group to the table of `define_limits!`, then calls the next macro.
macro_rules! upstream_limits {
    ($next:ident $($then:ident)* { $($groups:tt)* }) => {
        $next! { $($then)* { $($groups)*

"upstreams" {
    /// Time for name resolution and the TCP handshake; then 504.
    connect_timeout: Duration = 5 * SECOND, Time(MS..=DAY),
        "Envoy: 5 s";
    /// Time from the end of a request to the head of its response; then 504.
    response_header_timeout: Duration = MINUTE, Time(MS..=DAY),
        "nginx, proxy_read_timeout: 60 s";
    /// Time that a request with `expect: 100-continue` waits for the upstream to ask for its body;
    /// then the body is sent.
    continue_timeout: Duration = SECOND, Time(MS..=DAY),
        "curl and Go: 1 s (RFC 9110, section 10.1.1)";
    /// HTTP/1.1 responses with status 1xx before the final response. More become 502.
    interim_responses: usize = 64, Count(1..=100_000),
        "servers send one or two (RFC 9110, section 15.2)";
    /// Time without a request on an upstream connection; then it is closed.
    upstream_idle_timeout: Duration = MINUTE, Time(MS..=DAY),
        "most servers keep idle connections for 60 s or longer";
    /// Idle connections in the pool of one upstream, per thread. Further ones are closed.
    upstream_idle_connections: usize = 64, Count(0..=100_000),
        "enough for a burst of parallel requests on one thread";
    /// Requests in progress to the upstream of one endpoint. Further ones wait
    /// `pending_request_timeout`, then get 503. A quarter is kept for requests whose body has
    /// arrived. A response counts no more once its client has read nothing for 100 ms.
    upstream_max_concurrent_requests: usize = 256, Count(1..=1_000_000),
        "a quarter of `max_concurrent_requests`, so that one slow upstream does not block others";
    /// Time that a request waits for one of `max_concurrent_requests` or
    /// `upstream_max_concurrent_requests`; then it gets 503.
    pending_request_timeout: Duration = SECOND, Time(MS..=DAY), RestartOnly,
        "long enough for a burst, short enough for clients that retry";
    /// Requests that wait, in total and per upstream. Further ones get 503 at once.
    max_pending_requests: usize = 1024, Count(0..=1_000_000),
        "equals `max_concurrent_requests`";
    /// Size of a response head. A larger one becomes 502.
    upstream_header_bytes: usize = 64 * KIB, Bytes(8 * KIB..=MIB),
        "twice `header_bytes`, since servers set cookies and policies; Envoy: 60 KiB";
    /// Header fields of a response. A response with more becomes 502.
    upstream_header_count: usize = 100, Count(1..=10_000),
        "Envoy and hyper: 100";
    /// Time between two chunks of a response body that is not a stream; then the response is
    /// aborted.
    upstream_body_idle_timeout: Duration = MINUTE, Time(MS..=DAY),
        "nginx, proxy_read_timeout: 60 s";
    /// Response bytes buffered per HTTP/2 stream. The upstream then waits for WINDOW_UPDATE.
    upstream_stream_window: u32 = 256 * KIB, Bytes(KIB..=2 * GIB - 1),
        "20 MB/s at a round trip of 10 ms; hyper: 2 MiB, which each slow client would hold";
    /// Response bytes buffered for all streams of one HTTP/2 connection. It carries as many
    /// requests at once as full streams fit, at least one. Further ones use another connection.
    upstream_connection_window: u32 = 16 * MIB, Bytes(64 * KIB..=2 * GIB - 1),
        "64 full streams, so that clients that read nothing do not stop the others";
    /// Request body bytes kept until the response begins, to be sent again if the upstream did not
    /// process the request. A larger body is sent once.
    upstream_retry_buffer: usize = 128 * KIB, Bytes(0..=64 * MIB),
        "the initial window of HTTP/2, 64 KiB, and one read from a client";
    /// Request bytes buffered per HTTP/2 stream. The client is not read until some are sent.
    upstream_send_buffer: usize = 64 * KIB, Bytes(KIB..=64 * MIB),
        "equals `http2_send_buffer`; hyper: 1 MiB";
}

        } }
    };
}

pub(super) use upstream_limits;
