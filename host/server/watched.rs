//! A socket that begins with what was read of it already, and notes what passes.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::activity::Activity;
use super::frames::Frames;
use super::rest;
use super::strict::Lines;

/// A socket with what its limits look at.
pub(super) struct Watched<S> {
    socket: S,
    /// What was read before.
    first: Bytes,
    activity: Arc<Activity>,
    look: Look,
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
        }
    }

    /// The socket, and what was read of it and not handed on.
    pub(super) fn into_parts(self) -> (S, Bytes) {
        (self.socket, self.first)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Watched<S> {
    fn read(&mut self, cx: &mut Context<'_>, target: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.first.is_empty() {
            let Look::Frames(frames) = &self.look else {
                return Pin::new(&mut self.socket).poll_read(cx, target);
            };
            let first = &mut self.first;
            return rest::poll_read(&mut self.socket, cx, |bytes| {
                let most = frames.whole(bytes).min(target.remaining());
                target.put_slice(&bytes[..most]);
                if most < bytes.len() {
                    *first = Bytes::copy_from_slice(&bytes[most..]);
                }
            });
        }
        let whole = match &self.look {
            Look::Frames(frames) => frames.whole(&self.first),
            Look::Lines(_) => self.first.len(),
        };
        let most = whole.min(target.remaining());
        target.put_slice(&self.first[..most]);
        self.first.advance(most);
        if self.first.is_empty() {
            // Its memory is not kept for an empty rest.
            self.first = Bytes::new();
        }
        Poll::Ready(Ok(()))
    }

    /// Looks at what came, and says how much of it is handed on. Where a head is broken, that is
    /// answered by whoever serves the connection.
    ///
    /// # Errors
    /// Where the connection cannot go on.
    fn see(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.look {
            Look::Lines(lines) => {
                self.activity.received();
                if self.activity.is_switched() {
                    lines.end();
                }
                if let Err(sound) = lines.see(bytes) {
                    if lines.is_head_wrong() {
                        self.activity.find_fault();
                    }
                    return Ok(sound);
                }
            }
            Look::Frames(frames) => {
                if let Err(key) = frames.see(bytes) {
                    let goaway = frames.goaway(key);
                    return Err(self.show_out(cx, key, &goaway));
                }
                if frames.is_amid() {
                    self.activity.received();
                } else {
                    self.activity.no_head();
                }
            }
        }
        Ok(bytes.len())
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
        if matches!(&self.look, Look::Lines(lines) if lines.is_wrong()) {
            // Within a body: it ends here for whoever reads it.
            return Poll::Ready(Ok(()));
        }
        let before = target.filled().len();
        ready!(self.read(cx, target))?;
        if target.filled().len() == before {
            return Poll::Ready(Ok(()));
        }
        let seen = self.see(cx, &target.filled()[before..]);
        let handed_on = *seen.as_ref().unwrap_or(&0);
        target.set_filled(before + handed_on);
        match seen {
            Ok(0) if self.activity.has_fault() => Poll::Pending,
            Ok(_) => Poll::Ready(Ok(())),
            Err(error) => Poll::Ready(Err(error)),
        }
    }
}

impl<S: AsyncWrite + Unpin> Watched<S> {
    fn wrote(&mut self, polled: &Poll<io::Result<usize>>) {
        match polled {
            Poll::Ready(Ok(count)) => {
                // What is sent on HTTP/2 may be as little as a PING.
                self.activity.sent(matches!(self.look, Look::Lines(_)));
                if let Look::Frames(frames) = &mut self.look {
                    frames.sent(*count);
                }
            }
            Poll::Ready(Err(_)) => {}
            Poll::Pending => self.activity.blocked(),
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.socket).poll_write(cx, bytes);
        self.wrote(&polled);
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
        let polled = Pin::new(&mut self.socket).poll_write_vectored(cx, buffers);
        self.wrote(&polled);
        polled
    }
}
