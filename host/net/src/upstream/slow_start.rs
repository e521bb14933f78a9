//! Reads a response in small chunks until much of it was passed on.
//!
//! hyper reads up to 64 KiB at once, and holds some of it until the client takes it. If the client
//! reads nothing, that memory is held for as long as the client is allowed to stall. So the first
//! part of a response is read in small chunks: by its end, a client that reads nothing has filled
//! the kernel's buffers, and no more is read.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::dial::Socket;
use crate::shared_buffer;

/// Bytes of a response that are read in small chunks: more than the default buffers of both kernels
/// and `limits.tcp_notsent_lowat`.
const SLOW_START_BYTES: usize = 256 << 10;

/// An HTTP/1.1 connection to an upstream. HTTP/2 needs no slow start: its windows bound the memory.
#[derive(Debug)]
pub(super) struct SlowStartStream {
    io: Box<dyn Socket>,
    /// Bytes that are still read in small chunks.
    slow_start_left: usize,
    received: Received,
}

/// The number of reads that returned bytes. It tells whether anything of a response has arrived.
#[derive(Clone, Debug, Default)]
pub(super) struct Received(Arc<AtomicUsize>);

impl Received {
    pub(super) fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl SlowStartStream {
    pub(super) fn new(io: Box<dyn Socket>) -> Self {
        Self {
            io,
            slow_start_left: 0,
            received: Received::default(),
        }
    }

    pub(super) fn received(&self) -> Received {
        self.received.clone()
    }

    fn poll_read_some(
        &mut self,
        cx: &mut Context<'_>,
        target: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.slow_start_left == 0 || target.remaining() <= shared_buffer::READ_SIZE {
            return Pin::new(&mut self.io).poll_read(cx, target);
        }
        let read = shared_buffer::poll_read(&mut self.io, cx, |_, bytes| {
            target.put_slice(bytes);
            bytes.len()
        });
        read.map_ok(|count| self.slow_start_left = self.slow_start_left.saturating_sub(count))
    }
}

impl AsyncRead for SlowStartStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        target: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = target.filled().len();
        let read = self.poll_read_some(cx, target);
        if target.filled().len() > before {
            self.received.0.fetch_add(1, Ordering::Relaxed);
        }
        read
    }
}

impl AsyncWrite for SlowStartStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        // A write begins or continues a request; its response follows.
        self.slow_start_left = SLOW_START_BYTES;
        Pin::new(&mut self.io).poll_write(cx, bytes)
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
        // A write begins or continues a request; its response follows.
        self.slow_start_left = SLOW_START_BYTES;
        Pin::new(&mut self.io).poll_write_vectored(cx, buffers)
    }
}
