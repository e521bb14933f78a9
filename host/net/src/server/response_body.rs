//! The body of a response on HTTP/2, in pieces, so that a client that gives it no window is
//! noticed.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::activity::Activity;
use crate::http::forwarding;

/// A body that is asked for its next piece when there is room for it. hyper would take all of a
/// large piece at once, however small the window is.
pub(super) struct ResponseBody<B> {
    body: Pin<Box<B>>,
    pending: Bytes,
    /// Bytes of a piece.
    chunk_size: usize,
    response_id: u64,
    activity: Arc<Activity>,
}

impl<B: Body<Data = Bytes>> ResponseBody<B> {
    /// `number` tells it from the others of its connection.
    pub(super) fn new(body: B, number: u64, most: usize, activity: Arc<Activity>) -> Self {
        if !body.is_end_stream() {
            activity.stall(number);
        }
        Self {
            body: Box::pin(body),
            pending: Bytes::new(),
            chunk_size: most,
            response_id: number,
            activity,
        }
    }

    fn next_chunk(&mut self) -> Option<Result<Frame<Bytes>, B::Error>> {
        self.activity.stall(self.response_id);
        let piece = self
            .pending
            .split_to(self.chunk_size.min(self.pending.len()));
        Some(Ok(Frame::data(piece)))
    }
}

impl<B: Body<Data = Bytes>> Body for ResponseBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        self.activity.unstall(self.response_id);
        if !self.pending.is_empty() {
            return Poll::Ready(self.next_chunk());
        }
        let next = match ready!(self.body.as_mut().poll_frame(cx)) {
            Some(Ok(frame)) => frame,
            other => return Poll::Ready(other),
        };
        Poll::Ready(match next.into_data() {
            Ok(data) => {
                self.pending = data;
                self.next_chunk()
            }
            Err(mut other) => {
                if let Some(trailers) = other.trailers_mut() {
                    forwarding::detach(trailers);
                }
                Some(Ok(other))
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
        self.activity.unstall(self.response_id);
    }
}
