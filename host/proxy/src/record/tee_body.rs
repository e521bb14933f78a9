//! Bodies on their way, copied while they pass. What the copy has no room for yet is held back.

use std::pin::Pin;
use std::sync::PoisonError;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::body_capture::{Capture, Lost, Shared, Taken};
use super::recorder_delivery::Delivery;
use ouli_message::failure::{Fault, Phase, What};
use ouli_message::stream::Ending;
use ouli_net::server::{ArrivalError, Arriving};
use ouli_net::upstream::{self, BodyError, Inbound};

/// What comes next of a body: a frame, a fault or its end.
type Next<E> = Option<Result<Frame<Bytes>, E>>;

/// Called with what was captured, or why there is nothing; gives what is still to be delivered.
type Finish = Box<dyn FnOnce(Result<Taken, Lost>) -> Option<Delivery> + Send>;

/// The body of a request, some of which may have been read before it was sent up.
pub(crate) struct Upward {
    first: Bytes,
    rest: Arriving,
}

impl From<Arriving> for Upward {
    fn from(rest: Arriving) -> Self {
        Self {
            first: Bytes::new(),
            rest,
        }
    }
}

impl Upward {
    /// What was read already, then the rest.
    pub(crate) fn resumed(first: Bytes, rest: Arriving) -> Self {
        Self { first, rest }
    }
}

impl Body for Upward {
    type Data = Bytes;
    type Error = ArrivalError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ArrivalError>>> {
        if !self.first.is_empty() {
            let first = std::mem::take(&mut self.first);
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        Pin::new(&mut self.rest).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_empty() && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        if self.first.is_empty() {
            self.rest.size_hint()
        } else {
            SizeHint::default()
        }
    }
}

/// The body of a request on its way up, copied.
pub(crate) struct TeedRequest {
    body: Upward,
    copy: Shared,
    /// What is held back.
    back: Option<Next<ArrivalError>>,
}

impl TeedRequest {
    pub(crate) fn new(body: Upward, copy: Shared) -> Self {
        let mut locked = copy.lock().unwrap_or_else(PoisonError::into_inner);
        locked.declare(body.size_hint().exact());
        if body.is_end_stream() {
            locked.end();
        }
        drop(locked);
        Self {
            body,
            copy,
            back: None,
        }
    }
}

impl Body for TeedRequest {
    type Data = Bytes;
    type Error = ArrivalError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ArrivalError>>> {
        let next = match self.back.take() {
            Some(next) => next,
            None => ready!(Pin::new(&mut self.body).poll_frame(cx)),
        };
        let ended = self.body.is_end_stream();
        let mut copy = self.copy.lock().unwrap_or_else(PoisonError::into_inner);
        let noted = poll_note(cx, &mut copy, next.as_ref(), ended, Ending::Client);
        drop(copy);
        if noted.is_pending() {
            self.back = Some(next);
            return Poll::Pending;
        }
        Poll::Ready(next)
    }

    fn is_end_stream(&self) -> bool {
        self.back.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The body of a response on its way down, copied; at its end the exchange is handed over.
pub(crate) struct Tee {
    body: Inbound,
    copy: Capture,
    finish: Option<Finish>,
    /// What is held back, and whether it was copied already.
    back: Option<(Next<BodyError>, bool)>,
    delivery: Option<Delivery>,
    /// The upstream is waited for.
    waiting: bool,
}

impl Tee {
    /// `finish` is called once: with the whole body, or with the reason why it is not whole.
    pub(crate) fn new(
        body: Inbound,
        copy: Capture,
        finish: impl FnOnce(Result<Taken, Lost>) -> Option<Delivery> + Send + 'static,
    ) -> Self {
        let mut tee = Self {
            body,
            copy,
            finish: Some(Box::new(finish)),
            back: None,
            delivery: None,
            waiting: false,
        };
        let declared = tee.body.size_hint().exact();
        tee.copy.declare(declared);
        if tee.body.is_end_stream() {
            tee.copy.end();
            tee.hand_over();
        }
        tee
    }

    /// It is a stream, which may pause for so long, or as long as it likes.
    pub(crate) fn let_last(&mut self, idle: Option<Duration>) {
        self.body.let_last(idle);
    }

    /// What is still to be delivered of an exchange whose response has no body, so that its head is
    /// what is held back.
    pub(crate) fn delivery(&mut self) -> Option<Delivery> {
        self.delivery.take()
    }

    fn hand_over(&mut self) {
        if let Some(finish) = self.finish.take() {
            self.delivery = finish(self.copy.take());
        }
    }
}

impl Body for Tee {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let tee = &mut *self;
        let (next, copied) = match tee.back.take() {
            Some(back) => back,
            None => {
                let polled = Pin::new(&mut tee.body).poll_frame(cx);
                tee.waiting = polled.is_pending();
                (ready!(polled), false)
            }
        };
        let ended = tee.body.is_end_stream();
        if !copied {
            let noted = poll_note(cx, &mut tee.copy, next.as_ref(), ended, Ending::Server);
            if noted.is_pending() {
                tee.back = Some((next, false));
                return Poll::Pending;
            }
        }
        // Before the last bytes leave: who sees the end of the response may count on the exchange.
        if ended || !matches!(next, Some(Ok(_))) {
            tee.hand_over();
        }
        if let Some(delivery) = &mut tee.delivery {
            if delivery.poll(cx).is_pending() {
                tee.back = Some((next, true));
                return Poll::Pending;
            }
            tee.delivery = None;
        }
        Poll::Ready(next)
    }

    fn is_end_stream(&self) -> bool {
        self.back.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Tee {
    fn drop(&mut self) {
        if !self.copy.has_all() {
            let reason = "the client left before the end".to_owned();
            let left = Fault::new(Phase::Body, What::Left);
            self.copy.fails(self.waiting.then_some(left));
            self.copy.cut(Ending::Client, reason);
        }
        self.hand_over();
    }
}

/// Notes what came; where it is a fault, it is that of `sender`. Pending while it is to be held
/// back.
fn poll_note<E: std::error::Error + 'static>(
    cx: &mut Context<'_>,
    copy: &mut Capture,
    next: Option<&Result<Frame<Bytes>, E>>,
    ended: bool,
    sender: Ending,
) -> Poll<()> {
    match next {
        Some(Ok(frame)) => {
            ready!(copy.poll_frame(cx, frame));
            if ended {
                copy.end();
            }
        }
        Some(Err(error)) => {
            copy.fails(Some(upstream::of_body(error)));
            copy.cut(sender, format!("it broke off: {error}"));
        }
        None => copy.end(),
    }
    Poll::Ready(())
}
