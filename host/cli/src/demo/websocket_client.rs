//! The WebSocket client of the demo.

use std::net::SocketAddr;

use futures_util::{SinkExt as _, StreamExt as _};
use http::{Method, Request};
use http_body_util::{BodyExt as _, Empty};
use hyper::ext::Protocol;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::conversation::{Conversation, MESSAGES};
use ouli_message::error_chain::error_chain;
use ouli_net::upstream::{Body, TunnelMethod, UpstreamClient};

/// Opens a WebSocket and exchanges the messages of the demo.
pub(super) async fn chat(
    client: &UpstreamClient,
    address: SocketAddr,
    protocol: &'static str,
    secret: &str,
) -> Result<Conversation, String> {
    let tunnel = client
        .open_tunnel()
        .await
        .map_err(|error| error_chain(&error))?;
    let request = handshake(tunnel.method(), address, secret)?;
    let response = client.request_tunnel(tunnel, request).await;
    let response = response.map_err(|error| error_chain(&error))?;
    let upgraded = hyper::upgrade::on(response).await;
    let upgraded = upgraded.map_err(|error| error_chain(&error))?;
    let received = exchange_messages(upgraded, secret)
        .await
        .map_err(|error| error_chain(&error))?;
    Ok(Conversation {
        name: "a WebSocket",
        protocol,
        received,
    })
}

fn handshake(
    method: TunnelMethod,
    address: SocketAddr,
    secret: &str,
) -> Result<Request<Body>, String> {
    let body = Empty::new().map_err(|never| match never {}).boxed_unsync();
    let builder = Request::builder()
        .header("sec-websocket-version", "13")
        .header("authorization", format!("Bearer {secret}"));
    let builder = match method {
        TunnelMethod::Upgrade => builder
            .uri("/chat")
            .header("host", address.to_string())
            .header("connection", "Upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        TunnelMethod::ExtendedConnect => builder
            .method(Method::CONNECT)
            .uri(format!("http://{address}/chat"))
            .extension(Protocol::from_static("websocket")),
    };
    builder.body(body).map_err(|error| error_chain(&error))
}

/// Sends each message after the answer to the previous one, then closes. Returns what the server
/// sent.
async fn exchange_messages(upgraded: Upgraded, secret: &str) -> Result<Vec<String>, Error> {
    let io = TokioIo::new(upgraded);
    let mut socket = WebSocketStream::from_raw_socket(io, Role::Client, None).await;
    let mut received = Vec::new();
    let mut unsent = MESSAGES.iter();
    // The server answers in capitals, which no redaction rule knows; the answer is left out.
    let login = format!("{{\"password\": \"{secret}\"}}");
    socket.send(Message::text(login)).await?;
    while let Some(message) = socket.next().await {
        match message? {
            Message::Text(text) if text.contains("PASSWORD") => {}
            Message::Text(text) => {
                received.push(text.to_string());
                match unsent.next() {
                    Some(text) => socket.send(Message::text(*text)).await?,
                    None => socket.close(Some(normal_closure())).await?,
                }
            }
            Message::Close(frame) => {
                let frame = frame.map(|frame| format!("{} {}", frame.code, frame.reason));
                received.push(format!("close {}", frame.unwrap_or_default()));
                break;
            }
            Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
        }
    }
    Ok(received)
}

fn normal_closure() -> CloseFrame {
    CloseFrame {
        code: CloseCode::Normal,
        reason: "goodbye".into(),
    }
}
