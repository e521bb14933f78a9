//! Dials an upstream: name, TCP, TLS with ALPN, each within its time.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::Bounds;
use super::dial::{Dial, Socket};
use super::read_ramp::Ramp;
use ouli_config::{Scheme, Upstream as Address};
use ouli_message::failure::{Phase, What};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Makes connections to one upstream.
#[derive(Clone)]
pub(super) struct Connector {
    target: Arc<Address>,
    tls: Option<TlsConnector>,
    connect_timeout: Duration,
    tls_timeout: Duration,
    dial: Arc<dyn Dial>,
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Connector").field(&self.target).finish()
    }
}

/// A phase of the connection took too long.
#[derive(Debug, thiserror::Error)]
#[error("no {what} within {limit:?}")]
pub(super) struct Late {
    pub(super) what: &'static str,
    pub(super) limit: Duration,
    pub(super) key: &'static str,
}

/// A phase of the connection failed.
#[derive(Debug, thiserror::Error)]
#[error("no connection")]
pub(super) struct Failed {
    pub(super) phase: Phase,
    /// What happened, where the cause does not say it.
    pub(super) what: Option<What>,
    pub(super) source: BoxError,
}

impl Failed {
    fn at<E: Into<BoxError>>(phase: Phase) -> impl FnOnce(E) -> Self {
        move |error| Self {
            phase,
            what: None,
            source: error.into(),
        }
    }
}

impl Connector {
    pub(super) fn new(
        target: Address,
        tls: Option<Arc<rustls::ClientConfig>>,
        bounds: &Bounds,
        dial: &Arc<dyn Dial>,
    ) -> Self {
        Self {
            target: Arc::new(target),
            tls: tls.map(TlsConnector::from),
            connect_timeout: bounds.connect_timeout,
            tls_timeout: bounds.tls_timeout,
            dial: Arc::clone(dial),
        }
    }

    pub(super) async fn dial(self) -> Result<TokioIo<Dialled>, BoxError> {
        let host = self.target.host.trim_matches(['[', ']']);
        let socket = within(
            self.connect_timeout,
            "connection",
            "connect_timeout",
            self.dial.dial(host, self.target.port),
        );
        let socket = socket.await.map_err(Failed::at(Phase::Connect))?;
        let Some(tls) = self.tls.filter(|_| self.target.scheme == Scheme::Https) else {
            return Ok(TokioIo::new(Dialled::Plain(socket)));
        };
        let name = ServerName::try_from(host.to_owned());
        let handshake = tls.connect(name.map_err(Failed::at(Phase::Tls))?, socket);
        let stream = within(self.tls_timeout, "TLS handshake", "tls_timeout", handshake);
        let stream = stream.await.map_err(Failed::at(Phase::Tls))?;
        Ok(TokioIo::new(Dialled::Tls(Box::new(stream))))
    }
}

async fn within<T, E: Into<BoxError>>(
    limit: Duration,
    what: &'static str,
    key: &'static str,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, BoxError> {
    match tokio::time::timeout(limit, work).await {
        Ok(result) => result.map_err(Into::into),
        Err(_) => Err(Late { what, limit, key }.into()),
    }
}

impl tower_service::Service<Uri> for Connector {
    type Response = TokioIo<Ramp>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    /// The address is the upstream's own, whatever the request says: nothing else is ever dialled.
    fn call(&mut self, _: Uri) -> Self::Future {
        let connector = self.clone();
        Box::pin(async move {
            let is_http2 = connector.target.scheme == Scheme::H2c;
            let stream = connector.dial().await?.into_inner();
            let is_http2 = is_http2 || stream.connected().is_negotiated_h2();
            Ok(TokioIo::new(Ramp::new(stream, is_http2)))
        })
    }
}

/// A connection to an upstream.
#[derive(Debug)]
pub enum Dialled {
    /// In the clear.
    Plain(Box<dyn Socket>),
    /// Through TLS.
    Tls(Box<TlsStream<Box<dyn Socket>>>),
}

impl Connection for Dialled {
    fn connected(&self) -> Connected {
        let connected = Connected::new();
        match self {
            Self::Tls(stream) if stream.get_ref().1.alpn_protocol() == Some(b"h2") => {
                connected.negotiated_h2()
            }
            Self::Plain(_) | Self::Tls(_) => connected,
        }
    }
}

impl AsyncRead for Dialled {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        target: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, target),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, target),
        }
    }
}

impl AsyncWrite for Dialled {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, buffers),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, buffers),
        }
    }
}
