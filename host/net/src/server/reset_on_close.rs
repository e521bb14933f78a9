//! Ends a connection with a reset instead of a close, once what was sent before is on its way.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use socket2::Socket;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::accept_loop::Socket as Accepted;

/// Whether a connection is to end with a reset.
#[derive(Debug, Default)]
pub(super) struct ResetOnClose {
    requested: AtomicBool,
    /// The socket, kept open after its connection was dropped.
    kept_socket: Mutex<Option<Socket>>,
}

impl ResetOnClose {
    /// The connection ends with a reset, whatever ends it.
    pub(super) fn request(&self) {
        self.requested.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_requested(&self) -> bool {
        self.requested.load(Ordering::Relaxed)
    }

    /// Resets a connection that was dropped and is to be reset. What waits to be sent leaves
    /// before, within `patience`: a reset takes it away.
    pub(super) async fn reset(&self, patience: Duration) {
        let left = self
            .kept_socket
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(socket) = left
            && let Err(error) = flush_and_set_linger(&socket, patience).await
        {
            tracing::debug!("a reset: {error}");
        }
    }
}

async fn flush_and_set_linger(socket: &Socket, patience: Duration) -> io::Result<()> {
    // A socket can be written to only once all that was written before was sent.
    #[cfg(target_os = "linux")]
    socket.set_tcp_notsent_lowat(1)?;
    let watched = TcpStream::from_std(socket.try_clone()?.into())?;
    // Who takes nothing is cut off all the same.
    let _ = tokio::time::timeout(patience, watched.writable()).await;
    socket.set_linger(Some(Duration::ZERO))
}

/// A socket that can be reset.
#[derive(Debug)]
pub(super) struct ResettableIo<T: Accepted> {
    stream: T,
    reset_on_close: Arc<ResetOnClose>,
}

impl<T: Accepted> ResettableIo<T> {
    pub(super) fn new(stream: T, breaker: &Arc<ResetOnClose>) -> Self {
        let breaker = Arc::clone(breaker);
        Self {
            stream,
            reset_on_close: breaker,
        }
    }
}

impl<T: Accepted> Drop for ResettableIo<T> {
    fn drop(&mut self) {
        if self.reset_on_close.is_requested() {
            // Without a second handle it closes as any other.
            let kept = self.stream.clone_handle();
            let left = self.reset_on_close.kept_socket.lock();
            *left.unwrap_or_else(PoisonError::into_inner) = kept;
        }
    }
}

impl<T: Accepted> AsyncRead for ResettableIo<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        target: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, target)
    }
}

impl<T: Accepted> AsyncWrite for ResettableIo<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, buffers)
    }
}
