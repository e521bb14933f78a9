//! Forwards a request to the upstream of its endpoint.

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version};
use http_body::Body as _;
use http_body_util::{BodyExt, Empty};

use super::body_capture::SharedCapture;
use super::prefixed_body::PrefixedBody;
use super::reclaimable_body::{BodyReturn, ReclaimableBody};
use super::request_head::RequestHead;
use super::teed_request_body::TeedRequestBody;
use super::whole_body::WholeBody;
use crate::handler::{
    AccessOutcome, ExchangeError, RequestBody, RequestContext, RequestPermit, Route,
};
use ouli_config::Scheme;
use ouli_net::ResponsePermit;
use ouli_net::http::{forwarding, upgrade, validation};
use ouli_net::server::{Contention, InterimSender};
use ouli_net::upstream::{
    self, InMemoryBody, OnInterim, UpstreamBody, UpstreamClient, UpstreamError,
};

/// The body of a forwarded request.
pub(crate) enum ForwardedBody {
    Passthrough(RequestBody),
    /// Copied in transit. A failed upstream returns the unsent rest through the channel.
    Teed(PrefixedBody, SharedCapture, Option<BodyReturn>),
    /// Read whole, with its trailers.
    Whole(Bytes, HeaderMap),
}

impl ForwardedBody {
    /// The permit of a body that is outstanding. While there is none, a small body is awaited: then
    /// it needs none.
    async fn upload_permit(
        &mut self,
        route: &Route,
        contention: &Contention,
    ) -> Result<Option<RequestPermit>, ExchangeError> {
        if self.has_arrived() {
            return Ok(None);
        }
        if let Some(permit) = route.free_upload_permit() {
            return Ok(Some(permit));
        }
        tokio::select! {
            biased;
            true = self.await_small() => Ok(None),
            permit = route.upload_permit(contention) => permit.map(Some),
        }
    }

    fn has_arrived(&self) -> bool {
        match self {
            Self::Passthrough(body) => body.is_end_stream(),
            Self::Teed(body, ..) => body.is_end_stream(),
            Self::Whole(..) => true,
        }
    }

    /// Reads a small body. True if all of it has arrived.
    async fn await_small(&mut self) -> bool {
        match self {
            Self::Passthrough(body) => body.await_small().await,
            Self::Teed(body, ..) => body.await_small().await,
            Self::Whole(..) => true,
        }
    }
}

/// Sends a request once the upstream's request limit permits it, and returns the response head
/// without its hop-by-hop fields.
pub(super) async fn send(
    context: &RequestContext<'_>,
    head: RequestHead,
    mut body: ForwardedBody,
) -> Result<Response<UpstreamBody>, ExchangeError> {
    let (route, client) = context.upstream()?;
    let is_in_memory = matches!(body, ForwardedBody::Whole(..));
    // A call may wait for its client before the upstream responds.
    let (permit, upload) = match context.is_call() {
        true => (None, None),
        false => {
            let contention = &context.handler.shared.contention;
            let upload = body.upload_permit(route, contention).await?;
            (Some(route.request_permit(contention).await?), upload)
        }
    };
    let mut request = Request::new(into_body(body, upload));
    if is_in_memory {
        request.extensions_mut().insert(InMemoryBody);
    }
    *request.method_mut() = head.method;
    let uri = route
        .uri(&head.target, head.authority.as_ref())
        .map_err(|error| {
            ExchangeError::Downstream(format!("the target of the request: {error}"))
        })?;
    *request.uri_mut() = uri;
    *request.headers_mut() = head.headers;
    set_transfer_encoding(&mut request);
    if let Some(client) = &context.interim {
        request
            .extensions_mut()
            .insert(forward_interim(client.clone()));
    }
    if route.address.scheme == Scheme::H2c {
        *request.version_mut() = Version::HTTP_2;
    }
    let response = match &head.upgrade {
        Some(protocols) => {
            let pinned = context.pinned_upstream(request.headers());
            let protocols = protocols.clone();
            client.send_upgrade(pinned, request, protocols).await?
        }
        None => send_request(context, client, request).await?,
    };
    context.pin_upstream_if_challenged(response.status(), response.headers());
    let accepted = match &head.upgrade {
        Some(protocols) if response.status() == StatusCode::SWITCHING_PROTOCOLS => {
            upgrade::accepted_protocol(protocols, response.headers())
        }
        Some(_) | None => None,
    };
    if accepted.is_none() {
        validation::validate_response(&response)
            .map_err(|error| client.invalid_response(&error))?;
    }
    let (mut parts, body) = response.into_parts();
    parts.headers = forwarding::response_headers(parts.headers);
    parts.version = Version::HTTP_11;
    if let Some(protocol) = accepted {
        parts.headers.remove(CONTENT_LENGTH);
        parts
            .headers
            .insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        parts.headers.insert(UPGRADE, protocol);
    }
    context.trace.set_outcome(AccessOutcome::Passed);
    let permit = permit.map(|permit| hold_permit(context, permit));
    Ok(Response::from_parts(parts, body.with_permit(permit)))
}

/// The permit of a response, until it ends or its client reads nothing.
fn hold_permit(context: &RequestContext<'_>, permit: RequestPermit) -> ResponsePermit {
    match context.guard.as_deref() {
        Some(guard) => guard.hold(permit),
        None => ResponsePermit::new(permit),
    }
}

/// Forwards the interim responses of the upstream to the client.
fn forward_interim(client: InterimSender) -> OnInterim {
    OnInterim::new(move |status, fields| {
        client.send(status, &forwarding::response_headers(fields.clone()));
    })
}

/// Sends a request on a pooled connection, or on the client's own if it logs in to a connection.
async fn send_request(
    context: &RequestContext<'_>,
    client: &UpstreamClient,
    request: Request<upstream::Body>,
) -> Result<Response<UpstreamBody>, UpstreamError> {
    match context.pinned_upstream(request.headers()) {
        Some(pinned) => client.send_pinned(pinned, request).await,
        None => client.send(request).await,
    }
}

/// Announces a body of unknown length for methods that seldom have one: without a framing header,
/// HTTP/1.1 would not send it. The client removes the field again on HTTP/2.
fn set_transfer_encoding(request: &mut Request<upstream::Body>) {
    let seldom_has_body = matches!(*request.method(), Method::GET | Method::HEAD);
    let is_known = request.headers().contains_key(CONTENT_LENGTH)
        || request.body().size_hint().exact().is_some();
    if seldom_has_body && !is_known {
        let chunked = HeaderValue::from_static("chunked");
        request.headers_mut().insert(TRANSFER_ENCODING, chunked);
    }
}

/// The body for the upstream. It holds the permit of an upload.
fn into_body(body: ForwardedBody, upload: Option<RequestPermit>) -> upstream::Body {
    let held = move |frame| {
        let _ = &upload;
        frame
    };
    match body {
        ForwardedBody::Passthrough(body) if body.is_end_stream() => empty_body(),
        ForwardedBody::Passthrough(body) => body.map_frame(held).map_err(Into::into).boxed_unsync(),
        ForwardedBody::Teed(body, capture, return_to) => {
            ReclaimableBody::new(TeedRequestBody::new(body, capture), return_to)
                .map_frame(held)
                .map_err(Into::into)
                .boxed_unsync()
        }
        ForwardedBody::Whole(bytes, trailers) => WholeBody::new(bytes, trailers)
            .map_err(|never| match never {})
            .boxed_unsync(),
    }
}

fn empty_body() -> upstream::Body {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}
