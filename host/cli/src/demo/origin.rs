//! The origin of the demo: a few resources over HTTP/1.1 and HTTP/2.

use std::convert::Infallible;
use std::io::Write as _;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::cases::SECRET;
use super::streaming_origin;
use ouli_message::error_chain::error_chain;
use ouli_net::drain::{Drain, DrainSignal};

/// A running origin.
pub(super) struct Origin {
    pub(super) address: SocketAddr,
    drain: Drain,
}

/// The body of what it answers.
pub(super) type Body = UnsyncBoxBody<Bytes, Infallible>;

impl Origin {
    #[expect(
        clippy::disallowed_methods,
        reason = "the demo's origin stands for a server outside of the gateway"
    )]
    pub(super) async fn start() -> Result<Self, String> {
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.map_err(|error| error_chain(&error))?;
        let address = listener.local_addr().map_err(|error| error_chain(&error))?;
        let drain = Drain::default();
        drain.spawn(accept(listener, drain.clone(), drain.signal()));
        Ok(Self { address, drain })
    }

    /// From now on nobody answers at its address.
    pub(super) fn stop(self) {
        self.drain.begin();
    }
}

async fn accept(listener: TcpListener, drain: Drain, mut stop: DrainSignal) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.draining() => return,
        };
        let Ok((stream, _)) = accepted else { return };
        let mut stop = stop.clone();
        drain.spawn(async move {
            let mut builder = auto::Builder::new(TokioExecutor::new());
            builder.http2().enable_connect_protocol();
            let io = TokioIo::new(stream);
            let connection = builder.serve_connection_with_upgrades(io, service_fn(answer));
            tokio::select! {
                // The client sees what went wrong.
                _ = connection => {}
                () = stop.draining() => {}
            }
        });
    }
}

async fn answer(request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    let route = (request.method().clone(), request.uri().path().to_owned());
    match (&route.0, route.1.as_str()) {
        (_, "/chat") => return Ok(streaming_origin::chat(request)),
        (_, "/demo.Chat/Talk") => return Ok(streaming_origin::call(request)),
        _ => {}
    }
    let response = Response::builder().header("date", "Thu, 01 Jan 2026 00:00:00 GMT");
    let text = response.header("content-type", "text/plain; charset=utf-8");
    let built = match (&route.0, route.1.as_str()) {
        (&Method::GET, "/hello") => text.body(full_body("good morning\n")),
        (&Method::GET, "/gzip") => text
            .header("content-encoding", "gzip")
            .body(full_body(gzip(b"good morning, over and over\n"))),
        (&Method::GET, "/stream") => text.body(chunks()),
        (&Method::GET, "/events") => Response::builder()
            .header("content-type", "text/event-stream")
            .body(streaming_origin::events(SECRET)),
        (&Method::GET, "/bytes") => Response::builder()
            .header("content-type", "application/octet-stream")
            .body(full_body((0..=255).collect::<Vec<u8>>())),
        (&Method::GET, "/moved") => text
            .status(302)
            .header("location", "/hello")
            .body(full_body("")),
        (&Method::GET, "/login") => text
            .header("set-cookie", "session=2b7e151628aed2a6; Path=/; HttpOnly")
            .header("set-cookie", "theme=dark; Path=/")
            .body(full_body("welcome\n")),
        (&Method::GET, "/nothing") => Response::builder().status(204).body(full_body("")),
        (&Method::POST, "/form" | "/orders") => {
            let body = request.into_body().collect().await;
            let size = body.map(|body| body.to_bytes().len()).unwrap_or_default();
            Response::builder()
                .status(201)
                .header("content-type", "application/json")
                .body(full_body(format!("{{\"received\": {}}}\n", size > 0)))
        }
        _ => text.status(404).body(full_body("there is no such thing\n")),
    };
    Ok(built.unwrap_or_else(|_| Response::new(full_body("the origin of the demo is broken"))))
}

fn full_body(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).boxed_unsync()
}

/// A body whose parts come one after the other.
fn chunks() -> Body {
    let (parts, body) = body_channel();
    Drain::default().spawn(async move {
        for number in 1..=3 {
            let part = Bytes::from(format!("part {number}\n"));
            if parts.send(Frame::data(part)).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    });
    body
}

/// A body, and the way to write it.
pub(super) fn body_channel() -> (mpsc::Sender<Frame<Bytes>>, Body) {
    let (parts, queue) = mpsc::channel(1);
    (parts, ChannelBody(queue).boxed_unsync())
}

/// A channel as a body.
struct ChannelBody(mpsc::Receiver<Frame<Bytes>>);

impl hyper::body::Body for ChannelBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let polled = self.0.poll_recv(cx);
        polled.map(|part| part.map(Ok))
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    // Writing to memory does not fail.
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default()
}
