//! Reads through a buffer that all connections of a thread share, so that a connection that waits
//! for bytes has no buffer of its own.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, ReadBuf};

/// The most bytes of one read.
pub(crate) const READ_SIZE: usize = 16 << 10;

thread_local! {
    static BUFFER: Cell<Box<[u8]>> = Cell::default();
}

/// Reads at most 16 KiB and passes them to `consume`; none at the end of the stream.
///
/// # Errors
/// The stream's error.
pub fn poll_read<T>(
    stream: &mut (impl AsyncRead + Unpin),
    cx: &mut Context<'_>,
    consume: impl FnOnce(&mut Context<'_>, &[u8]) -> T,
) -> Poll<io::Result<T>> {
    // Taken out, so that a stream that reads through this function itself gets another buffer.
    let mut buffer = BUFFER.take();
    if buffer.is_empty() {
        buffer = vec![0; READ_SIZE].into_boxed_slice();
    }
    let mut target = ReadBuf::new(&mut buffer);
    let read = Pin::new(stream).poll_read(cx, &mut target);
    let consumed = read.map_ok(|()| consume(cx, target.filled()));
    BUFFER.set(buffer);
    consumed
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads from an inner stream through the shared buffer.
    struct Nested<'a>(&'a [u8]);

    impl AsyncRead for Nested<'_> {
        fn poll_read(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            target: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            poll_read(&mut self.0, cx, |_, bytes| target.put_slice(bytes))
        }
    }

    #[test]
    fn a_stream_may_read_through_the_buffer_itself() {
        let cx = &mut Context::from_waker(std::task::Waker::noop());
        for expected in [&b"abc"[..], b"defg", b""] {
            let mut stream = Nested(expected);
            let read = poll_read(&mut stream, cx, |_, bytes| bytes.to_vec());
            assert!(matches!(read, Poll::Ready(Ok(bytes)) if bytes == expected));
        }
    }
}
