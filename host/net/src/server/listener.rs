//! Listening sockets.

use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};

use socket2::{Domain, Protocol, Socket, Type};

use super::error::ListenError;

/// The listening sockets of one address: one for each worker. The kernel spreads connections among
/// them.
#[derive(Debug)]
pub struct BoundListener {
    /// The address, with the actual port if port 0 was requested.
    pub address: SocketAddr,
    /// A socket for each worker.
    pub sockets: Vec<StdListener>,
}

impl BoundListener {
    /// Binds `address` for `workers`, each with an accept queue of length `backlog`.
    ///
    /// # Errors
    /// If the address is in use, or the system refuses it.
    pub fn bind(address: SocketAddr, workers: usize, backlog: u32) -> Result<Self, ListenError> {
        // SO_REUSEPORT would silently share the port with another running gateway. So the address
        // is first bound without it, which fails if any other socket has the address.
        let exclusive = bind(address, false)?;
        let address = local_address(&exclusive, address)?;
        drop(exclusive);
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

fn bind(address: SocketAddr, reuse_port: bool) -> Result<Socket, ListenError> {
    let open = || -> io::Result<Socket> {
        let domain = Domain::for_address(address);
        let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        if reuse_port {
            socket.set_reuse_port(true)?;
        }
        socket.bind(&address.into())?;
        Ok(socket)
    };
    open().map_err(|source| listen_error(address, source))
}

fn local_address(socket: &Socket, requested: SocketAddr) -> Result<SocketAddr, ListenError> {
    let address = socket.local_addr();
    let address = address.map_err(|source| listen_error(requested, source))?;
    Ok(address.as_socket().unwrap_or(requested))
}

fn listen_error(address: SocketAddr, source: io::Error) -> ListenError {
    if source.kind() == io::ErrorKind::AddrInUse {
        return ListenError::AddressInUse { address };
    }
    ListenError::Bind { address, source }
}
