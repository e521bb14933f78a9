//! Reads little of an answer until much of it was taken.
//!
//! hyper reads as much at once as has come, up to 64 KiB, and has some of that on its way to the
//! client at one time. Where a client takes nothing, that is held for as long as it may take its
//! time. So the first part of what follows a request is read in small pieces: by its end, a client
//! that takes nothing has filled what the kernel holds for it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper_util::client::legacy::connect::{Connected, Connection};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::connector::MaybeTlsStream;
use crate::shared_buffer;

/// Bytes after which it is known that they are taken: more than the buffers of both kernels have
/// by default, and `limits.tcp_notsent_lowat`.
const SLOW_START_BYTES: usize = 256 << 10;

/// A connection to an upstream on HTTP/1.1, or on HTTP/2, where windows bound what is held.
pub(super) struct SlowStartStream {
    stream: MaybeTlsStream,
    /// Bytes that are still read in small pieces.
    slow_start_left: usize,
    is_http2: bool,
}

impl SlowStartStream {
    pub(super) fn new(stream: MaybeTlsStream, is_http2: bool) -> Self {
        Self {
            stream,
            slow_start_left: 0,
            is_http2,
        }
    }

    fn on_write(&mut self) {
        if !self.is_http2 {
            self.slow_start_left = SLOW_START_BYTES;
        }
    }
}

impl Connection for SlowStartStream {
    fn connected(&self) -> Connected {
        self.stream.connected()
    }
}

impl AsyncRead for SlowStartStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        target: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.slow_start_left == 0 || target.remaining() <= shared_buffer::READ_SIZE {
            return Pin::new(&mut self.stream).poll_read(cx, target);
        }
        let read = shared_buffer::poll_read_shared(&mut self.stream, cx, |bytes| {
            target.put_slice(bytes);
            bytes.len()
        });
        read.map_ok(|count| self.slow_start_left = self.slow_start_left.saturating_sub(count))
    }
}

impl AsyncWrite for SlowStartStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.on_write();
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
        self.on_write();
        Pin::new(&mut self.stream).poll_write_vectored(cx, buffers)
    }
}
