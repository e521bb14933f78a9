//! A gRPC call in which client and server send messages in turn.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::BodyExt as _;
use http_body_util::channel::{Channel, Sender};
use hyper::body::Frame;

use super::body::Body;
use super::conversation::{Conversation, MESSAGES};
use ouli_codec::grpc::{self, MessageSplitter};
use ouli_message::error_chain::error_chain;
use ouli_net::drain::Drain;
use ouli_net::server::IncomingBody;
use ouli_net::upstream::UpstreamClient;

/// The maximum size of a message.
const MAX_MESSAGE_BYTES: u64 = 1 << 16;

/// The server: returns each message as soon as it arrives, and a status in the trailers.
pub(super) fn serve(request: Request<IncomingBody>) -> Response<Body> {
    let (sender, body) = Channel::new(1);
    let mut response = Response::new(body.boxed_unsync());
    let content_type = HeaderValue::from_static("application/grpc");
    response.headers_mut().insert("content-type", content_type);
    Drain::default().spawn(echo(request.into_body(), sender));
    response
}

async fn echo(mut body: IncomingBody, mut sender: Sender<Bytes>) {
    let mut splitter = MessageSplitter::new(MAX_MESSAGE_BYTES);
    while let Some(Ok(frame)) = body.frame().await {
        let data = frame.into_data().unwrap_or_default();
        for message in splitter.feed(&data).unwrap_or_default() {
            let frame = grpc::encode_frame(&message.bytes, false);
            if sender.send_data(frame).await.is_err() {
                return;
            }
        }
    }
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    // Fails if the client has closed the stream.
    let _ = sender.send_trailers(trailers).await;
}

/// The client: sends each message after the answer to the previous one.
pub(super) async fn call(
    client: &UpstreamClient,
    address: SocketAddr,
    secret: &str,
) -> Result<Conversation, String> {
    let (sender, body) = Channel::<Bytes>::new(1);
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
    let (mut body, mut received) = (response.into_body(), Vec::new());
    let mut splitter = MessageSplitter::new(MAX_MESSAGE_BYTES);
    let mut unsent = MESSAGES.iter();
    let mut sender = Some(sender);
    let mut next = unsent.next();
    loop {
        match (next.take(), &mut sender) {
            (Some(text), Some(sender)) => {
                let frame = grpc::encode_frame(text.as_bytes(), false);
                let sent = sender.send_data(frame).await;
                sent.map_err(|_| "the call was aborted".to_owned())?;
            }
            // Every message was answered: the client ends its side of the stream.
            (None, _) if received.len() == MESSAGES.len() => sender = None,
            (_, _) => {}
        }
        let frame = body.frame().await.ok_or("the call has no status")?;
        let frame: Frame<Bytes> = frame.map_err(|error| error_chain(&error))?;
        if let Some(trailers) = frame.trailers_ref() {
            received.push(format!("status {:?}", trailers.get("grpc-status")));
            break;
        }
        let data = frame.into_data().unwrap_or_default();
        let messages = splitter.feed(&data).map_err(|error| error_chain(&error))?;
        for message in messages {
            received.push(String::from_utf8_lossy(&message.bytes).into_owned());
            next = unsent.next();
        }
    }
    Ok(Conversation {
        name: "a gRPC call",
        protocol: "HTTP/2",
        received,
    })
}
