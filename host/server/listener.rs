//! Listening sockets and the accept loop.

use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::connection::{self, Respond};
use super::{Bounds, ServeError, Slots};
use crate::drain::{Drain, Stop};

/// Listening sockets of one address: one for each worker, among which the kernel spreads
/// connections.
#[derive(Debug)]
pub struct Bound {
    /// The address, with the port that was taken where 0 was asked for.
    pub address: SocketAddr,
    /// A socket for each worker.
    pub sockets: Vec<StdListener>,
}

impl Bound {
    /// Binds `address` for `workers`, each with a queue of `backlog` pending connections.
    pub fn open(address: SocketAddr, workers: usize, backlog: u32) -> Result<Self, ServeError> {
        // A shared port would also be shared with another gateway that runs, without a word. So the
        // address is first taken alone, which fails where anybody has it.
        let alone = bind(address, false)?;
        let address = local(&alone, address)?;
        drop(alone);
        let sockets: Result<Vec<_>, _> = (0..workers.max(1))
            .map(|_| {
                let socket = bind(address, workers > 1)?;
                let backlog = i32::try_from(backlog).unwrap_or(i32::MAX);
                let listening = socket
                    .listen(backlog)
                    .and_then(|()| socket.set_nonblocking(true));
                listening.map_err(|source| refused(address, source))?;
                Ok(StdListener::from(socket))
            })
            .collect();
        let sockets = sockets?;
        Ok(Self { address, sockets })
    }
}

fn bind(address: SocketAddr, shared: bool) -> Result<Socket, ServeError> {
    let open = || -> io::Result<Socket> {
        let domain = Domain::for_address(address);
        let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        if shared {
            socket.set_reuse_port(true)?;
        }
        socket.bind(&address.into())?;
        Ok(socket)
    };
    open().map_err(|source| refused(address, source))
}

fn local(socket: &Socket, asked: SocketAddr) -> Result<SocketAddr, ServeError> {
    let address = socket.local_addr();
    let address = address.map_err(|source| refused(asked, source))?;
    Ok(address.as_socket().unwrap_or(asked))
}

fn refused(address: SocketAddr, source: io::Error) -> ServeError {
    if source.kind() == io::ErrorKind::AddrInUse {
        return ServeError::Taken { address };
    }
    ServeError::Bind { address, source }
}

/// After this long without a connection, none is on its way any more: longer than a handshake takes
/// in a local network.
const QUIET: Duration = Duration::from_millis(20);

/// What every connection of a listener needs.
pub(super) struct Door<S> {
    pub(super) respond: S,
    pub(super) bounds: Bounds,
    pub(super) tls: Option<tokio_rustls::TlsAcceptor>,
    pub(super) drain: Drain,
}

/// Accepts until `stop` begins; connections end by their own drain guards. A socket that others go
/// on with is left as it is then. Where the stop is at its close, nobody does, so that what the
/// kernel has accepted by itself is served as well.
///
/// A connection is served once it has a slot: above the limit, one waits here and the others in the
/// kernel's queue. A slot that was taken before would be kept from the other workers while nobody
/// connects to this one.
pub async fn serve<S: Respond>(
    socket: StdListener,
    slots: Slots,
    bounds: Bounds,
    tls: Option<Arc<rustls::ServerConfig>>,
    respond: S,
    (drain, mut stop): (Drain, Stop),
) -> io::Result<()> {
    let listener = TcpListener::from_std(socket)?;
    let door = Arc::new(Door {
        respond,
        bounds,
        tls: tls.map(tokio_rustls::TlsAcceptor::from),
        drain,
    });
    loop {
        let stream = tokio::select! {
            stream = accept(&listener) => stream,
            () = stop.begun() => break,
        };
        // Not given up at a stop: this connection was accepted.
        admit(stream, &slots, &door).await;
    }
    if stop.is_closing() {
        // No more can wait. Without a filter on the socket there may be no end to it.
        for _ in 0..=door.bounds.backlog {
            let Ok(stream) = timeout(QUIET, accept(&listener)).await else {
                break;
            };
            admit(stream, &slots, &door).await;
        }
    }
    Ok(())
}

async fn admit<S: Respond>(stream: TcpStream, slots: &Slots, door: &Arc<Door<S>>) {
    // The slots are never closed.
    if let Ok(slot) = Arc::clone(slots).acquire_owned().await {
        door.drain
            .spawn(connection::run(stream, Arc::clone(door), slot));
    }
}

/// The next connection.
async fn accept(listener: &TcpListener) -> TcpStream {
    let mut pause = Duration::from_millis(5);
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            // The peer gave up between its handshake and our accept: the next one is not to blame.
            Err(error) if is_of_the_peer(&error) => {}
            Err(error) => {
                tracing::error!("cannot accept, trying again in {pause:?}: {error}");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(1));
            }
        }
    }
}

fn is_of_the_peer(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
    )
}
