//! The interface between the server and what handles requests.

use std::future::Future;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;

use super::error::Rejection;
use super::request_body::IncomingBody;
use super::request_guard::RequestGuard;

/// Handles requests. It never fails: every error is a response.
pub trait HttpService: Send + Sync + 'static {
    /// The body of its responses.
    type Body: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>>
        + Send
        + Unpin
        + 'static;

    /// Handles one request. `guard` must live until the whole response was sent.
    fn call(
        &self,
        request: Request<IncomingBody>,
        guard: RequestGuard,
    ) -> impl Future<Output = Response<Self::Body>> + Send;

    /// The response to a request that is rejected.
    fn reject(
        &self,
        request: &Request<IncomingBody>,
        rejection: Rejection,
        guard: RequestGuard,
    ) -> Response<Self::Body>;

    /// A connection is rejected, or ends because its bytes are not valid requests. What it asked
    /// for is not known.
    fn connection_rejected(&self, _reason: &str) {}
}
