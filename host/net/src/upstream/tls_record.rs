//! Notices an upstream that speaks TLS although its URL says that it does not.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::dial::Socket;

/// The upstream answers with a TLS record.
#[derive(Debug, thiserror::Error)]
#[error("it answers with a TLS alert: write `https://` in `upstream`")]
pub(super) struct UnexpectedTls;

/// The upstream closes the connection without an answer, as Node does when it expects TLS.
#[derive(Debug, thiserror::Error)]
#[error(
    "connection closed before message completed, without any answer; if it speaks TLS, write \
     `https://` in `upstream`"
)]
pub(super) struct NoAnswer;

/// How a TLS alert begins: the type of the record, and the major version (RFC 8446, section 5.1).
const ALERT: [u8; 2] = [21, 3];

/// A connection without TLS. Its first bytes are checked, or that there are none.
#[derive(Debug)]
pub(super) struct PlainStream {
    io: Box<dyn Socket>,
    is_checked: bool,
}

impl PlainStream {
    pub(super) fn new(io: Box<dyn Socket>) -> Self {
        Self {
            io,
            is_checked: false,
        }
    }
}

impl AsyncRead for PlainStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        target: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_checked {
            return Pin::new(&mut self.io).poll_read(cx, target);
        }
        let before = target.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, target))?;
        let read = &target.filled()[before..];
        if read.is_empty() && target.remaining() > 0 {
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::UnexpectedEof, NoAnswer)));
        }
        self.is_checked = true;
        if read.starts_with(&ALERT) {
            return Poll::Ready(Err(io::Error::new(
                io::ErrorKind::InvalidData,
                UnexpectedTls,
            )));
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for PlainStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.io).poll_write(cx, bytes));
        // The error of the write tells more than the end that follows.
        self.is_checked |= written.is_err();
        Poll::Ready(written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
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
        let written = ready!(Pin::new(&mut self.io).poll_write_vectored(cx, buffers));
        self.is_checked |= written.is_err();
        Poll::Ready(written)
    }
}
