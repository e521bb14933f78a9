//! A connection as a request uses it.

use hyper::client::conn::{http1, http2};

use crate::upstream::request_body::TimedRequestBody;
use crate::upstream::slow_start::Received;
use crate::upstream::stream_permit::StreamPermit;

/// A connection for one request.
pub(in crate::upstream) enum Connection {
    Http1(Http1Connection),
    Http2(Http2Stream),
}

/// An HTTP/1.1 connection without a request.
pub(in crate::upstream) struct Http1Connection {
    pub(in crate::upstream) sender: http1::SendRequest<TimedRequestBody>,
    pub(in crate::upstream) received: Received,
    /// It has served a request before, so the upstream may close it at any time.
    pub(in crate::upstream) is_reused: bool,
}

/// A stream of an HTTP/2 connection.
pub(in crate::upstream) struct Http2Stream {
    pub(in crate::upstream) sender: http2::SendRequest<TimedRequestBody>,
    pub(in crate::upstream) permit: StreamPermit,
    /// The connection has served a request before.
    pub(in crate::upstream) is_reused: bool,
}
