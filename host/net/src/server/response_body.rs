//! The body of an HTTP/2 response in chunks, so that a client that grants no flow-control window is
//! noticed.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::activity::Activity;
use crate::http::forwarding;

/// Bytes of a chunk.
const CHUNK_SIZE: usize = 16 << 10;

/// A body that hyper polls for the next chunk once the window has room for it. hyper would accept
/// all of a large frame at once, however small the window is.
pub(super) struct ResponseBody<B> {
    body: Pin<Box<B>>,
    pending: Bytes,
    request: u64,
    activity: Arc<Activity>,
}

impl<B: Body<Data = Bytes>> ResponseBody<B> {
    /// `request` is the number of its request on the connection.
    pub(super) fn new(body: B, request: u64, activity: Arc<Activity>) -> Self {
        if !body.is_end_stream() {
            activity.stall(request);
        }
        Self {
            body: Box::pin(body),
            pending: Bytes::new(),
            request,
            activity,
        }
    }

    fn next_chunk(&mut self) -> Option<Result<Frame<Bytes>, B::Error>> {
        self.activity.stall(self.request);
        let chunk = self.pending.split_to(CHUNK_SIZE.min(self.pending.len()));
        Some(Ok(Frame::data(chunk)))
    }
}

impl<B: Body<Data = Bytes>> Body for ResponseBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        self.activity.unstall(self.request);
        if !self.pending.is_empty() {
            return Poll::Ready(self.next_chunk());
        }
        let frame = match ready!(self.body.as_mut().poll_frame(cx)) {
            Some(Ok(frame)) => frame,
            end_or_error => return Poll::Ready(end_or_error),
        };
        Poll::Ready(match frame.into_data() {
            Ok(data) => {
                self.pending = data;
                self.next_chunk()
            }
            Err(mut frame) => {
                if let Some(trailers) = frame.trailers_mut() {
                    forwarding::detach(trailers);
                }
                Some(Ok(frame))
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        self.pending.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<B> Drop for ResponseBody<B> {
    fn drop(&mut self) {
        self.activity.unstall(self.request);
    }
}
