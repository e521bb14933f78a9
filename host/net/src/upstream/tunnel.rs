//! Asks an upstream for a tunnel, on a connection of its own: by an upgrade on HTTP/1.1 (RFC 9110,
//! section 7.8), or by an extended CONNECT on HTTP/2 (RFC 8441).

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use http::{Request, Response, Version};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::AlertDescription;

use super::connector::{Connector, MaybeTlsStream};
use super::{Body, Bounds, Dial, InterimLimiter, UpstreamBody, UpstreamError};
use crate::http::validation::InvalidMessage;
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

/// Which protocol the connection for a tunnel speaks, to write the request for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TunnelMethod {
    /// A `GET` with `upgrade`.
    Upgrade,
    /// A `CONNECT` with `:protocol`.
    ExtendedConnect,
}

/// A connection on which a tunnel can be asked for.
pub enum TunnelConnection {
    /// HTTP/1.1.
    Upgrade(http1::SendRequest<Body>),
    /// HTTP/2, by a server that allows it.
    ExtendedConnect(http2::SendRequest<Body>),
}

impl TunnelConnection {
    /// How the request is to be written.
    pub fn method(&self) -> TunnelMethod {
        match self {
            Self::Upgrade(_) => TunnelMethod::Upgrade,
            Self::ExtendedConnect(_) => TunnelMethod::ExtendedConnect,
        }
    }

    /// Sends the request; returns with the head of the response, from which `hyper::upgrade::on`
    /// takes the tunnel.
    pub(super) async fn send(
        self,
        mut request: Request<Body>,
    ) -> Result<Response<Incoming>, hyper::Error> {
        match self {
            Self::Upgrade(mut sender) => {
                *request.version_mut() = Version::HTTP_11;
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
    ) -> Self {
        let only = |protocol: &[u8]| {
            let tls = tls.map(|tls| {
                let mut config = rustls::ClientConfig::clone(tls);
                config.alpn_protocols = vec![protocol.to_vec()];
                Arc::new(config)
            });
            Connector::new(target.clone(), tls, bounds, dial)
        };
        Self {
            http1: only(b"http/1.1"),
            http2: only(b"h2"),
            scheme: target.scheme,
            stream_window: bounds.tunnel_window,
            header_bytes: bounds.header_bytes,
            header_count: bounds.header_count,
            send_buffer: bounds.send_buffer,
        }
    }

    /// A connection for one tunnel. Most servers that speak both protocols take WebSockets on
    /// HTTP/1.1, so that is asked for first; one that has HTTP/2 alone says so by ALPN.
    pub(super) async fn open(&self) -> Result<TunnelConnection, BoxError> {
        if self.scheme == Scheme::H2c {
            return self.connect_http2().await;
        }
        match self.http1.clone().connect().await {
            Ok(stream) => self.connect_http1(stream).await,
            Err(error) if is_http1_refused(&*error) => self.connect_http2().await,
            Err(error) => Err(error),
        }
    }

    async fn connect_http2(&self) -> Result<TunnelConnection, BoxError> {
        let stream = self.http2.clone().connect().await?;
        let tasks = DeferredExecutor::default();
        let (sender, mut connection) = http2::Builder::new(tasks.clone())
            .timer(TokioTimer::new())
            .initial_stream_window_size(self.stream_window)
            .initial_connection_window_size(self.stream_window.max(MIN_CONNECTION_WINDOW))
            .max_header_list_size(u32::try_from(self.header_bytes).unwrap_or(u32::MAX))
            .max_send_buf_size(self.send_buffer)
            // No stream before the settings of the server are here: they say whether it may be.
            .initial_max_send_streams(0)
            .handshake(stream)
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
            return Err("it takes no WebSockets over HTTP/2 (RFC 8441)".into());
        }
        tasks.spawn_all();
        spawn(async move {
            // A fault of the connection shows in the tunnel that it carries.
            let _ = connection.await;
        });
        Ok(TunnelConnection::ExtendedConnect(sender))
    }

    async fn connect_http1(
        &self,
        stream: TokioIo<MaybeTlsStream>,
    ) -> Result<TunnelConnection, BoxError> {
        let (sender, connection) = http1::Builder::new()
            .max_buf_size(self.header_bytes)
            .max_headers(self.header_count)
            .handshake(stream)
            .await?;
        spawn(async move {
            // As above.
            let _ = connection.with_upgrades().await;
        });
        Ok(TunnelConnection::Upgrade(sender))
    }
}

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The tasks of a connection. Until they are started they are polled by hand: who waits for the
/// settings of the server is told of them by no other way than that the connection was read.
#[derive(Clone)]
struct DeferredExecutor(Arc<Mutex<Option<Vec<Task>>>>);

impl Default for DeferredExecutor {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Some(Vec::new()))))
    }
}

impl DeferredExecutor {
    fn lock(&self) -> MutexGuard<'_, Option<Vec<Task>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn poll(&self, cx: &mut Context<'_>) {
        if let Some(tasks) = &mut *self.lock() {
            tasks.retain_mut(|task| task.as_mut().poll(cx).is_pending());
        }
    }

    fn spawn_all(&self) {
        let tasks = self.lock().take();
        tasks.into_iter().flatten().for_each(spawn);
    }
}

impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for DeferredExecutor {
    fn execute(&self, task: F) {
        match &mut *self.lock() {
            Some(tasks) => tasks.push(Box::pin(task)),
            None => spawn(task),
        }
    }
}

/// The default window of a connection, which settings cannot make smaller (RFC 9113, section
/// 6.9.2).
const MIN_CONNECTION_WINDOW: u32 = 65_535;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The connection's own work. It ends with the tunnel, which holds a drain guard.
fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    hyper::rt::Executor::execute(&TokioExecutor::new(), task);
}

/// True where a server refused HTTP/1.1 by ALPN (RFC 7301, section 3.2).
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

impl super::UpstreamClient {
    /// A connection for one tunnel.
    ///
    /// # Errors
    /// Where none can be made, or the upstream takes no tunnels.
    pub async fn open_tunnel(&self) -> Result<TunnelConnection, UpstreamError> {
        let limit = self.response_header_timeout;
        match tokio::time::timeout(limit, self.tunnels.open()).await {
            Ok(Ok(opened)) => Ok(opened),
            Ok(Err(error)) => Err(self.explain(&*error, true)),
            Err(_) => Err(self.timeout_error("tunnel")),
        }
    }

    /// Asks for the tunnel; returns with the head of the response.
    ///
    /// # Errors
    /// Where none comes, or it is no HTTP.
    pub async fn request_tunnel(
        &self,
        opened: TunnelConnection,
        mut request: Request<Body>,
    ) -> Result<Response<UpstreamBody>, UpstreamError> {
        let interim = InterimLimiter::attach(&mut request, self.interim_responses);
        let response = interim.enforce(opened.send(request));
        match tokio::time::timeout(self.response_header_timeout, response).await {
            Ok(Ok(Ok(response))) => self.wrap_response(response),
            Ok(Ok(Err(error))) => Err(self.explain(&error, false)),
            Ok(Err(too_many)) => Err(self.too_many_interim(&too_many)),
            Err(_) => Err(self.timeout_error("response")),
        }
    }

    /// What an upstream answered that can be taken for two things.
    pub fn invalid_response(&self, error: &InvalidMessage) -> UpstreamError {
        self.invalid_tunnel(error.to_string())
    }

    /// What an upstream did that cannot be a tunnel.
    pub fn invalid_tunnel(&self, reason: String) -> UpstreamError {
        self.protocol_error(reason)
    }
}
