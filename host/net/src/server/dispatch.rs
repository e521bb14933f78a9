//! From a request that hyper has read to the service's response.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::header::{CONTENT_TYPE, TE};
use http::{HeaderValue, Method, Request, Response, Version};
use hyper::body::Incoming;

use super::activity::Activity;
use super::body_timeouts::BodyTimeouts;
use super::context::ListenerContext;
use super::expected_body::ExpectedBody;
use super::frames::stream_marker;
use super::head_limits;
use super::interim::Protocol;
use super::request_body::IncomingBody;
use super::request_guard::RequestGuard;
use super::service::HttpService;
use crate::http::expects_continue;
use ouli_message::exchange::is_grpc;

/// A request that counts as active from now on.
pub(super) struct AdmittedRequest {
    request: Request<IncomingBody>,
    guard: RequestGuard,
    /// Set once the body is asked for that an HTTP/1.1 client has not begun to send.
    expected: Option<Arc<AtomicBool>>,
}

impl AdmittedRequest {
    /// Its number on the connection.
    pub(super) fn number(&self) -> u64 {
        self.guard.number()
    }
}

/// Counts a request as active. Called in the order in which requests arrive.
pub(super) fn admit_request<S>(
    listener: &ListenerContext<S>,
    activity: &Arc<Activity>,
    mut request: Request<Incoming>,
) -> AdmittedRequest {
    if request.version() < Version::HTTP_2 {
        activity.options_targets().mark(&mut request);
    }
    let is_call = is_grpc_call(&request);
    let timeouts = match is_call || *request.method() == Method::CONNECT {
        true => None,
        false => BodyTimeouts::for_body(request.body(), &listener.bounds, &listener.contention),
    };
    let body_error = timeouts.as_ref().map(BodyTimeouts::error_flag);
    let protocol = interim_protocol(&mut request);
    let guard = RequestGuard::begin(activity, &listener.bounds, protocol, body_error);
    let guard = guard.call(is_call);
    let is_http2 = request.version() == Version::HTTP_2;
    let (body, is_requested) = expects_continue(&request)
        .then(|| ExpectedBody::new(is_http2.then(|| guard.interim_sender()).flatten()))
        .unzip();
    let expected = is_requested.filter(|_| !is_http2);
    let request =
        request.map(|incoming| IncomingBody::new(incoming, Arc::clone(activity), body, timeouts));
    AdmittedRequest {
        request,
        guard,
        expected,
    }
}

/// Has the service handle or reject a request.
pub(super) async fn handle<S: HttpService>(
    listener: &ListenerContext<S>,
    activity: &Activity,
    admitted: AdmittedRequest,
) -> Response<S::Body> {
    let AdmittedRequest {
        request,
        guard,
        expected,
    } = admitted;
    let scope = guard.interim_scope();
    let response = match head_limits::check_head(&request, &listener.bounds) {
        Ok(()) => listener.service.call(request, guard).await,
        Err(rejection) => listener.service.reject(&request, rejection, guard),
    };
    if expected.is_some_and(|is_requested| !is_requested.load(Ordering::Relaxed)) {
        // The client may send the body all the same, and nothing reads it.
        activity.start_draining();
    }
    scope.finish().await;
    response
}

/// True for a gRPC call as its specification has it: over HTTP/2 with `te: trailers`. A content
/// type alone proves nothing, and would switch off the time limits of any body.
fn is_grpc_call(request: &Request<Incoming>) -> bool {
    let field = |name| request.headers().get(name);
    let text = |value: &HeaderValue, test: fn(&str) -> bool| value.to_str().is_ok_and(test);
    request.version() == Version::HTTP_2
        && field(CONTENT_TYPE).is_some_and(|value| text(value, is_grpc))
        && field(TE).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"trailers"))
}

/// How the client of a request is sent interim responses, if it can be.
fn interim_protocol(request: &mut Request<Incoming>) -> Option<Protocol> {
    match request.version() {
        Version::HTTP_11 => Some(Protocol::Http1),
        Version::HTTP_2 => {
            let stream_id = stream_marker::take(request.headers_mut())?;
            Some(Protocol::Http2 { stream_id })
        }
        _ => None,
    }
}
