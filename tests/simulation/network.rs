//! Simulated sockets in place of real ones.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use ouli_net::server::{self, Listener};
use ouli_net::upstream::{Dial, DialFuture, Socket};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use turmoil::net::{TcpListener, TcpStream};

/// The listener of the simulation.
pub(super) struct SimulatedListener(pub(super) TcpListener);

impl Listener for SimulatedListener {
    type Socket = Accepted;

    async fn accept(&self) -> io::Result<(Accepted, SocketAddr)> {
        let (stream, address) = self.0.accept().await?;
        Ok((Accepted(stream), address))
    }
}

/// A connection that was accepted.
pub(super) struct Accepted(TcpStream);

impl server::Socket for Accepted {}

impl AsyncRead for Accepted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        target: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, target)
    }
}

impl AsyncWrite for Accepted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// The connector for hosts of the simulation.
#[derive(Debug)]
pub(super) struct SimulatedDialer;

impl Dial for SimulatedDialer {
    fn dial(&self, host: &str, port: u16) -> DialFuture {
        let host = host.to_owned();
        Box::pin(async move {
            let stream = TcpStream::connect((host, port)).await?;
            Ok(Box::new(stream) as Box<dyn Socket>)
        })
    }
}
