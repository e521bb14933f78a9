//! The clients: each sends its requests in sequence and then keeps its connection open.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::origin::{SMALL, header};
use super::{AT_WORK, CONNECTIONS, LARGE, REQUESTS, Speech};
use crate::streams::Proxy;

/// An open connection.
#[expect(dead_code, reason = "dropped, it is closed")]
pub(super) enum Open {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    Http2(SendRequest<Full<Bytes>>),
}

/// Runs clients on a single-threaded runtime.
pub(super) fn run<T>(work: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().build().unwrap().block_on(work)
}

/// Opens as many connections as are active at once, and closes them.
pub(super) async fn rehearse(proxy: &Proxy, speech: Speech) {
    drop(open(proxy, speech, AT_WORK).await);
}

/// Opens all connections and leaves them idle.
pub(super) async fn crowd(proxy: &Proxy, speech: Speech) -> Vec<Open> {
    open(proxy, speech, CONNECTIONS).await
}

async fn open(proxy: &Proxy, speech: Speech, count: usize) -> Vec<Open> {
    let begun = Arc::new(AtomicUsize::new(0));
    let place = Arc::new(Place::of(proxy, speech));
    let tasks: Vec<_> = (0..AT_WORK)
        .map(|_| {
            let (begun, place) = (Arc::clone(&begun), Arc::clone(&place));
            tokio::spawn(async move {
                let mut open = Vec::new();
                while begun.fetch_add(1, Ordering::Relaxed) < count {
                    open.push(place.serve(speech).await.unwrap());
                }
                open
            })
        })
        .collect();
    let mut all = Vec::new();
    for task in tasks {
        all.extend(task.await.unwrap());
    }
    all
}

/// The address of the server and the TLS configuration.
struct Place {
    address: std::net::SocketAddr,
    tls: Option<TlsConnector>,
}

impl Place {
    fn of(proxy: &Proxy, speech: Speech) -> Self {
        let tls = (speech == Speech::Http1Tls).then(|| {
            let trusted = crate::certificates::trusting(&proxy.certificate(), &["http/1.1"]);
            TlsConnector::from(trusted)
        });
        Self {
            address: proxy.address,
            tls,
        }
    }

    async fn serve(&self, speech: Speech) -> io::Result<Open> {
        let mut stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        match speech {
            Speech::Http1 => {
                http1(&mut stream).await?;
                Ok(Open::Plain(stream))
            }
            Speech::Http1Tls => {
                let name = ServerName::from(self.address.ip());
                let mut stream = self.tls.as_ref().unwrap().connect(name, stream).await?;
                http1(&mut stream).await?;
                Ok(Open::Tls(Box::new(stream)))
            }
            Speech::Http2 => Ok(Open::Http2(http2(stream).await)),
            Speech::WebSocket => {
                websocket(&mut stream).await?;
                Ok(Open::Plain(stream))
            }
        }
    }
}

async fn http1(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> io::Result<()> {
    for _ in 0..REQUESTS {
        stream
            .write_all(b"GET /small HTTP/1.1\r\nhost: x\r\n\r\n")
            .await?;
        whole(stream, SMALL).await?;
    }
    let head = format!("POST /large HTTP/1.1\r\nhost: x\r\ncontent-length: {LARGE}\r\n\r\n");
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(&vec![b'y'; LARGE]).await?;
    // The TLS stream may buffer the last bytes, and reads do not flush it.
    stream.flush().await?;
    whole(stream, LARGE).await
}

/// Reads a response with a body of this size.
async fn whole(stream: &mut (impl AsyncRead + Unpin), size: usize) -> io::Result<()> {
    let mut buffer = [0; 16 << 10];
    let mut head = Vec::new();
    let mut left = loop {
        let read = read(stream, &mut buffer).await?;
        head.extend_from_slice(&buffer[..read]);
        if let Some(end) = head.windows(4).position(|four| four == b"\r\n\r\n") {
            assert!(
                head.starts_with(b"HTTP/1.1 200 "),
                "{}",
                String::from_utf8_lossy(&head)
            );
            break size - (head.len() - end - 4);
        }
    };
    while left > 0 {
        let most = left.min(buffer.len());
        left -= read(stream, &mut buffer[..most]).await?;
    }
    Ok(())
}

async fn read(stream: &mut (impl AsyncRead + Unpin), buffer: &mut [u8]) -> io::Result<usize> {
    match stream.read(buffer).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        read => Ok(read),
    }
}

async fn http2(stream: TcpStream) -> SendRequest<Full<Bytes>> {
    let client = http2::Builder::new(TokioExecutor::new());
    let (mut sender, connection) = client.handshake(TokioIo::new(stream)).await.unwrap();
    // The request reports connection errors.
    tokio::spawn(async move { connection.await.ok() });
    for number in 0..=REQUESTS {
        let (method, path, body) = if number < REQUESTS {
            (Method::GET, "small", Bytes::new())
        } else {
            (Method::POST, "large", Bytes::from(vec![b'y'; LARGE]))
        };
        let request = Request::builder()
            .method(method)
            .uri(format!("http://x/{path}"));
        let request = request.body(Full::new(body)).unwrap();
        let response = sender.send_request(request).await.unwrap();
        assert_eq!(response.status(), 200);
        // Reads chunk by chunk, so that the flow-control window is released.
        let mut body = response.into_body();
        while let Some(frame) = body.frame().await {
            frame.unwrap();
        }
    }
    sender
}

async fn websocket(stream: &mut TcpStream) -> io::Result<()> {
    let request = b"GET /socket HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\n\
        upgrade: websocket\r\nsec-websocket-version: 13\r\n\
        sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream.write_all(request).await?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    assert!(
        head.starts_with(b"HTTP/1.1 101"),
        "{}",
        String::from_utf8_lossy(&head)
    );
    let mut buffer = [0; 16 << 10];
    for number in 0..=REQUESTS {
        let size = if number < REQUESTS { SMALL } else { LARGE };
        let (head, content) = (header(size, true), vec![b'y'; size]);
        let (mut from, mut to) = stream.split();
        let sent = async {
            to.write_all(&head).await?;
            to.write_all(&content).await
        };
        let heard = async {
            let mut left = header(size, false).len() + size;
            while left > 0 {
                let most = left.min(buffer.len());
                left -= read(&mut from, &mut buffer[..most]).await?;
            }
            io::Result::Ok(())
        };
        tokio::try_join!(sent, heard)?;
    }
    Ok(())
}
