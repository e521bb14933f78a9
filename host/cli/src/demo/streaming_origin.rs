//! The streams of the origin server: events and a WebSocket.

use futures_util::{SinkExt as _, StreamExt as _};
use http::{HeaderValue, Request, Response, StatusCode, Version};
use http_body_util::BodyExt as _;
use http_body_util::channel::Channel;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::body::{Body, empty};
use ouli_codec::websocket::accept_key;
use ouli_net::drain::Drain;
use ouli_net::server::{IncomingBody, RequestGuard};

/// The two halves of a secret that two events split.
pub(super) fn split_secret(secret: &str) -> (&str, &str) {
    secret.split_at(secret.len() / 2)
}

/// An event stream that splits a secret between two events.
pub(super) fn events(secret: &str) -> Body {
    let (first, second) = split_secret(secret);
    let events = [
        "event: hello\nid: 1\ndata: {\"n\": 1}\n\n".to_owned(),
        format!("data: {{\"delta\": \"your key is {first}\"}}\n\n"),
        format!("data: {{\"delta\": \"{second}, keep it\"}}\n\n"),
        "data: [DONE]\n\n".to_owned(),
    ];
    let (mut sender, body) = Channel::new(1);
    Drain::default().spawn(async move {
        for event in events {
            if sender.send_data(event.into()).await.is_err() {
                return;
            }
            tokio::task::yield_now().await;
        }
    });
    body.boxed_unsync()
}

/// Accepts a WebSocket (RFC 6455, section 4.2.2; over HTTP/2 RFC 8441). The guard lives as long as
/// the WebSocket.
pub(super) fn chat(mut request: Request<IncomingBody>, guard: RequestGuard) -> Response<Body> {
    let mut response = Response::new(empty());
    if request.version() != Version::HTTP_2 {
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let key = request.headers().get("sec-websocket-key");
        let key = key.and_then(|key| key.to_str().ok()).unwrap_or_default();
        let headers = response.headers_mut();
        headers.insert("connection", HeaderValue::from_static("Upgrade"));
        headers.insert("upgrade", HeaderValue::from_static("websocket"));
        if let Ok(accept) = HeaderValue::try_from(accept_key(key)) {
            headers.insert("sec-websocket-accept", accept);
        }
    }
    let upgraded = hyper::upgrade::on(&mut request);
    Drain::default().spawn(async move {
        if let Ok(upgraded) = upgraded.await {
            // A failure shows in the client of the demo.
            let _ = serve_websocket(upgraded).await;
        }
        drop(guard);
    });
    response
}

/// Sends a greeting, then each received message in capitals. The library answers a close.
async fn serve_websocket(upgraded: Upgraded) -> Result<(), Error> {
    let io = TokioIo::new(upgraded);
    let mut socket = WebSocketStream::from_raw_socket(io, Role::Server, None).await;
    socket.send(Message::text("welcome")).await?;
    while let Some(message) = socket.next().await {
        if let Message::Text(text) = message? {
            socket.send(Message::text(text.to_uppercase())).await?;
        }
    }
    Ok(())
}
