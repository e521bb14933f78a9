//! A WebSocket client that sends exactly the bytes of the test.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method, Request};
use http_body_util::Empty;
use hyper::client::conn::http2;
use hyper::ext::Protocol;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::Frame;
use crate::support::{spawn, wait_for};

/// The way in which a client opens a WebSocket.
#[derive(Clone)]
pub(crate) enum Way {
    /// An upgrade on HTTP/1.1.
    Upgrade,
    /// The same through TLS.
    Tls(Arc<rustls::ClientConfig>),
    /// An extended CONNECT on HTTP/2.
    Connect,
}

trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// An open WebSocket. Dropping it closes the connection without a close frame.
pub(crate) struct Peer {
    io: Box<dyn Io>,
    /// The headers of the handshake response.
    pub(crate) headers: HeaderMap,
    pub(crate) status: u16,
    task: Option<tokio::task::JoinHandle<()>>,
}

impl Peer {
    /// Opens a WebSocket; panics if the server refuses it.
    pub(crate) fn open(address: SocketAddr, way: &Way, target: &str) -> Self {
        Self::open_with(address, way, target, &[])
    }

    /// Opens a WebSocket with additional request headers.
    pub(crate) fn open_with(
        address: SocketAddr,
        way: &Way,
        target: &str,
        headers: &[(&str, &str)],
    ) -> Self {
        let peer = Self::ask(address, way, target, headers);
        let expected = if matches!(way, Way::Connect) {
            200
        } else {
            101
        };
        assert_eq!(peer.status, expected, "{target}: {:?}", peer.headers);
        peer
    }

    /// Sends a handshake and returns the WebSocket or the refusal.
    pub(crate) fn ask(
        address: SocketAddr,
        way: &Way,
        target: &str,
        headers: &[(&str, &str)],
    ) -> Self {
        wait_for("a WebSocket", async {
            let stream = TcpStream::connect(address).await.unwrap();
            stream.set_nodelay(true).unwrap();
            match way {
                Way::Upgrade => upgrade(Box::new(stream), target, headers).await,
                Way::Tls(config) => {
                    let connector = tokio_rustls::TlsConnector::from(Arc::clone(config));
                    let name = ServerName::from(address.ip());
                    let stream = connector.connect(name, stream).await.unwrap();
                    upgrade(Box::new(stream), target, headers).await
                }
                Way::Connect => connect(stream, address, target, headers).await,
            }
        })
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        assert!(self.try_send(bytes), "the server closed the connection");
    }

    /// Sends bytes; false if the server closed the connection.
    pub(crate) fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        wait_for("bytes to be sent", async {
            let is_sent = self.io.write_all(bytes.as_ref()).await.is_ok();
            // The answer to these bytes may have ended a stream of HTTP/2 already.
            let _ = self.io.flush().await;
            is_sent
        })
    }

    /// The next frame; none at the end of the connection.
    pub(crate) fn next(&mut self) -> Option<Frame> {
        wait_for("a frame", read_frame(&mut self.io))
    }

    /// Sends a frame and waits for one.
    pub(crate) fn asks(&mut self, bytes: impl AsRef<[u8]>) -> Frame {
        self.send(bytes);
        self.next().expect("an answer")
    }

    /// True if nothing arrives within `time`.
    pub(crate) fn is_silent_for(&mut self, time: std::time::Duration) -> bool {
        wait_for("silence", async {
            let mut byte = [0];
            tokio::time::timeout(time, self.io.read(&mut byte))
                .await
                .is_err()
        })
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
        }
    }
}

/// The key of the example in RFC 6455, section 1.3.
pub(crate) const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

async fn upgrade(mut io: Box<dyn Io>, target: &str, headers: &[(&str, &str)]) -> Peer {
    let mut head = format!(
        "GET {target} HTTP/1.1\r\nhost: test\r\nconnection: keep-alive, Upgrade\r\n\
         upgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: {KEY}\r\n"
    );
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    io.write_all((head + "\r\n").as_bytes()).await.unwrap();
    io.flush().await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        match io.read_u8().await {
            Ok(byte) => answer.push(byte),
            Err(error) => panic!("{error} after {:?}", String::from_utf8_lossy(&answer)),
        }
    }
    let answer = String::from_utf8(answer).unwrap();
    let mut lines = answer.trim_end().split("\r\n");
    let status = lines.next().unwrap()[9..12].parse().unwrap();
    let headers: HeaderMap = lines
        .map(|line| {
            let (name, value) = line.split_once(':').unwrap();
            let name = http::HeaderName::try_from(name).unwrap();
            (name, value.trim().try_into().unwrap())
        })
        .collect();
    if status == 101 {
        assert_eq!(headers["sec-websocket-accept"], ACCEPT);
        assert!(
            headers["upgrade"]
                .to_str()
                .unwrap()
                .eq_ignore_ascii_case("websocket")
        );
        assert!(
            headers["connection"]
                .to_str()
                .unwrap()
                .eq_ignore_ascii_case("upgrade")
        );
    }
    Peer {
        io,
        headers,
        status,
        task: None,
    }
}

async fn connect(
    stream: TcpStream,
    address: SocketAddr,
    target: &str,
    headers: &[(&str, &str)],
) -> Peer {
    let builder = http2::Builder::new(TokioExecutor::new());
    let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await.unwrap();
    let first = Request::get(format!("http://{address}/none")).header("ouli-session", "first");
    let task = tokio::spawn(async { drop(connection.await) });
    // The settings of the server have arrived when the first response is complete. Before that, a
    // client may not send an extended CONNECT (RFC 8441, section 3).
    let first = first.body(Empty::<Bytes>::new()).unwrap();
    drop(sender.send_request(first).await.unwrap());
    let mut request = Request::builder()
        .method(Method::CONNECT)
        .uri(format!("http://{address}{target}"))
        .extension(Protocol::from_static("websocket"))
        .header("sec-websocket-version", "13");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Empty::<Bytes>::new()).unwrap();
    let mut response = sender.send_request(request).await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    if status != 200 {
        let (io, _) = tokio::io::duplex(1);
        return Peer {
            io: Box::new(io),
            headers,
            status,
            task: Some(task),
        };
    }
    assert!(!headers.contains_key("sec-websocket-accept"));
    let upgraded = hyper::upgrade::on(&mut response).await.unwrap();
    // The sender keeps the connection open.
    spawn(async move {
        let _sender = sender;
        std::future::pending::<()>().await;
    });
    Peer {
        io: Box::new(TokioIo::new(upgraded)),
        headers,
        status,
        task: Some(task),
    }
}

async fn read_frame(io: &mut Box<dyn Io>) -> Option<Frame> {
    let first = io.read_u8().await.ok()?;
    let second = io.read_u8().await.ok()?;
    assert_eq!(
        second & 0x80,
        0,
        "a server must not mask (RFC 6455, section 5.1)"
    );
    let length = match second {
        126 => u64::from(io.read_u16().await.ok()?),
        127 => io.read_u64().await.ok()?,
        short => u64::from(short),
    };
    let mut payload = vec![0; length as usize];
    io.read_exact(&mut payload).await.ok()?;
    Some(Frame { first, payload })
}
