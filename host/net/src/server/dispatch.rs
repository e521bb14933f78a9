//! From a request that hyper has read to the service's response.

use std::sync::Arc;

use http::{Request, Response};
use hyper::body::Incoming;

use super::activity::Activity;
use super::context::ListenerContext;
use super::head_limits;
use super::request_body::{BodyTimeouts, IncomingBody};
use super::request_guard::RequestGuard;
use super::service::HttpService;

/// A request that counts as active from now on.
pub(super) struct AdmittedRequest {
    request: Request<IncomingBody>,
    guard: RequestGuard,
}

/// Counts a request as active. Called in the order in which requests arrive.
pub(super) fn admit_request<S>(
    listener: &ListenerContext<S>,
    activity: &Arc<Activity>,
    request: Request<Incoming>,
) -> AdmittedRequest {
    let timeouts = BodyTimeouts::for_request(&request, &listener.bounds);
    let body_error = timeouts.as_ref().map(BodyTimeouts::error_flag);
    let guard = RequestGuard::begin(activity, &listener.bounds, body_error);
    let request = request.map(|body| IncomingBody::new(body, Arc::clone(activity), timeouts));
    AdmittedRequest { request, guard }
}

/// Has the service handle or reject a request.
pub(super) async fn handle<S: HttpService>(
    listener: &ListenerContext<S>,
    AdmittedRequest { request, guard }: AdmittedRequest,
) -> Response<S::Body> {
    match head_limits::check_head(&request, &listener.bounds) {
        Ok(()) => listener.service.call(request, guard).await,
        Err(rejection) => listener.service.reject(&request, rejection, guard),
    }
}
