//! Opens a tunnel to an upstream, on a connection of its own: by an upgrade on HTTP/1.1 (RFC 9110,
//! section 7.8), or by an extended CONNECT on HTTP/2 (RFC 8441). Opens other connections outside of
//! the pool too.

use std::future::{Future as _, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use http::{Request, Response, Version};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::AlertDescription;

use super::body_timeout::Body;
use super::bounds::Bounds;
use super::connector::{Connector, UpstreamConnection};
use super::dial::{Dial, Socket};
use super::early_close::EarlyCloseStream;
use super::error::BoxError;
use super::has_answered::HasAnswered;
use super::inspected_stream::InspectedStream;
use super::slow_start::SlowStartStream;
use super::tasks::{DeferredExecutor, spawn};
use crate::http::authority::to_origin_form;
use ouli_config::{Scheme, Upstream as Address};

/// Opens tunnels to one upstream.
#[derive(Clone, Debug)]
pub(super) struct TunnelConnector {
    http1: Connector,
    http2: Connector,
    scheme: Scheme,
    stream_window: u32,
    header_bytes: usize,
    header_count: usize,
    send_buffer: usize,
}

/// How a tunnel is requested. It depends on the protocol of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TunnelMethod {
    /// `GET` with `upgrade`, on HTTP/1.1.
    Upgrade,
    /// `CONNECT` with `:protocol`, on HTTP/2.
    ExtendedConnect,
}

/// A connection on which a tunnel can be requested.
pub enum TunnelConnection {
    /// HTTP/1.1.
    Upgrade(http1::SendRequest<Body>),
    /// HTTP/2, to a server that allows extended CONNECT.
    ExtendedConnect(http2::SendRequest<Body>),
}

impl TunnelConnection {
    /// How the tunnel is requested.
    pub fn method(&self) -> TunnelMethod {
        match self {
            Self::Upgrade(_) => TunnelMethod::Upgrade,
            Self::ExtendedConnect(_) => TunnelMethod::ExtendedConnect,
        }
    }

    /// Sends the request. Returns the response head, from which `hyper::upgrade::on` takes the
    /// tunnel.
    pub(super) async fn send(
        self,
        mut request: Request<Body>,
    ) -> Result<Response<Incoming>, hyper::Error> {
        match self {
            Self::Upgrade(mut sender) => {
                to_origin_form(&mut request);
                sender.send_request(request).await
            }
            Self::ExtendedConnect(mut sender) => {
                *request.version_mut() = Version::HTTP_2;
                sender.send_request(request).await
            }
        }
    }
}

impl TunnelConnector {
    pub(super) fn new(
        target: &Address,
        tls: Option<&Arc<rustls::ClientConfig>>,
        bounds: &Bounds,
        dial: &Arc<dyn Dial>,
        has_answered: &HasAnswered,
    ) -> Self {
        let connector = |protocol: &[u8]| {
            let tls = tls.map(|tls| {
                let mut config = rustls::ClientConfig::clone(tls);
                config.alpn_protocols = vec![protocol.to_vec()];
                Arc::new(config)
            });
            Connector::new(target.clone(), tls, bounds, dial, has_answered.clone())
        };
        Self {
            http1: connector(b"http/1.1"),
            http2: connector(b"h2"),
            scheme: target.scheme,
            stream_window: bounds.tunnel_window,
            header_bytes: bounds.header_bytes,
            header_count: bounds.header_count,
            send_buffer: bounds.send_buffer,
        }
    }

    /// A connection for one tunnel. Most servers that speak both protocols accept WebSockets on
    /// HTTP/1.1, so that is tried first; a server that only speaks HTTP/2 refuses it by ALPN.
    pub(super) async fn open(&self) -> Result<TunnelConnection, BoxError> {
        if self.scheme == Scheme::H2c {
            return self.connect_http2().await;
        }
        match self.http1.clone().connect().await {
            Ok(connection) => {
                let sender = self.connect_http1(connection.io).await?;
                Ok(TunnelConnection::Upgrade(sender))
            }
            Err(error) if is_http1_refused(&*error) => self.connect_http2().await,
            Err(error) => Err(error),
        }
    }

    /// An HTTP/1.1 connection, which can be upgraded. None if the server only speaks HTTP/2.
    pub(super) async fn open_http1(&self) -> Result<Option<http1::SendRequest<Body>>, BoxError> {
        if self.scheme == Scheme::H2c {
            return Ok(None);
        }
        match self.http1.clone().connect().await {
            Ok(UpstreamConnection { io, .. }) => {
                let io = Box::new(EarlyCloseStream::new(io));
                let io = Box::new(SlowStartStream::new(io));
                self.connect_http1(io).await.map(Some)
            }
            Err(error) if is_http1_refused(&*error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn connect_http2(&self) -> Result<TunnelConnection, BoxError> {
        let UpstreamConnection { io, .. } = self.http2.clone().connect().await?;
        let tasks = DeferredExecutor::default();
        let (sender, mut connection) = http2::Builder::new(tasks.clone())
            .timer(TokioTimer::new())
            .initial_stream_window_size(self.stream_window)
            .initial_connection_window_size(self.stream_window.max(MIN_CONNECTION_WINDOW))
            .max_header_list_size(u32::try_from(self.header_bytes).unwrap_or(u32::MAX))
            .max_send_buf_size(self.send_buffer)
            // Opens no stream before the server's settings, which tell whether it may.
            .initial_max_send_streams(0)
            .handshake(TokioIo::new(InspectedStream::new(io)))
            .await?;
        let allowed = poll_fn(|cx| {
            tasks.poll(cx);
            match Pin::new(&mut connection).poll(cx) {
                Poll::Ready(Ok(())) => Poll::Ready(Err("the connection was closed".into())),
                Poll::Ready(Err(error)) => Poll::Ready(Err(BoxError::from(error))),
                Poll::Pending if connection.current_max_send_streams() == 0 => Poll::Pending,
                Poll::Pending => Poll::Ready(Ok(connection.is_extended_connect_protocol_enabled())),
            }
        });
        if !allowed.await? {
            return Err("it does not support WebSockets over HTTP/2 (RFC 8441)".into());
        }
        tasks.spawn_all();
        spawn(async move {
            // An error of the connection is also an error of its tunnel.
            let _ = connection.await;
        });
        Ok(TunnelConnection::ExtendedConnect(sender))
    }

    async fn connect_http1(
        &self,
        io: Box<dyn Socket>,
    ) -> Result<http1::SendRequest<Body>, BoxError> {
        let (sender, connection) = http1::Builder::new()
            .max_buf_size(self.header_bytes)
            .max_headers(self.header_count)
            .allow_spaces_after_header_name_in_responses(true)
            .allow_obsolete_multiline_headers_in_responses(true)
            .handshake(TokioIo::new(io))
            .await?;
        spawn(async move {
            // As above.
            let _ = connection.with_upgrades().await;
        });
        Ok(sender)
    }
}

/// The initial window of a connection. Settings cannot make it smaller (RFC 9113, section 6.9.2).
const MIN_CONNECTION_WINDOW: u32 = 65_535;

/// True if a server refused HTTP/1.1 by ALPN (RFC 7301, section 3.2).
fn is_http1_refused(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut source = Some(error);
    while let Some(cause) = source {
        let io = cause.downcast_ref::<std::io::Error>();
        let inner = io.and_then(std::io::Error::get_ref);
        let tls = inner.and_then(|inner| inner.downcast_ref::<rustls::Error>());
        let tls = tls.or_else(|| cause.downcast_ref::<rustls::Error>());
        if let Some(rustls::Error::AlertReceived(AlertDescription::NoApplicationProtocol)) = tls {
            return true;
        }
        source = cause.source();
    }
    false
}
