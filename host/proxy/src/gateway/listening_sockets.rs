//! The listening sockets of one endpoint, apart from who accepts from them: connections may come
//! under new terms, or under the name of another endpoint, while the sockets stay open.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use socket2::SockRef;

use ouli_net::drain::Drain;
use ouli_net::server::{self, Bound, ServeError};

/// A socket for each worker, or one that all of them share.
pub(super) struct Sockets {
    address: SocketAddr,
    all: Vec<Arc<TcpListener>>,
    /// They were passed to the process: others accept from them too, or will.
    passed: bool,
}

impl Sockets {
    /// Binds an address.
    pub(super) fn open(
        address: SocketAddr,
        workers: usize,
        backlog: u32,
    ) -> Result<Self, ServeError> {
        let bound = Bound::open(address, workers, backlog)?;
        Ok(Self {
            address: bound.address,
            all: bound.sockets.into_iter().map(Arc::new).collect(),
            passed: false,
        })
    }

    /// Takes a socket that is open already.
    pub(super) fn passed(socket: &Arc<TcpListener>, backlog: u32) -> io::Result<Self> {
        let sockets = Self {
            address: socket.local_addr()?,
            all: vec![Arc::clone(socket)],
            passed: true,
        };
        socket.set_nonblocking(true)?;
        sockets.set_backlog(backlog)?;
        Ok(sockets)
    }

    /// Where they are.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections may wait in each of them.
    pub(super) fn set_backlog(&self, backlog: u32) -> io::Result<()> {
        let backlog = i32::try_from(backlog).unwrap_or(i32::MAX);
        let mut all = self.all.iter();
        all.try_for_each(|socket| SockRef::from(&**socket).listen(backlog))
    }

    /// Another handle on the socket of a worker.
    pub(super) fn of_worker(&self, worker: usize) -> io::Result<TcpListener> {
        self.all[worker % self.all.len()].try_clone()
    }

    /// Closes them once `accepting` has ended, which it is told to. No connection is lost.
    pub(super) fn close(self, accepting: &Drain) {
        if self.passed {
            accepting.begin();
            return;
        }
        for socket in &self.all {
            if let Err(error) = server::refuse(socket) {
                tracing::debug!("{}: {error}", self.address);
            }
        }
        accepting.close();
    }
}
