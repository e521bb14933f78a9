//! Ends a connection with a TCP reset instead of a close, after the bytes that were written before.

use std::io;
use std::ops::{Deref, DerefMut};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::net::TcpStream;

use super::socket::Socket;

/// Whether a connection ends with a reset.
#[derive(Debug, Default)]
pub(super) struct ResetOnClose {
    requested: AtomicBool,
    /// A handle that keeps the socket open after its connection was dropped.
    kept_socket: Mutex<Option<socket2::Socket>>,
}

impl ResetOnClose {
    /// The connection ends with a reset, whatever ends it.
    pub(super) fn request(&self) {
        self.requested.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_requested(&self) -> bool {
        self.requested.load(Ordering::Relaxed)
    }

    /// Resets a connection whose socket was dropped. A reset discards unsent bytes, so they are
    /// given `timeout` to leave first.
    pub(super) async fn reset(&self, timeout: Duration) {
        let kept = self.kept_socket.lock().take();
        if let Some(socket) = kept
            && let Err(error) = flush_and_set_linger(&socket, timeout).await
        {
            tracing::debug!("cannot reset the connection: {error}");
        }
    }
}

async fn flush_and_set_linger(socket: &socket2::Socket, timeout: Duration) -> io::Result<()> {
    // With this option the socket is writable only once everything written before was sent.
    #[cfg(target_os = "linux")]
    socket.set_tcp_notsent_lowat(1)?;
    let stream = TcpStream::from_std(socket.try_clone()?.into())?;
    // The connection is also reset if the client reads nothing.
    let _ = tokio::time::timeout(timeout, stream.writable()).await;
    socket.set_linger(Some(Duration::ZERO))
}

/// A socket that can be reset after its connection was dropped.
#[derive(Debug)]
pub(super) struct ResettableIo<T: Socket> {
    socket: T,
    reset_on_close: Arc<ResetOnClose>,
}

impl<T: Socket> ResettableIo<T> {
    /// The stream is a `Pin`, through which tokio reads and writes the socket.
    pub(super) fn new(socket: T, reset_on_close: &Arc<ResetOnClose>) -> Pin<Self> {
        let reset_on_close = Arc::clone(reset_on_close);
        Pin::new(Self {
            socket,
            reset_on_close,
        })
    }
}

impl<T: Socket> Deref for ResettableIo<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.socket
    }
}

impl<T: Socket> DerefMut for ResettableIo<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.socket
    }
}

impl<T: Socket> Drop for ResettableIo<T> {
    fn drop(&mut self) {
        if self.reset_on_close.is_requested() {
            // Without a second handle the socket closes without a reset.
            *self.reset_on_close.kept_socket.lock() = self.socket.clone_handle();
        }
    }
}
