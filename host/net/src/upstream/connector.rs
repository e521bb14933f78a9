//! Connects to an upstream: name resolution, TCP, and TLS with ALPN, each with a time limit.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio_rustls::TlsConnector;

use super::bounds::Bounds;
use super::dial::{Dial, Socket};
use super::error::{BoxError, PhaseError, PhaseTimeout};
use super::has_answered::HasAnswered;
use super::plain_stream::PlainStream;
use super::tls_start::{TlsStart, handshake_error};
use ouli_config::{Scheme, Upstream as Address};
use ouli_message::failure::Phase;

/// Makes connections to one upstream.
#[derive(Clone)]
pub(super) struct Connector {
    target: Arc<Address>,
    tls: Option<TlsConnector>,
    connect_timeout: Duration,
    tls_timeout: Duration,
    dial: Arc<dyn Dial>,
    has_answered: HasAnswered,
}

/// A connection to an upstream.
pub(super) struct UpstreamConnection {
    pub(super) io: Box<dyn Socket>,
    /// It speaks HTTP/2, by prior knowledge or by ALPN.
    pub(super) is_http2: bool,
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Connector").field(&self.target).finish()
    }
}

impl Connector {
    pub(super) fn new(
        target: Address,
        tls: Option<Arc<rustls::ClientConfig>>,
        bounds: &Bounds,
        dial: &Arc<dyn Dial>,
        has_answered: HasAnswered,
    ) -> Self {
        Self {
            target: Arc::new(target),
            tls: tls.map(TlsConnector::from),
            connect_timeout: bounds.connect_timeout,
            tls_timeout: bounds.tls_handshake_timeout,
            dial: Arc::clone(dial),
            has_answered,
        }
    }

    pub(super) async fn connect(self) -> Result<UpstreamConnection, BoxError> {
        let host = self.target.host.trim_matches(['[', ']']);
        let socket = with_timeout(
            self.connect_timeout,
            "a connection to",
            "connect_timeout",
            self.dial.dial(host, self.target.port),
        );
        let socket = socket.await.map_err(PhaseError::in_phase(Phase::Connect))?;
        let Some(tls) = self.tls.filter(|_| self.target.scheme == Scheme::Https) else {
            let is_http2 = self.target.scheme == Scheme::H2c;
            return Ok(UpstreamConnection {
                io: Box::new(PlainStream::new(socket, is_http2, self.has_answered)),
                is_http2,
            });
        };
        let name = ServerName::try_from(host.to_owned());
        let socket: Box<dyn Socket> = Box::new(TlsStart::new(socket, self.has_answered.clone()));
        let handshake = tls.connect(name.map_err(PhaseError::in_phase(Phase::Tls))?, socket);
        let handshake = async {
            let done = handshake.await;
            done.map_err(|error| handshake_error(error, &self.has_answered))
        };
        let stream = with_timeout(
            self.tls_timeout,
            "the TLS handshake with",
            "tls_handshake_timeout",
            handshake,
        );
        let stream = stream.await.map_err(PhaseError::in_phase(Phase::Tls))?;
        Ok(UpstreamConnection {
            is_http2: stream.get_ref().1.alpn_protocol() == Some(b"h2"),
            io: Box::new(stream),
        })
    }
}

async fn with_timeout<T, E: Into<BoxError>>(
    limit: Duration,
    awaited: &'static str,
    key: &'static str,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, BoxError> {
    match tokio::time::timeout(limit, work).await {
        Ok(result) => result.map_err(Into::into),
        Err(_) => Err(PhaseTimeout {
            awaited,
            limit,
            key,
        }
        .into()),
    }
}
