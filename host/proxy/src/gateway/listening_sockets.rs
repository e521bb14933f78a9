//! The listening sockets of one endpoint. They stay open while a reload changes the settings of the
//! listener, or moves its address to another endpoint.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use socket2::SockRef;

use ouli_net::drain::Drain;
use ouli_net::server::{self, BoundListener, ListenError};

/// One socket for each worker, or one that all workers share.
pub(super) struct ListenerSockets {
    address: SocketAddr,
    sockets: Vec<Arc<TcpListener>>,
    /// Another process owns them too, and may accept from them.
    inherited: bool,
}

impl ListenerSockets {
    /// Binds an address.
    pub(super) fn bind(
        address: SocketAddr,
        workers: usize,
        backlog: u32,
    ) -> Result<Self, ListenError> {
        let bound = BoundListener::bind(address, workers, backlog)?;
        Ok(Self {
            address: bound.address,
            sockets: bound.sockets.into_iter().map(Arc::new).collect(),
            inherited: false,
        })
    }

    /// Uses a socket inherited from the parent process.
    pub(super) fn from_inherited(socket: &Arc<TcpListener>, backlog: u32) -> io::Result<Self> {
        let sockets = Self {
            address: socket.local_addr()?,
            sockets: vec![Arc::clone(socket)],
            inherited: true,
        };
        socket.set_nonblocking(true)?;
        sockets.set_backlog(backlog)?;
        Ok(sockets)
    }

    /// The address that they listen on.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sets the accept queue length of each socket.
    pub(super) fn set_backlog(&self, backlog: u32) -> io::Result<()> {
        let backlog = i32::try_from(backlog).unwrap_or(i32::MAX);
        let mut all = self.sockets.iter();
        all.try_for_each(|socket| SockRef::from(&**socket).listen(backlog))
    }

    /// A new handle of the socket of a worker.
    pub(super) fn for_worker(&self, worker: usize) -> io::Result<TcpListener> {
        self.sockets[worker % self.sockets.len()].try_clone()
    }

    /// Ends `accepting` and closes the sockets after it. No connection is lost.
    pub(super) fn close(self, accepting: &Drain) {
        if self.inherited {
            accepting.begin();
            return;
        }
        for socket in &self.sockets {
            if let Err(error) = server::stop_accepting(socket) {
                tracing::debug!("{}: {error}", self.address);
            }
        }
        accepting.begin_closing();
    }
}
