//! The body of a request, counted for the access log.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;

use ouli_net::server::{IncomingBody, IncomingBodyError};

/// The body of a request, counted for the access log.
pub(crate) struct RequestBody {
    body: IncomingBody,
    bytes_in: Option<Arc<AtomicU64>>,
    /// Frames that were read and not yet used, and the error after them.
    early: VecDeque<Result<Frame<Bytes>, IncomingBodyError>>,
}

/// The size in bytes up to which a body is awaited while uploads have their places.
const MAX_AWAITED: u64 = 16 << 10;

impl RequestBody {
    pub(super) fn new(body: IncomingBody, bytes_in: Option<Arc<AtomicU64>>) -> Self {
        Self {
            body,
            bytes_in,
            early: VecDeque::new(),
        }
    }

    /// Awaits the end of a body that is declared to be empty. In HTTP/2 its end may follow the head
    /// of the request; if other bytes follow, the request is malformed and must not be forwarded
    /// (RFC 9113, section 8.1.1).
    pub(super) async fn await_declared_end(&mut self) -> Result<(), IncomingBodyError> {
        if self.size_hint().exact() != Some(0) {
            return Ok(());
        }
        while self.early.is_empty() && !self.is_end_stream() {
            let Some(frame) = self.frame().await else {
                return Ok(());
            };
            self.early
                .extend(Some(frame?).filter(Frame::is_trailers).map(Ok));
        }
        Ok(())
    }

    /// Reads a small body. True if all of it has arrived; false if it is larger, has no declared
    /// size, or the client waits to be asked for it.
    pub(crate) async fn await_small(&mut self) -> bool {
        let size = self.size_hint().exact();
        if self.body.is_expected() || size.is_none_or(|size| size > MAX_AWAITED) {
            return self.is_end_stream();
        }
        while !self.body.is_end_stream() {
            let Some(frame) = poll_fn(|cx| self.poll_body(cx)).await else {
                break;
            };
            let is_broken = frame.is_err();
            self.early.push_back(frame);
            if is_broken {
                break;
            }
        }
        true
    }

    fn poll_body(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, IncomingBodyError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if let (Some(bytes_in), Poll::Ready(Some(Ok(frame)))) = (&self.bytes_in, &polled)
            && let Some(data) = frame.data_ref()
        {
            bytes_in.fetch_add(data.len() as u64, Ordering::Relaxed);
        }
        polled
    }

    /// The bytes of the frames that were read and not yet used.
    fn early_size(&self) -> u64 {
        let frames = self.early.iter().filter_map(|frame| frame.as_ref().ok());
        frames
            .filter_map(Frame::data_ref)
            .map(|data| data.len() as u64)
            .sum()
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = IncomingBodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, IncomingBodyError>>> {
        match self.early.pop_front() {
            Some(frame) => Poll::Ready(Some(frame)),
            None => self.poll_body(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.early.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (mut hint, early) = (self.body.size_hint(), self.early_size());
        if let Some(upper) = hint.upper() {
            hint.set_upper(upper + early);
        }
        hint.set_lower(hint.lower() + early);
        hint
    }
}
