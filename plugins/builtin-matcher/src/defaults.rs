//! Headers that identify a request, and query parameters and headers that differ between two runs
//! of the same program, and so do not.

/// Headers that are compared by default: what the server does or sends depends on them. A request
/// without them is not equal to one that has them.
pub(crate) const SELECTING: &[&str] = &[
    // Whose request it is. The host compares which secret it is, not its value.
    "authorization",
    "proxy-authorization",
    "api-key",
    "apikey",
    "ocp-apim-subscription-key",
    "private-token",
    "subscription-key",
    "x-access-token",
    "x-api-key",
    "x-auth-key",
    "x-auth-token",
    "x-functions-key",
    "x-gitlab-token",
    "x-goog-api-key",
    "x-rapidapi-key",
    "x-vault-token",
    "x-wsse",
    // The host compares the ids of the keys.
    "signature",
    "signature-input",
    // The operation, where one path serves several.
    "next-action",
    "soapaction",
    "x-amz-target",
    "x-goog-upload-command",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    // Arguments that are not in the URL or the body.
    "depth",
    "destination",
    "dropbox-api-arg",
    "x-amz-copy-source",
    "x-amz-copy-source-range",
    "x-goog-fieldmask",
    "x-goog-upload-offset",
    "x-ms-continuation",
    "x-ms-copy-source",
    "x-ms-documentdb-partitionkey",
    // What the client prefers to get (RFC 7240).
    "prefer",
    // A part of the resource (RFC 9110, section 14), and of what is uploaded.
    "content-range",
    "range",
    "x-ms-range",
    // Conditions (RFC 9110, section 13.1).
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
];

/// Query parameters. Names are case-sensitive, so both spellings are listed.
pub(crate) const QUERY: &[&str] = &[
    // The cache buster of jQuery.
    "_",
    // The time of a presigned URL. Redaction has replaced the signature by a placeholder.
    "X-Amz-Date",
    "x-amz-date",
    "X-Goog-Date",
    "x-goog-date",
];

/// Headers.
pub(crate) const HEADERS: &[&str] = &[
    // Headers of the connection, not of the request.
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
    // What the client accepts, and what it has cached.
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
    // The body is compared by its type, and a multipart boundary is random. It is compared without
    // its codings, so what describes the coded bytes says nothing more.
    "content-encoding",
    "content-type",
    "x-amz-checksum-*",
    "x-amz-decoded-content-length",
    "x-amz-trailer",
    // The client program, its version and its origin.
    "from",
    "origin",
    "postman-token",
    "referer",
    "referer-policy",
    "referrer",
    "sec-ch-*",
    "sec-fetch-*",
    "user-agent",
    "x-goog-api-client",
    "x-ms-client-id",
    "x-ms-useragent",
    "x-ms-version",
    "x-stainless-*",
    // The device and the network of the client (client hints, RFC 8942).
    "device-memory",
    "downlink",
    "dpr",
    "ect",
    "rtt",
    "save-data",
    "viewport-width",
    "width",
    // The time, and values computed from it.
    "date",
    "x-amz-content-sha256",
    "x-amz-date",
    "x-ms-date",
    // The WebSocket handshake (RFC 6455, section 4.1); the key is random.
    "sec-websocket-extensions",
    "sec-websocket-key",
    "sec-websocket-version",
    // Ids of one attempt, one request or one trace.
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
