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
use super::read_ramp::SlowStartStream;
use ouli_config::{Scheme, Upstream as Address};
use ouli_message::failure::{FailureKind, Phase};

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
pub(super) struct PhaseTimeout {
    pub(super) what: &'static str,
    pub(super) limit: Duration,
    pub(super) key: &'static str,
}

/// A phase of the connection failed.
#[derive(Debug, thiserror::Error)]
#[error("no connection")]
pub(super) struct PhaseError {
    pub(super) phase: Phase,
    /// What happened, where the cause does not say it.
    pub(super) what: Option<FailureKind>,
    pub(super) source: BoxError,
}

impl PhaseError {
    fn in_phase<E: Into<BoxError>>(phase: Phase) -> impl FnOnce(E) -> Self {
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
            tls_timeout: bounds.tls_handshake_timeout,
            dial: Arc::clone(dial),
        }
    }

    pub(super) async fn connect(self) -> Result<TokioIo<MaybeTlsStream>, BoxError> {
        let host = self.target.host.trim_matches(['[', ']']);
        let socket = with_timeout(
            self.connect_timeout,
            "connection",
            "connect_timeout",
            self.dial.dial(host, self.target.port),
        );
        let socket = socket.await.map_err(PhaseError::in_phase(Phase::Connect))?;
        let Some(tls) = self.tls.filter(|_| self.target.scheme == Scheme::Https) else {
            return Ok(TokioIo::new(MaybeTlsStream::Plain(socket)));
        };
        let name = ServerName::try_from(host.to_owned());
        let handshake = tls.connect(name.map_err(PhaseError::in_phase(Phase::Tls))?, socket);
        let stream = with_timeout(
            self.tls_timeout,
            "TLS handshake",
            "tls_handshake_timeout",
            handshake,
        );
        let stream = stream.await.map_err(PhaseError::in_phase(Phase::Tls))?;
        Ok(TokioIo::new(MaybeTlsStream::Tls(Box::new(stream))))
    }
}

async fn with_timeout<T, E: Into<BoxError>>(
    limit: Duration,
    what: &'static str,
    key: &'static str,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, BoxError> {
    match tokio::time::timeout(limit, work).await {
        Ok(result) => result.map_err(Into::into),
        Err(_) => Err(PhaseTimeout { what, limit, key }.into()),
    }
}

impl tower_service::Service<Uri> for Connector {
    type Response = TokioIo<SlowStartStream>;
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
            let stream = connector.connect().await?.into_inner();
            let is_http2 = is_http2 || stream.connected().is_negotiated_h2();
            Ok(TokioIo::new(SlowStartStream::new(stream, is_http2)))
        })
    }
}

/// A connection to an upstream.
#[derive(Debug)]
pub enum MaybeTlsStream {
    /// In the clear.
    Plain(Box<dyn Socket>),
    /// Through TLS.
    Tls(Box<TlsStream<Box<dyn Socket>>>),
}

impl Connection for MaybeTlsStream {
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

impl AsyncRead for MaybeTlsStream {
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

impl AsyncWrite for MaybeTlsStream {
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
