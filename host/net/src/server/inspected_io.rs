//! A socket that is inspected as it is read and written.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::activity::Activity;
use super::frames::{FrameInspector, SyntheticHandshake};
use super::head_error::HeadError;
use super::http1_validator::Http1Validator;
use super::own_output::{OwnOutput, Step};
use crate::{fair_share, shared_buffer};

/// A socket that starts with bytes that were read before, records its activity, and inspects what
/// the client sends.
pub(super) struct InspectedIo<S> {
    socket: S,
    /// Bytes that were read from the socket and not by hyper.
    prefix: Bytes,
    activity: Arc<Activity>,
    inspector: Inspector,
    own_output: OwnOutput,
    /// A new h2 takes over: until its handshake is complete, it does not reach the client.
    synthetic_handshake: Option<Box<SyntheticHandshake>>,
}

/// What inspects the client's bytes.
pub(super) enum Inspector {
    /// Rejects HTTP/1.1 that other servers could read differently.
    Http1(Http1Validator),
    /// Counts and forwards HTTP/2 frames.
    Http2(Box<FrameInspector>),
}

impl<S> InspectedIo<S> {
    pub(super) fn new(
        socket: S,
        prefix: Bytes,
        activity: Arc<Activity>,
        inspector: Inspector,
    ) -> Self {
        Self {
            socket,
            prefix,
            activity,
            inspector,
            own_output: OwnOutput::default(),
            synthetic_handshake: None,
        }
    }

    /// The socket, and the bytes that were read from it and not by hyper.
    pub(super) fn into_parts(self) -> (S, Bytes) {
        (self.socket, self.prefix)
    }

    /// Why the last head is invalid.
    pub(super) fn head_error(&self) -> Option<HeadError> {
        match &self.inspector {
            Inspector::Http1(validator) => validator.head_error(),
            Inspector::Http2(_) => None,
        }
    }

    /// The socket of an idle connection, whose prefix is empty.
    pub(super) fn socket_mut(&mut self) -> &mut S {
        &mut self.socket
    }

    /// True if HTTP/2 is between two frames and a new h2 could continue with the next one.
    pub(super) fn can_suspend(&self, window: u32) -> bool {
        let Inspector::Http2(frames) = &self.inspector else {
            return false;
        };
        self.prefix.is_empty() && self.synthetic_handshake.is_none() && frames.can_suspend(window)
    }

    /// True while a new h2 has not completed its handshake.
    pub(super) fn is_resuming(&self) -> bool {
        self.synthetic_handshake.is_some()
    }

    /// What must be sent to the client before an HTTP/2 connection is idle.
    pub(super) fn take_window_update(&mut self, window: u32) -> Vec<u8> {
        match &mut self.inspector {
            Inspector::Http2(frames) => frames.take_window_update(window),
            Inspector::Http1(_) => Vec::new(),
        }
    }

    /// A new h2 takes over, and reads `prefix` after its handshake.
    pub(super) fn resume(&mut self, prefix: Bytes) {
        self.prefix = prefix;
        if let Inspector::Http2(frames) = &mut self.inspector {
            self.synthetic_handshake = Some(Box::new(frames.resume()));
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> InspectedIo<S> {
    /// Reads valid HTTP/1.1. After an invalid head nothing is read; the connection's task rejects
    /// the request.
    fn read_http1(
        &mut self,
        cx: &mut Context<'_>,
        target: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Inspector::Http1(validator) = &mut self.inspector else {
            return Poll::Ready(Ok(()));
        };
        if self.activity.is_upgraded() {
            validator.switch_protocol();
        }
        if validator.is_invalid() {
            // The body is invalid, and ends here.
            return Poll::Ready(Ok(()));
        }
        let before = target.filled().len();
        if self.prefix.is_empty() {
            ready!(Pin::new(&mut self.socket).poll_read(cx, target))?;
        } else {
            take_from(&mut self.prefix, target);
        }
        if target.filled().len() == before {
            let is_whole = validator.is_between_requests();
            let is_active = self.activity.has_active_requests();
            return match is_whole && self.activity.half_close().hide(is_active) {
                // The connection's task reports the end.
                true => Poll::Pending,
                false => Poll::Ready(Ok(())),
            };
        }
        self.activity.on_read();
        let mut fed = validator.feed(&target.filled()[before..]);
        while let Err(valid) = fed
            && let Some(encoded) = validator.encode_target(&target.filled()[before + valid..])
        {
            target.set_filled(before + valid);
            self.prefix = Bytes::from([&encoded, &self.prefix[..]].concat());
            if valid > 0 {
                fed = Ok(());
                break;
            }
            take_from(&mut self.prefix, target);
            fed = validator.feed(&target.filled()[before..]);
        }
        let options = validator.take_options_targets();
        if !options.is_empty() {
            self.activity.options_targets().extend(options.into_iter());
        }
        let Err(valid) = fed else {
            return Poll::Ready(Ok(()));
        };
        if validator.head_error().is_some() {
            self.activity.mark_invalid_head();
            // If the request before it upgrades the connection, this is the other protocol.
            let unread = &target.filled()[before + valid..];
            self.prefix = Bytes::from([unread, &self.prefix].concat());
        }
        target.set_filled(before + valid);
        if validator.head_error().is_some() && valid == 0 {
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }

    /// Reads HTTP/2 frames.
    ///
    /// # Errors
    /// If the client exceeds a limit.
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
            let forwarded = if self.prefix.is_empty() && !frames.has_pending_output() {
                let prefix = &mut self.prefix;
                let read = shared_buffer::poll_read(&mut self.socket, cx, |_, bytes| {
                    let consumed = frames.forward(bytes, target)?;
                    *prefix = Bytes::copy_from_slice(&bytes[consumed..]);
                    Ok(bytes.len())
                });
                match ready!(read)? {
                    Ok(0) => return Poll::Ready(Ok(())),
                    forwarded => forwarded.map(|_| ()),
                }
            } else {
                let forwarded = frames.forward(&self.prefix, target);
                forwarded.map(|consumed| advance(&mut self.prefix, consumed))
            };
            if let Err(key) = forwarded {
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

    /// Sends a GOAWAY, unless a frame may be partly sent.
    fn send_goaway(&mut self, cx: &mut Context<'_>, key: &'static str, goaway: &[u8]) -> io::Error {
        if self.activity.is_flushed() {
            // The connection ends whether or not the client reads it.
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
        if self.activity.has_invalid_head() && !self.activity.is_upgraded() {
            return Poll::Pending;
        }
        if let Some(handshake) = &mut self.synthetic_handshake {
            let preface = handshake.read(target.remaining());
            target.put_slice(preface);
            return match preface.is_empty() {
                // The end of the handshake wakes the task.
                true => Poll::Pending,
                false => Poll::Ready(Ok(())),
            };
        }
        let before = target.filled().len();
        let read = match &self.inspector {
            Inspector::Http1(_) => self.read_http1(cx, target),
            Inspector::Http2(_) => self.read_http2(cx, target),
        };
        fair_share::charge_read(cx, target, before);
        read
    }
}

/// Moves as many of the first bytes as there is room for.
fn take_from(bytes: &mut Bytes, target: &mut ReadBuf<'_>) {
    let count = bytes.len().min(target.remaining());
    target.put_slice(&bytes[..count]);
    advance(bytes, count);
}

/// Removes the first bytes. An empty rest keeps no memory.
fn advance(bytes: &mut Bytes, count: usize) {
    bytes.advance(count);
    if bytes.is_empty() {
        *bytes = Bytes::new();
    }
}

impl<S: AsyncWrite + Unpin> InspectedIo<S> {
    fn on_write(&mut self, polled: &Poll<io::Result<usize>>, buffers: &[io::IoSlice<'_>]) {
        match polled {
            Poll::Ready(Ok(count)) => {
                // On HTTP/2 the bytes may be just a PING.
                let is_response = matches!(self.inspector, Inspector::Http1(_));
                self.activity.on_write(is_response);
                if let Inspector::Http2(frames) = &mut self.inspector {
                    let mut left = *count;
                    for buffer in buffers {
                        let written = left.min(buffer.len());
                        frames.on_bytes_sent(&buffer[..written]);
                        left -= written;
                    }
                }
            }
            Poll::Ready(Err(_)) => {}
            Poll::Pending => self.activity.on_write_blocked(),
        }
    }

    /// Writes the gateway's own bytes. Returns how many bytes of hyper they replace.
    fn poll_own_output(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        loop {
            let step = self.own_output.poll_step(cx, &mut self.socket);
            if step.is_pending() {
                self.activity.on_write_blocked();
            }
            match ready!(step)? {
                Step::Sent(bytes) => {
                    let buffers = &[io::IoSlice::new(&bytes)];
                    self.on_write(&Poll::Ready(Ok(bytes.len())), buffers);
                }
                Step::Done { replaced } => return Poll::Ready(Ok(replaced)),
            }
        }
    }

    /// Writes the gateway's own bytes that precede these of hyper. Returns how many of these they
    /// replace, if any.
    fn poll_before_write(
        &mut self,
        cx: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<Option<usize>>> {
        let first = buffers.iter().find(|buffer| !buffer.is_empty());
        let first = first.map_or(&[][..], |buffer| buffer);
        if !self.own_output.take_trailers(&self.activity, first) {
            return Poll::Ready(Ok(None));
        }
        let replaced = ready!(self.poll_own_output(cx))?;
        Poll::Ready(Ok((replaced > 0).then_some(replaced)))
    }

    /// Writes to the synthetic handshake, if there is one. Returns the number of bytes.
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
        if let Some(count) = self.write_to_handshake(cx, buffers) {
            return Poll::Ready(Ok(count));
        }
        if let Some(replaced) = ready!(self.poll_before_write(cx, buffers))? {
            return Poll::Ready(Ok(replaced));
        }
        let polled = Pin::new(&mut self.socket).poll_write(cx, bytes);
        fair_share::charge_write(cx, &polled);
        self.on_write(&polled, buffers);
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // hyper flushes once it has written everything: here no message and no frame is incomplete.
        let this = &mut *self;
        while this.synthetic_handshake.is_none() && this.own_output.take_interim(&this.activity) {
            ready!(this.poll_own_output(cx))?;
        }
        let flushed = ready!(Pin::new(&mut self.socket).poll_flush(cx));
        self.activity.on_flushed();
        self.activity.trailer_slot().on_flushed();
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
        if let Some(count) = self.write_to_handshake(cx, buffers) {
            return Poll::Ready(Ok(count));
        }
        if let Some(replaced) = ready!(self.poll_before_write(cx, buffers))? {
            return Poll::Ready(Ok(replaced));
        }
        let polled = Pin::new(&mut self.socket).poll_write_vectored(cx, buffers);
        fair_share::charge_write(cx, &polled);
        self.on_write(&polled, buffers);
        polled
    }
}
