//! What a listener accepts: sockets of TCP, or of any other transport.

use std::future::Future;
use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};

/// The server's end of a connection.
pub trait Socket: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// A second handle to the socket, used to reset the connection after the socket was dropped.
    /// `None` if the transport has no resets.
    fn clone_handle(&self) -> Option<socket2::Socket> {
        None
    }

    /// Limits the unsent bytes that the system buffers for the client. Does nothing if the
    /// transport has no such limit.
    fn set_notsent_lowat(&self, _bytes: u32) {}
}

impl Socket for TcpStream {
    fn clone_handle(&self) -> Option<socket2::Socket> {
        socket2::SockRef::from(self).try_clone().ok()
    }

    #[cfg(target_os = "linux")]
    fn set_notsent_lowat(&self, bytes: u32) {
        if let Err(error) = socket2::SockRef::from(self).set_tcp_notsent_lowat(bytes) {
            tracing::debug!("cannot set TCP_NOTSENT_LOWAT: {error}");
        }
    }
}

/// A source of connections.
pub trait Listener: Send + 'static {
    /// The server's end of a connection.
    type Socket: Socket;

    /// Accepts the next connection. Returns its socket and the client's address.
    fn accept(&self) -> impl Future<Output = io::Result<(Self::Socket, SocketAddr)>> + Send;
}

impl Listener for TcpListener {
    type Socket = TcpStream;

    async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let (stream, peer) = Self::accept(self).await?;
        // Small writes (events, gRPC messages) must not wait for an acknowledgement.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%peer, "cannot set TCP_NODELAY: {error}");
        }
        Ok((stream, peer))
    }
}
