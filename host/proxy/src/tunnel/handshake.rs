//! The handshake of a WebSocket on both sides: on HTTP/1.1 an upgrade (RFC 6455, section 4), on
//! HTTP/2 an extended CONNECT (RFC 8441, section 5).

use std::hash::{BuildHasher, RandomState};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{
    CONNECTION, CONTENT_LENGTH, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version};
use http_body_util::{BodyExt, Empty};
use hyper::ext::Protocol;

use crate::handler::{ExchangeError, OutgoingBody, RequestContext, Route};
use crate::record::RequestHead;
use ouli_codec::websocket;
use ouli_net::http::forwarding;
use ouli_net::upstream::{Body, TunnelMethod};

const WEBSOCKET_PROTOCOL: HeaderValue = HeaderValue::from_static("websocket");

/// The handshake of a client.
#[derive(Clone, Debug)]
pub(crate) struct ClientHandshake {
    http2: bool,
    /// Its `sec-websocket-key`, on HTTP/1.1.
    key: Option<HeaderValue>,
}

/// True if a request asks for a WebSocket.
pub(crate) fn is_websocket<B>(request: &Request<B>) -> bool {
    if request.version() == Version::HTTP_2 {
        let protocol = request.extensions().get::<Protocol>();
        return *request.method() == Method::CONNECT
            && protocol.is_some_and(|protocol| protocol.as_str() == "websocket");
    }
    *request.method() == Method::GET && websocket::is_websocket_upgrade(request.headers())
}

impl ClientHandshake {
    pub(crate) fn of<B>(request: &Request<B>) -> Self {
        Self {
            http2: request.version() == Version::HTTP_2,
            key: request.headers().get(SEC_WEBSOCKET_KEY).cloned(),
        }
    }

    /// True if it is an extended CONNECT.
    pub(crate) fn is_http2(&self) -> bool {
        self.http2
    }

    /// The response that accepts the handshake, with these fields besides its own.
    pub(crate) fn accept_response(&self, fields: HeaderMap) -> Response<OutgoingBody> {
        let mut response = Response::new(OutgoingBody::empty());
        *response.headers_mut() = fields;
        if self.http2 {
            return response;
        }
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(UPGRADE, WEBSOCKET_PROTOCOL);
        let key = self.key.as_ref().and_then(|key| key.to_str().ok());
        let accept = key.map(websocket::accept_key);
        if let Some(Ok(accept)) = accept.map(HeaderValue::try_from) {
            headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
        }
        response
    }
}

/// The end-to-end fields of a handshake, for both protocols. A recorded handshake only offers
/// extensions that can be decoded.
pub(crate) fn handshake_head<B: http_body::Body>(
    context: &RequestContext<'_>,
    request: &Request<B>,
    recording: bool,
) -> RequestHead {
    let mut head = RequestHead::new(context, request, recording);
    head.method = Method::GET;
    head.headers.remove(CONTENT_LENGTH);
    head.headers.remove(SEC_WEBSOCKET_VERSION);
    head.headers.remove(SEC_WEBSOCKET_KEY);
    if recording {
        let offers = websocket::supported_offers(&head.headers);
        head.headers.remove(SEC_WEBSOCKET_EXTENSIONS);
        if let Some(offers) = offers {
            head.headers.insert(SEC_WEBSOCKET_EXTENSIONS, offers);
        }
    }
    head
}

/// The request as it is recorded and looked up.
pub(crate) fn recorded_handshake(head: &RequestHead, authority: &str) -> ouli_message::Request {
    let mut request = head.to_recorded_request(authority);
    request.fields.push(UPGRADE, WEBSOCKET_PROTOCOL);
    request
}

/// The request to the upstream.
pub(super) fn upstream_request(
    route: &Route,
    head: &RequestHead,
    method: TunnelMethod,
) -> Result<Request<Body>, ExchangeError> {
    let invalid_target = |error: http::Error| {
        ExchangeError::Downstream(format!("the target of the request: {error}"))
    };
    let uri = route
        .uri(&head.target, head.authority.as_ref())
        .map_err(invalid_target)?;
    let empty = Empty::new().map_err(|never| match never {}).boxed_unsync();
    let mut request = Request::new(empty);
    *request.headers_mut() = head.headers.clone();
    request
        .headers_mut()
        .insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    match method {
        TunnelMethod::ExtendedConnect => {
            *request.method_mut() = Method::CONNECT;
            *request.uri_mut() = uri;
            let protocol = Protocol::from_static("websocket");
            request.extensions_mut().insert(protocol);
        }
        TunnelMethod::Upgrade => {
            let headers = request.headers_mut();
            headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
            headers.insert(UPGRADE, WEBSOCKET_PROTOCOL);
            headers.insert(SEC_WEBSOCKET_KEY, generate_key()?);
            *request.uri_mut() = uri;
        }
    }
    Ok(request)
}

/// The end-to-end fields of the upstream's response.
pub(super) fn end_to_end_headers(headers: &HeaderMap) -> HeaderMap {
    let mut end_to_end = forwarding::response_headers(headers.clone());
    end_to_end.remove(SEC_WEBSOCKET_ACCEPT);
    end_to_end
}

/// A key for the upstream: 16 random bytes (RFC 6455, section 4.1). The client's key is not
/// forwarded.
fn generate_key() -> Result<HeaderValue, ExchangeError> {
    let random = || RandomState::new().hash_one(0_u8).to_be_bytes();
    let bytes = [random(), random()].concat();
    HeaderValue::try_from(STANDARD.encode(bytes))
        .map_err(|error| ExchangeError::Internal(error.to_string()))
}
