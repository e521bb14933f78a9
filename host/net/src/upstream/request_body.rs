//! The body of a request, as a connection takes it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use parking_lot::Mutex;
use tokio::time::{Instant, Sleep};

use super::continue_gate::ContinueGate;
use super::error::BoxError;
use super::resendable_body::Attempt;
use super::stream_permit::StreamPermit;

/// When the connection last took a part of a request body.
#[derive(Clone, Debug)]
pub(super) struct LastWrite(Arc<Mutex<Instant>>);

impl LastWrite {
    pub(super) fn now() -> Self {
        Self(Arc::new(Mutex::new(Instant::now())))
    }

    pub(super) fn get(&self) -> Instant {
        *self.0.lock()
    }

    fn touch(&self) {
        *self.0.lock() = Instant::now();
    }
}

/// A request body that records when the connection takes parts of it. None if it is empty.
pub(super) struct TimedRequestBody {
    pub(super) body: Option<Attempt>,
    pub(super) last_write: Option<LastWrite>,
    /// The HTTP/2 stream that sends it.
    #[expect(dead_code, reason = "dropped with the body")]
    pub(super) stream: Option<StreamPermit>,
    /// Holds the body back.
    pub(super) gate: Option<(ContinueGate, Option<Pin<Box<Sleep>>>)>,
}

impl TimedRequestBody {
    /// Ready once the body may be sent.
    fn poll_gate(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        let Some((gate, timer)) = &mut self.gate else {
            return Poll::Ready(Ok(()));
        };
        let wait = || Box::pin(tokio::time::sleep(gate.max_wait()));
        if timer.get_or_insert_with(wait).as_mut().poll(cx).is_ready() {
            gate.open();
        }
        ready!(gate.poll(cx))?;
        self.gate = None;
        Poll::Ready(Ok(()))
    }
}

impl Body for TimedRequestBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Err(error) = ready!(self.poll_gate(cx)) {
            return Poll::Ready(Some(Err(error)));
        }
        let Some(body) = &mut self.body else {
            return Poll::Ready(None);
        };
        let polled = Pin::new(body).poll_frame(cx);
        if let (Poll::Ready(_), Some(last_write)) = (&polled, &self.last_write) {
            last_write.touch();
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Attempt::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let empty = || SizeHint::with_exact(0);
        self.body.as_ref().map_or_else(empty, Attempt::size_hint)
    }
}
