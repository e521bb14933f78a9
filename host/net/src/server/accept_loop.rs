//! The accept loop: takes what comes, as much as there may be.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener as StdListener};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

use super::connection::{self, HttpService};
use super::connection_limiter::{ConnectionPermit, LimitExceeded, SharedConnectionLimiter};
use super::{Bounds, reject};
use crate::drain::{Drain, DrainSignal};

/// Connections that are accepted before others of the thread have their turn.
const MAX_ACCEPTS_PER_YIELD: usize = 16;

/// After this long without a connection, none is on its way any more: longer than a handshake takes
/// in a local network.
const DRAIN_ACCEPT_TIMEOUT: Duration = Duration::from_millis(20);

/// One end of a connection.
pub trait Socket: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// A second handle of it, by which the connection can be reset once it was dropped; none where
    /// the system has no such thing.
    fn clone_handle(&self) -> Option<socket2::Socket> {
        None
    }

    /// The system takes no more for the other end than it may be sent now and so many bytes, where
    /// it knows of such a bound.
    fn set_notsent_lowat(&self, _bytes: u32) {}
}

impl Socket for TcpStream {
    fn clone_handle(&self) -> Option<socket2::Socket> {
        socket2::SockRef::from(self).try_clone().ok()
    }

    #[cfg(target_os = "linux")]
    fn set_notsent_lowat(&self, bytes: u32) {
        if let Err(error) = socket2::SockRef::from(self).set_tcp_notsent_lowat(bytes) {
            tracing::debug!("TCP_NOTSENT_LOWAT: {error}");
        }
    }
}

/// What connections come from.
pub trait Listener: Send + 'static {
    /// One end of a connection.
    type Socket: Socket;

    /// The next connection, and the address of its other end.
    fn accept(&self) -> impl Future<Output = io::Result<(Self::Socket, SocketAddr)>> + Send;
}

impl Listener for TcpListener {
    type Socket = TcpStream;

    async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let (stream, address) = Self::accept(self).await?;
        // Small writes (events, gRPC messages) must not wait for an acknowledgement.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!("TCP_NODELAY: {error}");
        }
        Ok((stream, address))
    }
}

/// What every connection of a listener needs.
pub(super) struct ListenerContext<S> {
    pub(super) service: S,
    pub(super) bounds: Bounds,
    pub(super) tls: Option<tokio_rustls::TlsAcceptor>,
    pub(super) drain: Drain,
    /// Connections that are being told that they are too many.
    pub(super) active_rejections: AtomicUsize,
}

/// Accepts from a socket until `stop` begins; connections end by their own drain guards.
pub async fn serve<S: HttpService>(
    socket: StdListener,
    slots: SharedConnectionLimiter,
    bounds: Bounds,
    tls: Option<Arc<rustls::ServerConfig>>,
    respond: S,
    signals: (Drain, DrainSignal),
) -> io::Result<()> {
    let listener = TcpListener::from_std(socket)?;
    serve_listener(listener, slots, bounds, tls, respond, signals).await;
    Ok(())
}

/// Accepts from any listener until `stop` begins. One that others go on with is left as it is then.
/// Where the stop is at its close, nobody does, so that what the kernel has accepted by itself is
/// served as well.
///
/// A connection is served once it has a slot. Where all are taken, one waits here and the others in
/// the kernel's queue, for `limits.accept_queue_timeout` and no longer: from then on they are refused at
/// once until there is a slot. A slot that was taken before would be kept from the other workers
/// while nobody connects to this one.
pub async fn serve_listener<S: HttpService>(
    listener: impl Listener,
    slots: SharedConnectionLimiter,
    bounds: Bounds,
    tls: Option<Arc<rustls::ServerConfig>>,
    respond: S,
    (drain, mut stop): (Drain, DrainSignal),
) {
    let door = Arc::new(ListenerContext {
        service: respond,
        bounds,
        tls: tls.map(tokio_rustls::TlsAcceptor::from),
        drain,
        active_rejections: AtomicUsize::new(0),
    });
    let mut full_since = None;
    let mut burst = 0;
    loop {
        let accepted = tokio::select! {
            accepted = accept_with_backoff(&listener) => accepted,
            () = stop.draining() => break,
        };
        // Not given up at a stop: this connection was accepted.
        admit(accepted, &slots, &door, &mut full_since).await;
        burst = (burst + 1) % MAX_ACCEPTS_PER_YIELD;
        if burst == 0 {
            tokio::task::yield_now().await;
        }
    }
    if stop.is_closing() {
        // No more can wait. Without a filter on the socket there may be no end to it.
        for _ in 0..=door.bounds.backlog {
            let Ok(accepted) =
                tokio::time::timeout(DRAIN_ACCEPT_TIMEOUT, accept_with_backoff(&listener)).await
            else {
                break;
            };
            admit(accepted, &slots, &door, &mut full_since).await;
        }
    }
}

/// Serves a connection, or says that there is no slot for it.
async fn admit<S: HttpService>(
    (socket, address): (impl Socket, SocketAddr),
    slots: &SharedConnectionLimiter,
    door: &Arc<ListenerContext<S>>,
    full_since: &mut Option<Instant>,
) {
    match acquire_permit(slots, address.ip(), &door.bounds, full_since).await {
        Ok(slot) => {
            socket.set_notsent_lowat(door.bounds.tcp_notsent_lowat);
            let connection = connection::run(socket, Arc::clone(door), slot);
            door.drain.spawn(connection);
        }
        Err(full) => reject::reject(door, socket, full),
    }
}

/// The next connection.
async fn accept_with_backoff<L: Listener>(listener: &L) -> (L::Socket, SocketAddr) {
    let mut pause = Duration::from_millis(5);
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            // The peer gave up between its handshake and our accept: the next one is not to blame.
            Err(error) if is_peer_error(&error) => {}
            // Such as no descriptors: the others of this thread may give some back.
            Err(error) => {
                tracing::error!("cannot accept, trying again in {pause:?}: {error}");
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

/// A slot, where there is one in time. `full_since` is kept from one connection to the next.
async fn acquire_permit(
    slots: &SharedConnectionLimiter,
    source: IpAddr,
    bounds: &Bounds,
    full_since: &mut Option<Instant>,
) -> Result<ConnectionPermit, LimitExceeded> {
    loop {
        let mut freed = pin!(slots.wait_for_release());
        freed.as_mut().enable();
        match slots.try_acquire(source) {
            Ok(slot) => {
                *full_since = None;
                return Ok(slot);
            }
            Err(LimitExceeded::Total) => {
                let since = *full_since.get_or_insert_with(Instant::now);
                let waited = tokio::time::timeout_at(since + bounds.accept_queue_timeout, freed);
                if waited.await.is_err() {
                    return Err(LimitExceeded::Total);
                }
            }
            Err(source) => return Err(source),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
    use tokio::sync::{Mutex, mpsc};

    use super::*;
    use crate::server::ConnectionLimiter;
    use crate::server::connection::tests::Nobody;
    use ouli_config::Limits;

    impl Socket for DuplexStream {}

    /// A network of its own.
    struct Inner(Mutex<mpsc::Receiver<DuplexStream>>);

    impl Listener for Inner {
        type Socket = DuplexStream;

        async fn accept(&self) -> io::Result<(DuplexStream, SocketAddr)> {
            match self.0.lock().await.recv().await {
                Some(socket) => Ok((socket, ([192, 0, 2, 1], 1).into())),
                None => std::future::pending().await,
            }
        }
    }

    #[tokio::test]
    async fn any_listener_will_do() {
        let limits = Limits::default();
        let (connect, queue) = mpsc::channel(1);
        let drain = Drain::default();
        let listener = Inner(Mutex::new(queue));
        let signals = (drain.clone(), drain.signal());
        let (slots, bounds) = (ConnectionLimiter::new(&limits), Bounds::from(&limits));
        let serving = serve_listener(listener, Arc::clone(&slots), bounds, None, Nobody, signals);
        drain.spawn(serving);
        let (mut client, server) = tokio::io::duplex(1 << 10);
        connect.send(server).await.unwrap();
        let request = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        client.write_all(request).await.unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        drain.begin();
        assert!(drain.wait_idle_timeout(Duration::from_secs(20)).await);
        assert_eq!(slots.open_connections(), 0);
    }
}
