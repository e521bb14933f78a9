//! The heads of a WebSocket's handshake as each side gets them: on HTTP/1.1 an upgrade (RFC 6455,
//! section 4), on HTTP/2 an extended CONNECT (RFC 8441, section 5).

use std::hash::{BuildHasher, RandomState};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{
    CONNECTION, CONTENT_LENGTH, HOST, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS,
    SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version};
use http_body_util::{BodyExt, Empty};
use hyper::ext::Protocol;

use crate::handler::context::{RequestContext, Route};
pub(crate) use crate::handler::error_response::ExchangeError;
use crate::handler::response_body::OutgoingBody;
use crate::record::forward::{self, RequestHead};
use ouli_codec::websocket;
use ouli_net::http::forwarding;
use ouli_net::upstream::{Body, TunnelMethod};

const WEBSOCKET_PROTOCOL: HeaderValue = HeaderValue::from_static("websocket");

/// How a client asks for its WebSocket.
#[derive(Clone, Debug)]
pub(crate) struct ClientHandshake {
    http2: bool,
    /// Its key, where HTTP/1.1 asks for one.
    key: Option<HeaderValue>,
}

/// True where a request asks for a WebSocket.
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

    /// True where it asks by an extended CONNECT.
    pub(crate) fn is_http2(&self) -> bool {
        self.http2
    }

    /// The answer that opens the tunnel, with these fields besides its own.
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

/// The request of the handshake, whatever protocol it came by: what is end-to-end of it. While
/// recording, only extensions are offered that can be read.
pub(crate) fn handshake_head<B>(
    asked: &RequestContext<'_>,
    request: &Request<B>,
    recording: bool,
) -> RequestHead {
    let mut head = forward::request_head(asked, request, recording);
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

/// The request as it is recorded, and as it is compared with what was.
pub(crate) fn recorded_handshake(head: &RequestHead, authority: &str) -> ouli_message::Request {
    let mut request = head.to_recorded_request(authority);
    request.fields.push(UPGRADE, WEBSOCKET_PROTOCOL);
    request
}

/// The request as the upstream gets it.
pub(super) fn upstream_request(
    route: &Route,
    head: &RequestHead,
    way: TunnelMethod,
) -> Result<Request<Body>, ExchangeError> {
    let bad = |error: http::Error| {
        ExchangeError::Downstream(format!("the target of the request: {error}"))
    };
    let uri = route.uri(&head.target).map_err(bad)?;
    let nothing = Empty::new().map_err(|never| match never {}).boxed_unsync();
    let mut request = Request::new(nothing);
    *request.headers_mut() = head.headers.clone();
    request
        .headers_mut()
        .insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    match way {
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
            if !headers.contains_key(HOST) {
                headers.insert(HOST, route.host_header()?);
            }
            let target = uri.path_and_query().cloned();
            *request.uri_mut() = target.map_or_else(Default::default, Into::into);
        }
    }
    Ok(request)
}

/// The fields of the upstream's answer that are end-to-end.
pub(super) fn end_to_end_headers(headers: &HeaderMap) -> HeaderMap {
    let mut shown = forwarding::response_headers(headers.clone());
    shown.remove(SEC_WEBSOCKET_ACCEPT);
    shown
}

/// A key for the upstream: 16 bytes, as good as random (RFC 6455, section 4.1). The client's own
/// stays between it and the gateway.
fn generate_key() -> Result<HeaderValue, ExchangeError> {
    let random = || RandomState::new().hash_one(0_u8).to_be_bytes();
    let bytes = [random(), random()].concat();
    HeaderValue::try_from(STANDARD.encode(bytes))
        .map_err(|error| ExchangeError::Internal(error.to_string()))
}
