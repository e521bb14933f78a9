//! Reads what an HTTP/1.1 upstream has sent before it closed the connection within a request.
//!
//! A server that does not want the rest of a request responds and closes its connection, which
//! resets it (RFC 9112, section 9.6). hyper reports the failed write of the request, and the
//! response is lost although it has arrived. Here such a write succeeds, and the read decides.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::dial::Socket;
use crate::fair_share;

/// A connection whose writes succeed after the upstream has closed it.
#[derive(Debug)]
pub(super) struct EarlyCloseStream {
    io: Box<dyn Socket>,
    /// The error of the first failed write.
    write_error: Option<io::ErrorKind>,
}

impl EarlyCloseStream {
    pub(super) fn new(io: Box<dyn Socket>) -> Self {
        Self {
            io,
            write_error: None,
        }
    }

    /// Replaces the error of a write to a connection that the upstream has closed.
    fn defer<T>(&mut self, written: io::Result<T>, success: T) -> io::Result<T> {
        match written {
            Err(error) if is_close(error.kind()) => {
                self.write_error = Some(error.kind());
                Ok(success)
            }
            other => other,
        }
    }
}

fn is_close(kind: io::ErrorKind) -> bool {
    matches!(
        kind,
        io::ErrorKind::BrokenPipe
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
    )
}

impl AsyncRead for EarlyCloseStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        target: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = target.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, target))?;
        fair_share::charge_read(cx, target, before);
        let is_end = target.filled().len() == before && target.remaining() > 0;
        match self.write_error {
            // The kernel reports a reset once, and then an end. After a broken pipe the end is one:
            // the upstream had closed its side before the reset.
            Some(kind) if is_end && kind != io::ErrorKind::BrokenPipe => {
                Poll::Ready(Err(kind.into()))
            }
            Some(_) | None => Poll::Ready(Ok(())),
        }
    }
}

impl AsyncWrite for EarlyCloseStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.write_error.is_some() {
            return Poll::Ready(Ok(bytes.len()));
        }
        let written = Pin::new(&mut self.io).poll_write(cx, bytes);
        fair_share::charge_write(cx, &written);
        let written = ready!(written);
        Poll::Ready(self.defer(written, bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.write_error.is_some() {
            return Poll::Ready(Ok(()));
        }
        let flushed = ready!(Pin::new(&mut self.io).poll_flush(cx));
        Poll::Ready(self.defer(flushed, ()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let length = buffers.iter().map(|buffer| buffer.len()).sum();
        if self.write_error.is_some() {
            return Poll::Ready(Ok(length));
        }
        let written = Pin::new(&mut self.io).poll_write_vectored(cx, buffers);
        fair_share::charge_write(cx, &written);
        let written = ready!(written);
        Poll::Ready(self.defer(written, length))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    /// A connection whose other side sends `response`, and closes without reading.
    #[expect(
        clippy::disallowed_methods,
        reason = "both sides of a plain connection"
    )]
    async fn closed(response: &[u8]) -> EarlyCloseStream {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut stream = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let (mut other, _) = listener.accept().await.unwrap();
        stream.write_all(b"request").await.unwrap();
        other.readable().await.unwrap();
        other.write_all(response).await.unwrap();
        drop(other);
        // Until the reset has arrived.
        while stream.take_error().unwrap().is_none() {
            tokio::task::yield_now().await;
        }
        EarlyCloseStream::new(Box::new(stream))
    }

    #[tokio::test]
    async fn a_response_is_read_after_a_failed_write() {
        let mut stream = closed(b"no").await;
        for _ in 0..3 {
            stream.write_all(b"more").await.unwrap();
            stream.flush().await.unwrap();
        }
        let mut read = [0; 2];
        stream.read_exact(&mut read).await.unwrap();
        assert_eq!(&read, b"no");
    }
}
