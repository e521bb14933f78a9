//! Listening sockets.

use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};

use socket2::{Domain, Protocol, Socket, Type};

use super::ListenError;

/// Listening sockets of one address: one for each worker, among which the kernel spreads
/// connections.
#[derive(Debug)]
pub struct BoundListener {
    /// The address, with the port that was taken where 0 was asked for.
    pub address: SocketAddr,
    /// A socket for each worker.
    pub sockets: Vec<StdListener>,
}

impl BoundListener {
    /// Binds `address` for `workers`, each with a queue of `backlog` pending connections.
    pub fn bind(address: SocketAddr, workers: usize, backlog: u32) -> Result<Self, ListenError> {
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
                listening.map_err(|source| listen_error(address, source))?;
                Ok(StdListener::from(socket))
            })
            .collect();
        let sockets = sockets?;
        Ok(Self { address, sockets })
    }
}

fn bind(address: SocketAddr, shared: bool) -> Result<Socket, ListenError> {
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
    open().map_err(|source| listen_error(address, source))
}

fn local(socket: &Socket, asked: SocketAddr) -> Result<SocketAddr, ListenError> {
    let address = socket.local_addr();
    let address = address.map_err(|source| listen_error(asked, source))?;
    Ok(address.as_socket().unwrap_or(asked))
}

fn listen_error(address: SocketAddr, source: io::Error) -> ListenError {
    if source.kind() == io::ErrorKind::AddrInUse {
        return ListenError::AddressInUse { address };
    }
    ListenError::Bind { address, source }
}
