//! Conversations of the demo: WebSockets over HTTP/1.1 and HTTP/2, and a call of gRPC in which each
//! side waits for the other.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Method, Request};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Frame;
use hyper::ext::Protocol;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::origin::body_channel;
use ouli_codec::grpc::{self, MessageSplitter};
use ouli_codec::websocket::{Bounds, Decoder, Encoder, ReceivedMessage};
use ouli_config::Limits;
use ouli_message::error_chain::error_chain;
use ouli_message::stream::Side;
use ouli_net::upstream::{Body, Dial, TcpDialer, TunnelMethod, UpstreamClient};
use ouli_proxy::gateway::upstream_bounds;

/// What one side of a conversation heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Conversation {
    pub(super) name: &'static str,
    pub(super) protocol: &'static str,
    pub(super) received: Vec<String>,
}

/// What is said in each of them; a mask as good as any.
const MESSAGES: [&str; 3] = ["hello", "how are you", "goodbye"];
const MASK: [u8; 4] = [7, 77, 17, 177];

/// Bytes of one message; the demo has small ones.
const MAX_MESSAGE_BYTES: u64 = 1 << 16;

/// Has all conversations, one after the other. The secret goes along with each.
pub(super) async fn all(
    http1: SocketAddr,
    http2: SocketAddr,
    secret: &str,
) -> Result<Vec<Conversation>, String> {
    let client = |url: String| -> Result<UpstreamClient, String> {
        let address = url.parse().map_err(|_| format!("{url} is no address"))?;
        let bounds = upstream_bounds(&Limits::default());
        let dial: Arc<dyn Dial> = Arc::new(TcpDialer::default());
        Ok(UpstreamClient::new(&address, None, &bounds, &dial))
    };
    let one = client(format!("http://{http1}"))?;
    let two = client(format!("h2c://{http2}"))?;
    Ok(vec![
        with_name(
            "a WebSocket over HTTP/1.1",
            chat(&one, http1, "HTTP/1.1", secret),
        )
        .await?,
        with_name(
            "a WebSocket over HTTP/2",
            chat(&two, http2, "HTTP/2", secret),
        )
        .await?,
        with_name("a call of gRPC", call(&two, http2, secret)).await?,
    ])
}

/// Names what went wrong where.
async fn with_name(
    name: &str,
    talk: impl Future<Output = Result<Conversation, String>>,
) -> Result<Conversation, String> {
    talk.await.map_err(|error| format!("{name}: {error}"))
}

async fn chat(
    client: &UpstreamClient,
    address: SocketAddr,
    protocol: &'static str,
    secret: &str,
) -> Result<Conversation, String> {
    let opened = client
        .open_tunnel()
        .await
        .map_err(|error| error_chain(&error))?;
    let request = handshake(opened.method(), address, secret)?;
    let response = client.request_tunnel(opened, request).await;
    let response = response.map_err(|error| error_chain(&error))?;
    let upgraded = hyper::upgrade::on(response).await;
    let io = TokioIo::new(upgraded.map_err(|error| error_chain(&error))?);
    let heard = exchange_messages(io, secret)
        .await
        .map_err(|error| error_chain(&error))?;
    Ok(Conversation {
        name: "a WebSocket",
        protocol,
        received: heard,
    })
}

fn handshake(
    way: TunnelMethod,
    address: SocketAddr,
    secret: &str,
) -> Result<Request<Body>, String> {
    let nothing = Empty::new().map_err(|never| match never {}).boxed_unsync();
    let builder = Request::builder()
        .header("sec-websocket-version", "13")
        .header("authorization", format!("Bearer {secret}"));
    let builder = match way {
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
    builder.body(nothing).map_err(|error| error_chain(&error))
}

/// Says the words, each once the one before is answered, then closes.
async fn exchange_messages(
    mut io: TokioIo<hyper::upgrade::Upgraded>,
    secret: &str,
) -> std::io::Result<Vec<String>> {
    let bounds = Bounds {
        frame: MAX_MESSAGE_BYTES,
        message: MAX_MESSAGE_BYTES,
        ratio: 100,
    };
    let mut decoder = Decoder::new(Side::Server, bounds, None);
    let mut encoder = Encoder::new(Side::Client, None);
    let mut input = BytesMut::new();
    let mut heard = Vec::new();
    let mut words = MESSAGES.iter();
    // The secret is said as well; the server shouts what it hears, so that it comes back changed.
    let login = format!("{{\"password\": \"{secret}\"}}");
    io.write_all(&encoder.message(true, login.as_bytes(), false, Some(MASK)))
        .await?;
    loop {
        match decoder.decode(&mut input) {
            Ok(None) => {
                if io.read_buf(&mut input).await? == 0 {
                    return Ok(heard);
                }
            }
            Ok(Some(ReceivedMessage::Data { content, .. })) => {
                let text = String::from_utf8_lossy(&content).into_owned();
                if text.contains("PASSWORD") {
                    continue;
                }
                heard.push(text);
                let frame = match words.next() {
                    Some(word) => encoder.message(true, word.as_bytes(), false, Some(MASK)),
                    None => encoder.close(Some(1000), "", Some(MASK)),
                };
                io.write_all(&frame).await?;
            }
            Ok(Some(ReceivedMessage::Close { code, reason })) => {
                heard.push(format!("close {} {reason}", code.unwrap_or_default()));
                return Ok(heard);
            }
            Ok(Some(ReceivedMessage::Ping(_) | ReceivedMessage::Pong(_))) => {}
            Err(violation) => return Err(std::io::Error::other(violation)),
        }
    }
}

async fn call(
    client: &UpstreamClient,
    address: SocketAddr,
    secret: &str,
) -> Result<Conversation, String> {
    let (parts, body) = body_channel();
    let request = Request::post(format!("http://{address}/demo.Chat/Talk"))
        .version(http::Version::HTTP_2)
        .header("te", HeaderValue::from_static("trailers"))
        .header("content-type", "application/grpc")
        .header("authorization", format!("Bearer {secret}"))
        .body(body.map_err(|never| match never {}).boxed_unsync());
    let request = request.map_err(|error| error_chain(&error))?;
    let response = client
        .send(request)
        .await
        .map_err(|error| error_chain(&error))?;
    let (mut body, mut heard) = (response.into_body(), Vec::new());
    let (mut splitter, mut words) = (MessageSplitter::new(MAX_MESSAGE_BYTES), MESSAGES.iter());
    let say = |word: &str| Frame::data(grpc::encode_frame(word.as_bytes(), false));
    let mut parts = Some(parts);
    let mut due = words.next();
    loop {
        match (due.take(), &parts) {
            (Some(word), Some(open)) => {
                let sent = open.send(say(word)).await;
                sent.map_err(|_| "the call was cut off".to_owned())?;
            }
            // All was said, which ends the client's side.
            (None, _) if heard.len() == MESSAGES.len() => parts = None,
            (_, _) => {}
        }
        let frame = body.frame().await.ok_or("the call has no status")?;
        let frame: Frame<Bytes> = frame.map_err(|error| error_chain(&error))?;
        if let Some(trailers) = frame.trailers_ref() {
            heard.push(format!("status {:?}", trailers.get("grpc-status")));
            break;
        }
        let data = frame.into_data().unwrap_or_default();
        let messages = splitter.feed(&data).map_err(|error| error_chain(&error))?;
        for message in messages {
            heard.push(String::from_utf8_lossy(&message.bytes).into_owned());
            due = words.next();
        }
    }
    Ok(Conversation {
        name: "a call of gRPC",
        protocol: "HTTP/2",
        received: heard,
    })
}
