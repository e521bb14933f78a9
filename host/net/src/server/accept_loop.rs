//! The accept loop: accepts connections while the limits allow it, and serves each in a task.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener as StdListener};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::time::Instant;
use tracing::{Instrument as _, Span, field};

use super::bounds::Bounds;
use super::connection_limiter::{ConnectionPermit, LimitExceeded, SharedConnectionLimiter};
use super::context::ListenerContext;
use super::service::HttpService;
use super::socket::{Listener, Socket};
use super::warning_throttle::WarningThrottle;
use super::{connection, reject};
use crate::drain::{Drain, DrainSignal};

/// Connections that are accepted before the other tasks of the thread run.
const MAX_ACCEPTS_PER_YIELD: usize = 16;

/// If no connection arrives for this long, the accept queue of a closing listener is empty: longer
/// than a TCP handshake takes in a local network.
const DRAIN_ACCEPT_TIMEOUT: Duration = Duration::from_millis(20);

/// How a listener serves its connections.
pub struct ListenerConfig {
    /// The endpoint's name, for logs.
    pub endpoint: Arc<str>,
    /// The limits of the listener and its connections.
    pub bounds: Bounds,
    /// TLS, unless the listener is plain text.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// Counts the connections of all listeners.
    pub limiter: SharedConnectionLimiter,
    /// Waits for the connections.
    pub drain: Drain,
}

/// Accepts from a socket until `stop` begins. Connections outlive it; their drain waits for them.
///
/// # Errors
/// If the runtime cannot register the socket.
pub async fn serve<S: HttpService>(
    socket: StdListener,
    config: ListenerConfig,
    service: S,
    stop: DrainSignal,
) -> io::Result<()> {
    let listener = TcpListener::from_std(socket)?;
    serve_listener(listener, config, service, stop).await;
    Ok(())
}

/// Accepts from any listener until `stop` begins.
///
/// While `stop` is only draining, another accept loop takes over the socket. Once it is closing, no
/// other loop does, so the connections that the kernel has already accepted are served first.
///
/// A connection is served once it has a permit. While there is none, one connection waits here and
/// the others wait in the kernel's accept queue, for `limits.accept_queue_timeout`; after that,
/// connections are rejected at once until a permit is free. A permit is acquired only after the
/// accept: otherwise a worker without connections would hold permits that other workers need.
pub async fn serve_listener<S: HttpService>(
    listener: impl Listener,
    config: ListenerConfig,
    service: S,
    mut stop: DrainSignal,
) {
    let limiter = config.limiter;
    let context = Arc::new(ListenerContext {
        service,
        endpoint: config.endpoint,
        bounds: config.bounds,
        tls: config.tls.map(tokio_rustls::TlsAcceptor::from),
        warnings: WarningThrottle::default(),
        drain: config.drain,
        contention: limiter.contention().clone(),
        active_rejections: AtomicUsize::new(0),
    });
    let mut full_since = None;
    let mut accepts = 0;
    loop {
        let accepted = tokio::select! {
            accepted = accept_with_backoff(&listener, &context.endpoint) => accepted,
            () = stop.draining() => break,
        };
        // Not cancelled by a stop: this connection was accepted.
        admit(accepted, &limiter, &context, &mut full_since).await;
        accepts = (accepts + 1) % MAX_ACCEPTS_PER_YIELD;
        if accepts == 0 {
            tokio::task::yield_now().await;
        }
    }
    if stop.is_closing() {
        // The accept queue is not longer than the backlog. Without this bound the loop would not
        // end where the socket still takes new connections.
        for _ in 0..=context.bounds.backlog {
            let accept = accept_with_backoff(&listener, &context.endpoint);
            let Ok(accepted) = tokio::time::timeout(DRAIN_ACCEPT_TIMEOUT, accept).await else {
                break;
            };
            admit(accepted, &limiter, &context, &mut full_since).await;
        }
    }
}

/// Serves a connection in a task, or rejects it if there is no permit.
async fn admit<S: HttpService>(
    (socket, peer): (impl Socket, SocketAddr),
    limiter: &SharedConnectionLimiter,
    listener: &Arc<ListenerContext<S>>,
    full_since: &mut Option<Instant>,
) {
    let span = connection_span(peer, &listener.endpoint);
    match acquire_permit(limiter, peer.ip(), &listener.bounds, full_since).await {
        Ok(permit) => {
            span.in_scope(|| socket.set_notsent_lowat(listener.bounds.tcp_notsent_lowat));
            let connection = connection::run(socket, Arc::clone(listener), permit);
            listener.drain.spawn(connection.instrument(span));
        }
        Err(exceeded) => reject::reject(listener, socket, exceeded, &span),
    }
}

/// The span of everything that is logged about a connection. It has no parent: it outlives whatever
/// span the accept loop runs in.
fn connection_span(peer: SocketAddr, endpoint: &str) -> Span {
    tracing::info_span!(
        parent: None,
        "connection",
        %peer,
        endpoint,
        tls = field::Empty,
        protocol = field::Empty,
    )
}

/// Accepts the next connection; waits and tries again where that fails.
async fn accept_with_backoff<L: Listener>(listener: &L, endpoint: &str) -> (L::Socket, SocketAddr) {
    let mut pause = Duration::from_millis(5);
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            // The client gave up before the accept. The next connection is not affected.
            Err(error) if is_peer_error(&error) => {}
            // For example, no file descriptors are left: other connections may free some.
            Err(error) => {
                tracing::error!(
                    endpoint,
                    "cannot accept connections, retrying in {pause:?}: {error}"
                );
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(1));
            }
        }
    }
}

fn is_peer_error(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
    )
}

/// Waits for a permit, up to `limits.accept_queue_timeout` after the first connection that found
/// none. `full_since` is that time; it is kept from one connection to the next.
async fn acquire_permit(
    limiter: &SharedConnectionLimiter,
    source: IpAddr,
    bounds: &Bounds,
    full_since: &mut Option<Instant>,
) -> Result<ConnectionPermit, LimitExceeded> {
    loop {
        let mut released = pin!(limiter.wait_for_release());
        released.as_mut().enable();
        match limiter.try_acquire(source) {
            Ok(permit) => {
                *full_since = None;
                return Ok(permit);
            }
            Err(LimitExceeded::Total) => {
                let since = *full_since.get_or_insert_with(Instant::now);
                let deadline = since + bounds.accept_queue_timeout;
                if tokio::time::timeout_at(deadline, released).await.is_err() {
                    return Err(LimitExceeded::Total);
                }
            }
            Err(exceeded @ LimitExceeded::PerSource(_)) => return Err(exceeded),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
    use tokio::sync::{Mutex, mpsc};

    use super::*;
    use crate::server::connection::tests::EmptyResponses;
    use crate::server::connection_limiter::{ConnectionLimiter, ConnectionLimits};

    impl Socket for DuplexStream {}

    /// Accepts in-memory connections.
    struct InMemoryListener(Mutex<mpsc::Receiver<DuplexStream>>);

    impl Listener for InMemoryListener {
        type Socket = DuplexStream;

        async fn accept(&self) -> io::Result<(DuplexStream, SocketAddr)> {
            match self.0.lock().await.recv().await {
                Some(socket) => Ok((socket, ([192, 0, 2, 1], 1).into())),
                None => std::future::pending().await,
            }
        }
    }

    #[tokio::test]
    async fn serves_connections_of_any_listener() {
        let (connect, queue) = mpsc::channel(1);
        let drain = Drain::default();
        let limiter = ConnectionLimiter::new(ConnectionLimits::default());
        let config = ListenerConfig {
            endpoint: "api".into(),
            bounds: Bounds::default(),
            tls: None,
            limiter: Arc::clone(&limiter),
            drain: drain.clone(),
        };
        let listener = InMemoryListener(Mutex::new(queue));
        let stop = drain.signal();
        drain.spawn(serve_listener(listener, config, EmptyResponses, stop));
        let (mut client, server) = tokio::io::duplex(1 << 10);
        connect.send(server).await.unwrap();
        let request = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        client.write_all(request).await.unwrap();
        let mut response = String::new();
        client.read_to_string(&mut response).await.unwrap();
        assert!(response.starts_with("HTTP/1.1 200 OK\r\n"), "{response}");
        drain.begin();
        assert!(drain.wait_idle_timeout(Duration::from_secs(20)).await);
        assert_eq!(limiter.open_connections(), 0);
    }
}
