//! Responses of the gateway's own to HEAD.

use http::header::CONTENT_LENGTH;
use http::{Method, Response, StatusCode};

use super::response_body::OutgoingBody;

/// A response of the gateway's own to a request with this method: to HEAD it has the fields of the
/// response to GET, and no body (RFC 9110, section 9.3.2).
pub(super) fn for_method(
    mut response: Response<OutgoingBody>,
    method: &Method,
) -> Response<OutgoingBody> {
    if *method != Method::HEAD || response.status() == StatusCode::NO_CONTENT {
        return response;
    }
    if let Some(length) = response.body().content_length() {
        response.headers_mut().insert(CONTENT_LENGTH, length.into());
    }
    response.map(|_| OutgoingBody::empty())
}
