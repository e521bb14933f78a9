//! Sends a request to the endpoint's upstream, as a reverse proxy should.

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Request, Response, Version};
use http_body::Body as _;
use http_body_util::{BodyExt, Empty, Full};
use tokio::sync::oneshot;

use super::body_capture::SharedCapture;
use super::reclaimable_body::ReclaimableBody;
use super::tee_body::{PrefixedBody, TeedRequestBody};
use crate::handler::context::RequestContext;
pub(crate) use crate::handler::error_response::ExchangeError;
use ouli_config::Scheme;
use ouli_message::{Content, Fields};
use ouli_net::http::forwarding::{self, Rewrite};
use ouli_net::http::validation;
use ouli_net::server::IncomingBody;
use ouli_net::upstream::{self, UpstreamBody};

/// A request's head as it goes up: what is sent is what is recorded.
#[derive(Clone, Debug)]
pub(crate) struct RequestHead {
    pub(crate) method: Method,
    /// Path and query as the client asked for them, without the upstream's base path.
    pub(crate) target: PathAndQuery,
    pub(crate) headers: HeaderMap,
}

impl RequestHead {
    /// The request as it is recorded, and as it is compared with what was: without the fields that
    /// frame its body, which is kept whole, or name the upstream.
    pub(crate) fn to_recorded_request(&self, authority: &str) -> ouli_message::Request {
        let mut fields = Fields::from(&self.headers);
        fields.retain(|name, _| *name != CONTENT_LENGTH && *name != HOST);
        ouli_message::Request {
            method: self.method.clone(),
            authority: authority.to_owned(),
            target: self.target.as_str().to_owned(),
            fields,
            body: Content::EMPTY,
            trailers: Fields::default(),
        }
    }
}

/// A body to send.
pub(crate) enum ForwardedBody {
    Passthrough(IncomingBody),
    /// With the way back, for what an upstream that fails did not take.
    Teed(
        PrefixedBody,
        SharedCapture,
        Option<oneshot::Sender<TeedRequestBody>>,
    ),
    Full(Bytes),
}

/// The head that goes up for a request that came in, in any mode.
pub(crate) fn request_head<B>(
    asked: &RequestContext<'_>,
    request: &Request<B>,
    restrict_codings: bool,
) -> RequestHead {
    let rewrite = Rewrite {
        preserve_host: asked.endpoint.configured.preserve_host,
        restrict_codings,
    };
    RequestHead {
        method: request.method().clone(),
        target: asked.target.clone(),
        headers: forwarding::request_headers(request.headers(), rewrite),
    }
}

/// Sends, once the upstream has a turn; returns with the head of the response. Its hop-by-hop
/// fields are gone.
pub(crate) async fn send(
    asked: &RequestContext<'_>,
    head: RequestHead,
    body: ForwardedBody,
) -> Result<Response<UpstreamBody>, ExchangeError> {
    let Some(route) = &asked.endpoint.upstream else {
        return Err(ExchangeError::NoUpstream(asked.endpoint.name.to_string()));
    };
    let mut request = Request::new(into_body(body));
    *request.method_mut() = head.method;
    let uri = route.uri(&head.target).map_err(|error| {
        ExchangeError::Downstream(format!("the target of the request: {error}"))
    })?;
    *request.uri_mut() = uri;
    *request.headers_mut() = head.headers;
    set_transfer_encoding(&mut request);
    if route.address.scheme == Scheme::H2c {
        *request.version_mut() = Version::HTTP_2;
    }
    let turn = route.request_permit().await?;
    let client = route.client(asked.handler);
    let response = client.send(request).await?;
    validation::validate_response(&response).map_err(|error| client.invalid_response(&error))?;
    let (mut parts, body) = response.into_parts();
    parts.headers = forwarding::response_headers(parts.headers);
    parts.version = Version::HTTP_11;
    Ok(Response::from_parts(parts, body.with_permit(turn)))
}

/// Says how a body without a known length is framed on HTTP/1.1, where a method seldom has one: a
/// body that nothing announces would not be sent at all. On HTTP/2 the field is left out again.
fn set_transfer_encoding(request: &mut Request<upstream::Body>) {
    let rarely = matches!(*request.method(), Method::GET | Method::HEAD);
    let is_known = request.headers().contains_key(CONTENT_LENGTH)
        || request.body().size_hint().exact().is_some();
    if rarely && !is_known {
        let chunked = HeaderValue::from_static("chunked");
        request.headers_mut().insert(TRANSFER_ENCODING, chunked);
    }
}

fn into_body(body: ForwardedBody) -> upstream::Body {
    match body {
        ForwardedBody::Passthrough(body) if body.is_end_stream() => empty_body(),
        ForwardedBody::Passthrough(body) => body.map_err(Into::into).boxed_unsync(),
        ForwardedBody::Teed(body, copy, back) => {
            ReclaimableBody::new(TeedRequestBody::new(body, copy), back)
                .map_err(Into::into)
                .boxed_unsync()
        }
        ForwardedBody::Full(bytes) if bytes.is_empty() => empty_body(),
        ForwardedBody::Full(bytes) => Full::new(bytes)
            .map_err(|never| match never {})
            .boxed_unsync(),
    }
}

fn empty_body() -> upstream::Body {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}
