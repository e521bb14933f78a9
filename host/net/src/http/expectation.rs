//! `expect: 100-continue` (RFC 9110, section 10.1.1).

use http::header::EXPECT;
use http::{HeaderMap, Request, Version};
use http_body::Body;

/// True if the client waits for an interim response before it sends the body. The expectation of a
/// request without a body, or of HTTP/1.0, is ignored.
pub fn expects_continue<B: Body>(request: &Request<B>) -> bool {
    has_expectation(request.headers())
        && request.version() >= Version::HTTP_11
        && !request.body().is_end_stream()
}

/// True if the fields contain the expectation.
pub fn has_expectation(headers: &HeaderMap) -> bool {
    let expect = headers.get(EXPECT);
    expect.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}
