//! Sends a request to the endpoint's upstream, as a reverse proxy should.

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Request, Response, Version};
use http_body::Body as _;
use http_body_util::{BodyExt, Empty, Full};
use tokio::sync::oneshot;

use super::body_capture::Shared;
use super::reclaimable_body::Lent;
use super::tee_body::{TeedRequest, Upward};
use crate::handler::context::Asked;
pub(crate) use crate::handler::error_response::ExchangeError;
use ouli_config::Scheme;
use ouli_message::{Content, Fields};
use ouli_net::http::forwarding::{self, Rewrite};
use ouli_net::http::validation;
use ouli_net::server::Arriving;
use ouli_net::upstream::{self, Inbound};

/// A request's head as it goes up: what is sent is what is recorded.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    pub(crate) method: Method,
    /// Path and query as the client asked for them, without the upstream's base path.
    pub(crate) target: PathAndQuery,
    pub(crate) headers: HeaderMap,
}

impl Head {
    /// The request as it is recorded, and as it is compared with what was: without the fields that
    /// frame its body, which is kept whole, or name the upstream.
    pub(crate) fn recorded(&self, authority: &str) -> ouli_message::Request {
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
pub(crate) enum Sent {
    Passing(Arriving),
    /// With the way back, for what an upstream that fails did not take.
    Teed(Upward, Shared, Option<oneshot::Sender<TeedRequest>>),
    Whole(Bytes),
}

/// The head that goes up for a request that came in, in any mode.
pub(crate) fn head<B>(asked: &Asked<'_>, request: &Request<B>, restrict_codings: bool) -> Head {
    let rewrite = Rewrite {
        preserve_host: asked.endpoint.configured.preserve_host,
        restrict_codings,
    };
    Head {
        method: request.method().clone(),
        target: asked.target.clone(),
        headers: forwarding::request(request.headers(), rewrite),
    }
}

/// Sends, once the upstream has a turn; returns with the head of the response. Its hop-by-hop
/// fields are gone.
pub(crate) async fn send(
    asked: &Asked<'_>,
    head: Head,
    body: Sent,
) -> Result<Response<Inbound>, ExchangeError> {
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
    frame(&mut request);
    if route.address.scheme == Scheme::H2c {
        *request.version_mut() = Version::HTTP_2;
    }
    let turn = route.turn().await?;
    let client = route.client(asked.gate);
    let response = client.send(request).await?;
    validation::check_response(&response).map_err(|error| client.wrong_answer(&error))?;
    let (mut parts, body) = response.into_parts();
    parts.headers = forwarding::response(parts.headers);
    parts.version = Version::HTTP_11;
    Ok(Response::from_parts(parts, body.holding(turn)))
}

/// Says how a body without a known length is framed on HTTP/1.1, where a method seldom has one: a
/// body that nothing announces would not be sent at all. On HTTP/2 the field is left out again.
fn frame(request: &mut Request<upstream::Body>) {
    let rarely = matches!(*request.method(), Method::GET | Method::HEAD);
    let is_known = request.headers().contains_key(CONTENT_LENGTH)
        || request.body().size_hint().exact().is_some();
    if rarely && !is_known {
        let chunked = HeaderValue::from_static("chunked");
        request.headers_mut().insert(TRANSFER_ENCODING, chunked);
    }
}

fn into_body(body: Sent) -> upstream::Body {
    match body {
        Sent::Passing(body) if body.is_end_stream() => none(),
        Sent::Passing(body) => body.map_err(Into::into).boxed_unsync(),
        Sent::Teed(body, copy, back) => Lent::new(TeedRequest::new(body, copy), back)
            .map_err(Into::into)
            .boxed_unsync(),
        Sent::Whole(bytes) if bytes.is_empty() => none(),
        Sent::Whole(bytes) => Full::new(bytes)
            .map_err(|never| match never {})
            .boxed_unsync(),
    }
}

fn none() -> upstream::Body {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}
