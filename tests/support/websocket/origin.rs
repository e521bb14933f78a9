//! A WebSocket origin on HTTP/1.1 and HTTP/2.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::upgrade::Upgraded;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use ouli_codec::websocket::{self, Bounds, Decoder, DeflateParams, Encoder, ReceivedMessage};
use ouli_message::stream::Side;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

/// A running origin. A stop or a drop closes its listener and its connections.
pub(crate) struct SocketOrigin {
    pub(crate) address: SocketAddr,
    stop: watch::Sender<bool>,
}

/// Paths: `/echo` returns each message; `/push` sends five numbers after the message `go`; `/hello`
/// sends the first message; `/closes` closes with 4001 after the first message; `/cuts` closes the
/// connection after the first message; `/login` responds with a token; `/refuses` responds with
/// 401.
pub(crate) fn socket_origin() -> SocketOrigin {
    socket_origin_with(None)
}

/// The same through TLS.
pub(crate) fn socket_origin_with(tls: Option<Arc<rustls::ServerConfig>>) -> SocketOrigin {
    let (stop, stopped) = watch::channel(false);
    let address = crate::support::wait_for("the origin", async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(accept(listener, tls.map(TlsAcceptor::from), stopped));
        address
    });
    SocketOrigin { address, stop }
}

impl SocketOrigin {
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn h2c(&self) -> String {
        format!("h2c://{}", self.address)
    }
}

impl Drop for SocketOrigin {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}

async fn accept(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    mut stopped: watch::Receiver<bool>,
) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopped.changed() => return,
        };
        let (stream, _) = accepted.unwrap();
        stream.set_nodelay(true).unwrap();
        let tls = tls.clone();
        tokio::spawn(async move {
            match tls {
                None => serve(stream).await,
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        serve(stream).await;
                    }
                }
            }
        });
    }
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http2().enable_connect_protocol();
    // A client that disconnected is not an error of the origin.
    let _ = builder
        .serve_connection_with_upgrades(TokioIo::new(stream), service_fn(answer))
        .await;
}

async fn answer(mut request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path().to_owned();
    if path == "/refuses" {
        let mut response = Response::new(Full::from("who are you?"));
        *response.status_mut() = http::StatusCode::UNAUTHORIZED;
        return Ok(response);
    }
    let upgrade = websocket::is_websocket_upgrade(request.headers());
    if !upgrade && request.method() != http::Method::CONNECT {
        return Ok(Response::new(Full::from("a page")));
    }
    let offers = request.headers().clone();
    let mut response = Response::new(Full::default());
    if upgrade {
        *response.status_mut() = http::StatusCode::SWITCHING_PROTOCOLS;
        let key = offers["sec-websocket-key"].to_str().unwrap();
        let accept = websocket::accept_key(key);
        let headers = response.headers_mut();
        headers.insert("connection", "Upgrade".parse().unwrap());
        headers.insert("upgrade", "websocket".parse().unwrap());
        headers.insert("sec-websocket-accept", accept.parse().unwrap());
    }
    let deflate = agree(&offers, response.headers_mut());
    let upgraded = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        if let Ok(upgraded) = upgraded.await {
            Socket::new(upgraded, deflate).run(&path).await;
        }
    });
    Ok(response)
}

/// The last subprotocol of the offer, and compression if it is offered.
fn agree(offers: &HeaderMap, headers: &mut HeaderMap) -> Option<DeflateParams> {
    if let Some(protocols) = offers.get("sec-websocket-protocol") {
        let last = protocols.to_str().unwrap().rsplit(',').next().unwrap();
        headers.insert("sec-websocket-protocol", last.trim().parse().unwrap());
    }
    let (value, deflate) = DeflateParams::negotiate(offers, &DeflateParams::default())?;
    headers.insert("sec-websocket-extensions", value);
    Some(deflate)
}

struct Socket {
    io: TokioIo<Upgraded>,
    input: BytesMut,
    decoder: Decoder,
    encoder: Encoder,
}

impl Socket {
    fn new(upgraded: Upgraded, deflate: Option<DeflateParams>) -> Self {
        let bounds = Bounds {
            frame: 32 << 20,
            message: 32 << 20,
            ratio: 10_000,
        };
        Self {
            io: TokioIo::new(upgraded),
            input: BytesMut::new(),
            decoder: Decoder::new(Side::Client, bounds, deflate),
            encoder: Encoder::new(Side::Server, deflate),
        }
    }

    async fn run(mut self, path: &str) {
        if path == "/hello" {
            self.say("hello").await;
        }
        while let Some(heard) = self.hear().await {
            let frame = match heard {
                Err(violation) => self.encoder.close(Some(violation.code), "", None),
                Ok(ReceivedMessage::Close { code, reason }) => {
                    self.encoder.close(code, &reason, None)
                }
                Ok(ReceivedMessage::Ping(payload)) => self.encoder.pong(&payload, None),
                Ok(ReceivedMessage::Pong(_)) => continue,
                Ok(ReceivedMessage::Data { .. }) if path == "/cuts" => return,
                Ok(ReceivedMessage::Data { .. }) if path == "/closes" => {
                    self.encoder.close(Some(4001), "go away", None)
                }
                Ok(ReceivedMessage::Data { content, .. }) if path == "/push" && content == "go" => {
                    for number in 0..5 {
                        self.say(&number.to_string()).await;
                        tokio::time::sleep(Duration::from_millis(30)).await;
                    }
                    continue;
                }
                Ok(ReceivedMessage::Data { content, .. }) if path == "/login" => {
                    let asked = String::from_utf8_lossy(&content);
                    let answer = format!("{{\"token\": \"tok-9f8e7d6c5b4a\", \"for\": {asked}}}");
                    self.encoder.message(true, answer.as_bytes(), true, None)
                }
                Ok(ReceivedMessage::Data {
                    text,
                    content,
                    compressed,
                }) => self.encoder.message(text, &content, compressed, None),
            };
            let closing = frame[0] == super::CLOSE;
            if self.io.write_all(&frame).await.is_err() || self.io.flush().await.is_err() {
                return;
            }
            if closing {
                let _ = self.io.shutdown().await;
                let _ = tokio::time::timeout(Duration::from_secs(5), async {
                    while self
                        .io
                        .read_buf(&mut self.input)
                        .await
                        .is_ok_and(|read| read > 0)
                    {
                        self.input.clear();
                    }
                })
                .await;
                return;
            }
        }
    }

    async fn say(&mut self, text: &str) {
        let frame = self.encoder.message(true, text.as_bytes(), true, None);
        self.io.write_all(&frame).await.unwrap();
        self.io.flush().await.unwrap();
    }

    async fn hear(&mut self) -> Option<Result<ReceivedMessage, websocket::Violation>> {
        loop {
            match self.decoder.decode(&mut self.input) {
                Ok(Some(heard)) => return Some(Ok(heard)),
                Err(violation) => return Some(Err(violation)),
                Ok(None) => {}
            }
            match self.io.read_buf(&mut self.input).await {
                Ok(0) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }
}
