//! What differs between two runs of one program, and so says nothing about which request it is.

/// Parameters of the query. They compare with case: both spellings are in use.
pub(crate) const QUERY: &[&str] = &[
    // Cache busters of browsers and jQuery.
    "_",
    // The time of a presigned URL. The signature itself is a secret, and a stand-in by now.
    "X-Amz-Date",
    "x-amz-date",
    "X-Goog-Date",
    "x-goog-date",
];

/// Headers. `authorization` is not among them: as a stand-in it still tells that somebody asks who
/// is known.
pub(crate) const HEADERS: &[&str] = &[
    // The connection, not the request.
    "connection",
    "content-length",
    "expect",
    "forwarded",
    "grpc-timeout",
    "host",
    "keep-alive",
    "priority",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "x-forwarded-*",
    "x-real-ip",
    // What the client can read, and what it has already.
    "accept",
    "accept-encoding",
    "age",
    "cache-control",
    "clear-site-data",
    "expires",
    "if-modified-since",
    "if-none-match",
    "pragma",
    "warning",
    // The body is compared by its type anyway, and a multipart boundary is random.
    "content-type",
    // Which program asks, in which version, from where.
    "from",
    "origin",
    "postman-token",
    "referer",
    "referer-policy",
    "referrer",
    "sec-ch-ua",
    "sec-ch-ua-mobile",
    "sec-ch-ua-platform",
    "sec-fetch-*",
    "user-agent",
    "x-goog-api-client",
    "x-ms-client-id",
    "x-ms-useragent",
    "x-ms-version",
    "x-stainless-*",
    // The time, and what is computed from it.
    "date",
    "x-amz-content-sha256",
    "x-amz-date",
    "x-ms-date",
    // A handshake's random numbers (RFC 6455, section 4.1).
    "sec-websocket-extensions",
    "sec-websocket-key",
    "sec-websocket-version",
    // Names of one attempt, of one request or of one trace.
    "amz-sdk-invocation-id",
    "amz-sdk-request",
    "b3",
    "baggage",
    "idempotency-key",
    "request-id",
    "sentry-trace",
    "traceparent",
    "tracestate",
    "x-amzn-trace-id",
    "x-b3-*",
    "x-client-request-id",
    "x-cloud-trace-context",
    "x-correlation-id",
    "x-datadog-*",
    "x-ms-client-request-id",
    "x-request-id",
];
