//! A client connection that a test keeps open for several requests.

use std::net::SocketAddr;
use std::sync::Arc;

use http::{Request, Response, Version};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::{Answer, Body, Broken};

/// A connection. Dropping it closes it.
pub(crate) struct Connection {
    sender: Sender,
    task: tokio::task::JoinHandle<()>,
    /// The protocol that ALPN selected; none without TLS.
    pub(crate) alpn: Option<Vec<u8>>,
}

enum Sender {
    Http1(http1::SendRequest<Body>),
    Http2(http2::SendRequest<Body>),
}

impl Connection {
    pub(super) async fn open(
        address: SocketAddr,
        version: Version,
        tls: Option<Arc<rustls::ClientConfig>>,
    ) -> Result<Self, Broken> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let Some(tls) = tls else {
            return Self::speak(stream, version, None).await;
        };
        let name = ServerName::from(address.ip());
        let connector = tokio_rustls::TlsConnector::from(tls);
        let stream = connector.connect(name, stream).await?;
        let alpn = stream.get_ref().1.alpn_protocol().map(<[u8]>::to_vec);
        Self::speak(stream, version, alpn).await
    }

    async fn speak(
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        version: Version,
        alpn: Option<Vec<u8>>,
    ) -> Result<Self, Broken> {
        let stream = TokioIo::new(stream);
        // A connection error is reported by the request that it affects.
        let (sender, task) = if version == Version::HTTP_2 {
            let (sender, connection) = http2::handshake(TokioExecutor::new(), stream).await?;
            (
                Sender::Http2(sender),
                tokio::spawn(async { drop(connection.await) }),
            )
        } else {
            let (sender, connection) = http1::handshake(stream).await?;
            (
                Sender::Http1(sender),
                tokio::spawn(async { drop(connection.await) }),
            )
        };
        Ok(Self { sender, task, alpn })
    }

    /// Sends a request and reads the whole response.
    pub(crate) async fn send(&mut self, request: Request<Body>) -> Result<Answer, Broken> {
        collect(self.start(request).await?).await
    }

    /// Sends a request and returns when the response head has arrived.
    pub(crate) async fn start(
        &mut self,
        request: Request<Body>,
    ) -> Result<Response<Incoming>, Broken> {
        Ok(match &mut self.sender {
            Sender::Http1(sender) => {
                sender.ready().await?;
                sender.send_request(request).await?
            }
            Sender::Http2(sender) => {
                sender.ready().await?;
                sender.send_request(request).await?
            }
        })
    }

    /// A second handle of an HTTP/2 connection, for a concurrent request.
    pub(crate) fn http2(&self) -> http2::SendRequest<Body> {
        match &self.sender {
            Sender::Http2(sender) => sender.clone(),
            Sender::Http1(_) => panic!("an HTTP/1.1 connection has one request at a time"),
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Reads a response to its end.
pub(crate) async fn collect(response: Response<Incoming>) -> Result<Answer, Broken> {
    let (head, body) = response.into_parts();
    let body = body.collect().await?;
    Ok(Answer {
        status: head.status.as_u16(),
        version: head.version,
        headers: head.headers,
        trailers: body.trailers().cloned(),
        body: body.to_bytes(),
    })
}
