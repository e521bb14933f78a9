//! A socket that begins with what was read of it already, and notes what passes.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::activity::Activity;
use super::frames::{Frames, Handshake};
use super::http1_validator::Lines;
use crate::shared_buffer;

/// A socket with what its limits look at.
pub(super) struct Watched<S> {
    socket: S,
    /// What was read before.
    first: Bytes,
    activity: Arc<Activity>,
    look: Look,
    /// Whoever serves the connection begins anew, and does not see the client before that is over.
    handshake: Option<Box<Handshake>>,
}

/// What the bytes of a client are looked at for.
pub(super) enum Look {
    /// Lines of HTTP/1.1 that others could read in another way.
    Lines(Lines),
    /// Frames of HTTP/2.
    Frames(Box<Frames>),
}

impl<S> Watched<S> {
    pub(super) fn new(socket: S, first: Bytes, activity: Arc<Activity>, look: Look) -> Self {
        Self {
            socket,
            first,
            activity,
            look,
            handshake: None,
        }
    }

    /// The socket, and what was read of it and not handed on.
    pub(super) fn into_parts(self) -> (S, Bytes) {
        (self.socket, self.first)
    }

    /// The socket, of which nothing is at hand while its connection is at rest.
    pub(super) fn socket(&mut self) -> &mut S {
        &mut self.socket
    }

    /// True where HTTP/2 is between two frames, and another h2 could go on with the next one.
    pub(super) fn may_rest(&self, window: u32) -> bool {
        let Look::Frames(frames) = &self.look else {
            return false;
        };
        self.first.is_empty() && self.handshake.is_none() && frames.may_rest(window)
    }

    /// True while what is said is no word to the client.
    pub(super) fn is_beginning(&self) -> bool {
        self.handshake.is_some()
    }

    /// What HTTP/2 owes the client before it rests.
    pub(super) fn owed(&mut self, window: u32) -> Vec<u8> {
        match &mut self.look {
            Look::Frames(frames) => frames.owed(window),
            Look::Lines(_) => Vec::new(),
        }
    }

    /// Another h2 goes on, with these bytes of the client first.
    pub(super) fn take_over(&mut self, first: Bytes) {
        self.first = first;
        if let Look::Frames(frames) = &mut self.look {
            self.handshake = Some(Box::new(frames.take_over()));
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Watched<S> {
    /// Reads lines of HTTP/1.1, as many as are sound. Where a head is broken, that is answered by
    /// whoever serves the connection.
    fn read_lines(
        &mut self,
        cx: &mut Context<'_>,
        target: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Look::Lines(lines) = &mut self.look else {
            return Poll::Ready(Ok(()));
        };
        if lines.is_wrong() {
            // Within a body: it ends here for whoever reads it.
            return Poll::Ready(Ok(()));
        }
        let before = target.filled().len();
        if self.first.is_empty() {
            ready!(Pin::new(&mut self.socket).poll_read(cx, target))?;
        } else {
            let most = self.first.len().min(target.remaining());
            target.put_slice(&self.first[..most]);
            take_off(&mut self.first, most);
        }
        if target.filled().len() == before {
            return Poll::Ready(Ok(()));
        }
        self.activity.received();
        if self.activity.is_switched() {
            lines.end();
        }
        let Err(sound) = lines.see(&target.filled()[before..]) else {
            return Poll::Ready(Ok(()));
        };
        target.set_filled(before + sound);
        if lines.is_head_wrong() {
            self.activity.find_fault();
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
    fn read_frames(
        &mut self,
        cx: &mut Context<'_>,
        target: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Look::Frames(frames) = &mut self.look else {
            return Poll::Ready(Ok(()));
        };
        let before = target.filled().len();
        while target.filled().len() == before {
            if frames.is_others_turn() {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            let taken = if self.first.is_empty() && !frames.owes() {
                let first = &mut self.first;
                let read = shared_buffer::poll_read(&mut self.socket, cx, |bytes| {
                    let taken = frames.hand_on(bytes, target)?;
                    *first = Bytes::copy_from_slice(&bytes[taken..]);
                    Ok(bytes.len())
                });
                match ready!(read)? {
                    Ok(0) => return Poll::Ready(Ok(())),
                    taken => taken.map(|_| ()),
                }
            } else {
                let taken = frames.hand_on(&self.first, target);
                taken.map(|taken| take_off(&mut self.first, taken))
            };
            if let Err(key) = taken {
                let goaway = frames.goaway(key);
                return Poll::Ready(Err(self.show_out(cx, key, &goaway)));
            }
            if frames.is_amid() {
                self.activity.received();
            } else {
                self.activity.no_head();
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Says why the connection ends, where what was sent before has an end.
    fn show_out(&mut self, cx: &mut Context<'_>, key: &'static str, goaway: &[u8]) -> io::Error {
        if self.activity.has_sent_all() {
            // Who does not take it hears nothing.
            let _ = Pin::new(&mut self.socket).poll_write(cx, goaway);
            let _ = Pin::new(&mut self.socket).poll_flush(cx);
        }
        io::Error::other(format!("the client sends too many frames (limits.{key})"))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        target: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.activity.has_fault() {
            return Poll::Pending;
        }
        if let Some(handshake) = &mut self.handshake {
            let told = handshake.tell(target.remaining());
            target.put_slice(told);
            return match told.is_empty() {
                // Its answer wakes it.
                true => Poll::Pending,
                false => Poll::Ready(Ok(())),
            };
        }
        match &self.look {
            Look::Lines(_) => self.read_lines(cx, target),
            Look::Frames(_) => self.read_frames(cx, target),
        }
    }
}

/// Takes so many bytes off its beginning. For an empty rest, no memory is kept.
fn take_off(first: &mut Bytes, taken: usize) {
    first.advance(taken);
    if first.is_empty() {
        *first = Bytes::new();
    }
}

impl<S: AsyncWrite + Unpin> Watched<S> {
    fn wrote(&mut self, polled: &Poll<io::Result<usize>>, buffers: &[io::IoSlice<'_>]) {
        match polled {
            Poll::Ready(Ok(count)) => {
                // What is sent on HTTP/2 may be as little as a PING.
                self.activity.sent(matches!(self.look, Look::Lines(_)));
                if let Look::Frames(frames) = &mut self.look {
                    let mut left = *count;
                    for buffer in buffers {
                        let most = left.min(buffer.len());
                        frames.sent(&buffer[..most]);
                        left -= most;
                    }
                }
            }
            Poll::Ready(Err(_)) => {}
            Poll::Pending => self.activity.blocked(),
        }
    }

    /// Takes what belongs to a handshake; says how much that is, if there is one.
    fn hear(&mut self, cx: &Context<'_>, buffers: &[io::IoSlice<'_>]) -> Option<usize> {
        let handshake = self.handshake.as_mut()?;
        buffers.iter().for_each(|buffer| handshake.hear(buffer));
        if handshake.is_over() {
            self.handshake = None;
            cx.waker().wake_by_ref();
        }
        Some(buffers.iter().map(|buffer| buffer.len()).sum())
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let buffers = &[io::IoSlice::new(bytes)];
        if let Some(heard) = self.hear(cx, buffers) {
            return Poll::Ready(Ok(heard));
        }
        let polled = Pin::new(&mut self.socket).poll_write(cx, bytes);
        self.wrote(&polled, buffers);
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = ready!(Pin::new(&mut self.socket).poll_flush(cx));
        // It is asked for once all bytes were taken.
        self.activity.flushed();
        Poll::Ready(flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.activity.lose();
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
        if let Some(heard) = self.hear(cx, buffers) {
            return Poll::Ready(Ok(heard));
        }
        let polled = Pin::new(&mut self.socket).poll_write_vectored(cx, buffers);
        self.wrote(&polled, buffers);
        polled
    }
}
