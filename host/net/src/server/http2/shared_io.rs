//! A socket that outlives the hyper connection on it: hyper does not give back the socket of an
//! HTTP/2 connection.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// One of two handles to a socket. One task uses both, so the lock is never contended.
pub(super) struct SharedIo<T>(Arc<Mutex<T>>);

impl<T> SharedIo<T> {
    pub(super) fn new(socket: T) -> Self {
        Self(Arc::new(Mutex::new(socket)))
    }

    /// The handle for hyper.
    pub(super) fn clone_handle(&self) -> Self {
        Self(Arc::clone(&self.0))
    }

    /// Inspects the socket.
    pub(super) fn with<R>(&self, inspect: impl FnOnce(&T) -> R) -> R {
        inspect(&self.0.lock())
    }

    /// The socket, if the other handle was dropped.
    pub(super) fn into_inner(self) -> Option<T> {
        Arc::into_inner(self.0).map(Mutex::into_inner)
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for SharedIo<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        target: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.lock()).poll_read(cx, target)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for SharedIo<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.0.lock()).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.lock()).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.lock()).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.lock().is_write_vectored()
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.0.lock()).poll_write_vectored(cx, buffers)
    }
}
