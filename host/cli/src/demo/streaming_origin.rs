//! What the origin of the demo says bit by bit: events, a WebSocket, and calls of gRPC.

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Version};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::{Frame, Incoming};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc;

use super::origin::{Body, body_channel};
use ouli_codec::grpc::{self, MessageSplitter};
use ouli_codec::websocket::{self, Bounds, Decoder, Encoder, ReceivedMessage};
use ouli_message::stream::Side;
use ouli_net::drain::Drain;

/// Bytes of one message; the demo has small ones.
const MAX_MESSAGE_BYTES: u64 = 1 << 16;

/// The two pieces of a key that a border of events cuts.
pub(super) fn split_secret(secret: &str) -> (&str, &str) {
    secret.split_at(secret.len() / 2)
}

/// An event stream. The key in it is cut by the border of two events.
pub(super) fn events(secret: &str) -> Body {
    let (one, two) = split_secret(secret);
    let events = [
        "event: hello\nid: 1\ndata: {\"n\": 1}\n\n".to_owned(),
        format!("data: {{\"delta\": \"your key is {one}\"}}\n\n"),
        format!("data: {{\"delta\": \"{two}, keep it\"}}\n\n"),
        "data: [DONE]\n\n".to_owned(),
    ];
    let (parts, body) = body_channel();
    Drain::default().spawn(async move {
        for event in events {
            if parts.send(Frame::data(event.into())).await.is_err() {
                return;
            }
            tokio::task::yield_now().await;
        }
    });
    body
}

/// Agrees to a WebSocket that greets, and then says what it heard in capitals.
pub(super) fn chat(mut request: Request<Incoming>) -> Response<Body> {
    let nothing = Empty::new().boxed_unsync();
    let mut response = Response::new(nothing);
    if request.version() != Version::HTTP_2 {
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let key = request.headers().get("sec-websocket-key");
        let key = key.and_then(|key| key.to_str().ok()).unwrap_or_default();
        let headers = response.headers_mut();
        headers.insert("connection", HeaderValue::from_static("Upgrade"));
        headers.insert("upgrade", HeaderValue::from_static("websocket"));
        if let Ok(accept) = HeaderValue::try_from(websocket::accept_key(key)) {
            headers.insert("sec-websocket-accept", accept);
        }
    }
    let upgraded = hyper::upgrade::on(&mut request);
    Drain::default().spawn(async move {
        if let Ok(upgraded) = upgraded.await {
            // The client sees what went wrong.
            let _ = serve_websocket(TokioIo::new(upgraded)).await;
        }
    });
    response
}

async fn serve_websocket(mut io: TokioIo<Upgraded>) -> std::io::Result<()> {
    let bounds = Bounds {
        frame: MAX_MESSAGE_BYTES,
        message: MAX_MESSAGE_BYTES,
        ratio: 100,
    };
    let mut decoder = Decoder::new(Side::Client, bounds, None);
    let mut encoder = Encoder::new(Side::Server, None);
    let mut input = BytesMut::new();
    let greeting = encoder.message(true, b"welcome", false, None);
    io.write_all(&greeting).await?;
    loop {
        let answer = match decoder.decode(&mut input) {
            Ok(None) => {
                if io.read_buf(&mut input).await? == 0 {
                    return Ok(());
                }
                continue;
            }
            Ok(Some(ReceivedMessage::Data { content, .. })) => {
                let loud = content.to_ascii_uppercase();
                encoder.message(true, &loud, false, None)
            }
            Ok(Some(ReceivedMessage::Ping(payload))) => encoder.pong(&payload, None),
            Ok(Some(ReceivedMessage::Pong(_))) => continue,
            Ok(Some(ReceivedMessage::Close { code, .. })) => {
                io.write_all(&encoder.close(code, "goodbye", None)).await?;
                return io.shutdown().await;
            }
            Err(violation) => encoder.close(Some(violation.code), violation.reason, None),
        };
        io.write_all(&answer).await?;
    }
}

/// A call that answers each message as soon as it comes, with a status in the trailers.
pub(super) fn call(request: Request<Incoming>) -> Response<Body> {
    let (parts, body) = body_channel();
    let mut response = Response::new(body);
    let content_type = HeaderValue::from_static("application/grpc");
    response.headers_mut().insert("content-type", content_type);
    Drain::default().spawn(answer(request.into_body(), parts));
    response
}

async fn answer(mut body: Incoming, parts: mpsc::Sender<Frame<Bytes>>) {
    let mut splitter = MessageSplitter::new(MAX_MESSAGE_BYTES);
    while let Some(Ok(frame)) = body.frame().await {
        let data = frame.into_data().unwrap_or_default();
        for message in splitter.feed(&data).unwrap_or_default() {
            let answer = grpc::encode_frame(&message.bytes, false);
            if parts.send(Frame::data(answer)).await.is_err() {
                return;
            }
        }
    }
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    // A client that is gone needs no status.
    let _ = parts.send(Frame::trailers(trailers)).await;
}
