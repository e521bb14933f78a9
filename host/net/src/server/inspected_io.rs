//! A socket that begins with what was read of it already, and notes what passes.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::activity::Activity;
use super::frames::{FrameInspector, SyntheticHandshake};
use super::http1_validator::Http1Validator;
use crate::shared_buffer;

/// A socket with what its limits look at.
pub(super) struct InspectedIo<S> {
    socket: S,
    /// What was read before.
    prefix: Bytes,
    activity: Arc<Activity>,
    inspector: Inspector,
    /// Whoever serves the connection begins anew, and does not see the client before that is over.
    synthetic_handshake: Option<Box<SyntheticHandshake>>,
}

/// What the bytes of a client are looked at for.
pub(super) enum Inspector {
    /// Lines of HTTP/1.1 that others could read in another way.
    Http1(Http1Validator),
    /// Frames of HTTP/2.
    Http2(Box<FrameInspector>),
}

impl<S> InspectedIo<S> {
    pub(super) fn new(socket: S, first: Bytes, activity: Arc<Activity>, look: Inspector) -> Self {
        Self {
            socket,
            prefix: first,
            activity,
            inspector: look,
            synthetic_handshake: None,
        }
    }

    /// The socket, and what was read of it and not handed on.
    pub(super) fn into_parts(self) -> (S, Bytes) {
        (self.socket, self.prefix)
    }

    /// The socket, of which nothing is at hand while its connection is at rest.
    pub(super) fn socket_mut(&mut self) -> &mut S {
        &mut self.socket
    }

    /// True where HTTP/2 is between two frames, and another h2 could go on with the next one.
    pub(super) fn can_suspend(&self, window: u32) -> bool {
        let Inspector::Http2(frames) = &self.inspector else {
            return false;
        };
        self.prefix.is_empty() && self.synthetic_handshake.is_none() && frames.can_suspend(window)
    }

    /// True while what is said is no word to the client.
    pub(super) fn is_resuming(&self) -> bool {
        self.synthetic_handshake.is_some()
    }

    /// What HTTP/2 owes the client before it rests.
    pub(super) fn take_window_update(&mut self, window: u32) -> Vec<u8> {
        match &mut self.inspector {
            Inspector::Http2(frames) => frames.take_window_update(window),
            Inspector::Http1(_) => Vec::new(),
        }
    }

    /// Another h2 goes on, with these bytes of the client first.
    pub(super) fn resume(&mut self, first: Bytes) {
        self.prefix = first;
        if let Inspector::Http2(frames) = &mut self.inspector {
            self.synthetic_handshake = Some(Box::new(frames.resume()));
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> InspectedIo<S> {
    /// Reads lines of HTTP/1.1, as many as are sound. Where a head is broken, that is answered by
    /// whoever serves the connection.
    fn read_http1(
        &mut self,
        cx: &mut Context<'_>,
        target: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Inspector::Http1(lines) = &mut self.inspector else {
            return Poll::Ready(Ok(()));
        };
        if lines.is_invalid() {
            // Within a body: it ends here for whoever reads it.
            return Poll::Ready(Ok(()));
        }
        let before = target.filled().len();
        if self.prefix.is_empty() {
            ready!(Pin::new(&mut self.socket).poll_read(cx, target))?;
        } else {
            let most = self.prefix.len().min(target.remaining());
            target.put_slice(&self.prefix[..most]);
            advance(&mut self.prefix, most);
        }
        if target.filled().len() == before {
            return Poll::Ready(Ok(()));
        }
        self.activity.on_read();
        if self.activity.is_upgraded() {
            lines.switch_protocol();
        }
        let Err(sound) = lines.feed(&target.filled()[before..]) else {
            return Poll::Ready(Ok(()));
        };
        target.set_filled(before + sound);
        if lines.is_head_invalid() {
            self.activity.mark_invalid_head();
            if sound == 0 {
                return Poll::Pending;
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Reads frames of HTTP/2.
    ///
    /// # Errors
    /// Where there are too many of them.
    fn read_http2(
        &mut self,
        cx: &mut Context<'_>,
        target: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Inspector::Http2(frames) = &mut self.inspector else {
            return Poll::Ready(Ok(()));
        };
        let before = target.filled().len();
        while target.filled().len() == before {
            if frames.should_yield() {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            let taken = if self.prefix.is_empty() && !frames.has_pending_head() {
                let first = &mut self.prefix;
                let read = shared_buffer::poll_read_shared(&mut self.socket, cx, |bytes| {
                    let taken = frames.forward(bytes, target)?;
                    *first = Bytes::copy_from_slice(&bytes[taken..]);
                    Ok(bytes.len())
                });
                match ready!(read)? {
                    Ok(0) => return Poll::Ready(Ok(())),
                    taken => taken.map(|_| ()),
                }
            } else {
                let taken = frames.forward(&self.prefix, target);
                taken.map(|taken| advance(&mut self.prefix, taken))
            };
            if let Err(key) = taken {
                let goaway = frames.goaway(key);
                return Poll::Ready(Err(self.send_goaway(cx, key, &goaway)));
            }
            if frames.is_mid_frame() {
                self.activity.on_read();
            } else {
                self.activity.clear_head_timer();
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Says why the connection ends, where what was sent before has an end.
    fn send_goaway(&mut self, cx: &mut Context<'_>, key: &'static str, goaway: &[u8]) -> io::Error {
        if self.activity.is_flushed() {
            // Who does not take it hears nothing.
            let _ = Pin::new(&mut self.socket).poll_write(cx, goaway);
            let _ = Pin::new(&mut self.socket).poll_flush(cx);
        }
        io::Error::other(format!("the client sends too many frames (limits.{key})"))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for InspectedIo<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        target: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.activity.has_invalid_head() {
            return Poll::Pending;
        }
        if let Some(handshake) = &mut self.synthetic_handshake {
            let told = handshake.read(target.remaining());
            target.put_slice(told);
            return match told.is_empty() {
                // Its answer wakes it.
                true => Poll::Pending,
                false => Poll::Ready(Ok(())),
            };
        }
        match &self.inspector {
            Inspector::Http1(_) => self.read_http1(cx, target),
            Inspector::Http2(_) => self.read_http2(cx, target),
        }
    }
}

/// Takes so many bytes off its beginning. For an empty rest, no memory is kept.
fn advance(first: &mut Bytes, taken: usize) {
    first.advance(taken);
    if first.is_empty() {
        *first = Bytes::new();
    }
}

impl<S: AsyncWrite + Unpin> InspectedIo<S> {
    fn on_write(&mut self, polled: &Poll<io::Result<usize>>, buffers: &[io::IoSlice<'_>]) {
        match polled {
            Poll::Ready(Ok(count)) => {
                // What is sent on HTTP/2 may be as little as a PING.
                self.activity
                    .on_write(matches!(self.inspector, Inspector::Http1(_)));
                if let Inspector::Http2(frames) = &mut self.inspector {
                    let mut left = *count;
                    for buffer in buffers {
                        let most = left.min(buffer.len());
                        frames.on_bytes_sent(&buffer[..most]);
                        left -= most;
                    }
                }
            }
            Poll::Ready(Err(_)) => {}
            Poll::Pending => self.activity.on_write_blocked(),
        }
    }

    /// Takes what belongs to a handshake; says how much that is, if there is one.
    fn write_to_handshake(
        &mut self,
        cx: &Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Option<usize> {
        let handshake = self.synthetic_handshake.as_mut()?;
        buffers.iter().for_each(|buffer| handshake.write(buffer));
        if handshake.is_complete() {
            self.synthetic_handshake = None;
            cx.waker().wake_by_ref();
        }
        Some(buffers.iter().map(|buffer| buffer.len()).sum())
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for InspectedIo<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let buffers = &[io::IoSlice::new(bytes)];
        if let Some(heard) = self.write_to_handshake(cx, buffers) {
            return Poll::Ready(Ok(heard));
        }
        let polled = Pin::new(&mut self.socket).poll_write(cx, bytes);
        self.on_write(&polled, buffers);
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = ready!(Pin::new(&mut self.socket).poll_flush(cx));
        // It is asked for once all bytes were taken.
        self.activity.on_flushed();
        Poll::Ready(flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.activity.mark_desynchronized();
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let Some(heard) = self.write_to_handshake(cx, buffers) {
            return Poll::Ready(Ok(heard));
        }
        let polled = Pin::new(&mut self.socket).poll_write_vectored(cx, buffers);
        self.on_write(&polled, buffers);
        polled
    }
}
