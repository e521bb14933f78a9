//! The body of a request as it arrives: a client that does not send it is not waited for.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep};

use super::activity::Activity;
use super::{Bounds, Refusal};
use ouli_codec::grpc;

/// The body of a request.
#[derive(Debug)]
pub struct Arriving {
    body: Incoming,
    activity: Arc<Activity>,
    /// It came to its end.
    ended: bool,
    /// None where a client may take its time: in a stream both sides speak when they want to.
    patience: Option<Patience>,
}

/// Why a body does not come.
#[derive(Debug, thiserror::Error)]
pub enum ArrivalError {
    /// The connection broke, or what came is no body.
    #[error(transparent)]
    Broken(#[from] hyper::Error),
    /// The client took too long.
    #[error("the client took too long to send the body (limits.{0})")]
    Late(&'static str),
}

#[derive(Debug)]
struct Patience {
    /// Between two pieces of the body.
    idle: Duration,
    /// In all, where only the time counts in which it was waited for.
    left: Duration,
    since: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
    verdict: Verdict,
}

/// What was wrong with a body, for the task that answers.
#[derive(Clone, Debug, Default)]
pub(super) struct Verdict(Arc<AtomicU8>);

/// What a verdict says; 0 is nothing.
const LATE_PIECE: u8 = 1;
const LATE_END: u8 = 2;
const BROKEN: u8 = 3;

impl Verdict {
    fn pass(&self, number: u8) {
        self.0.store(number, Ordering::Relaxed);
    }

    pub(super) fn refusal(&self) -> Option<Refusal> {
        match self.0.load(Ordering::Relaxed) {
            LATE_PIECE => Some(Refusal::Late("request_idle_timeout")),
            LATE_END => Some(Refusal::Late("request_timeout")),
            BROKEN => Some(Refusal::Broken),
            _ => None,
        }
    }
}

impl Arriving {
    /// A body, and the verdict on it where there is something to wait for.
    pub(super) fn of(
        request: &Request<Incoming>,
        bounds: &Bounds,
    ) -> Option<(Verdict, Duration, Duration)> {
        let whole = request.body().is_end_stream();
        let stream = *request.method() == Method::CONNECT || grpc::is_call(request.headers());
        let (idle, all) = (bounds.request_idle_timeout, bounds.request_timeout);
        (!whole && !stream).then(|| (Verdict::default(), idle, all))
    }

    pub(super) fn new(
        body: Incoming,
        activity: Arc<Activity>,
        patience: Option<(Verdict, Duration, Duration)>,
    ) -> Self {
        let patience = patience.map(|(verdict, idle, left)| Patience {
            idle,
            left,
            since: None,
            timer: None,
            verdict,
        });
        Self {
            body,
            activity,
            ended: false,
            patience,
        }
    }
}

impl Patience {
    fn heard(&mut self) {
        if let Some(since) = self.since.take() {
            self.left = self.left.saturating_sub(since.elapsed());
        }
    }

    /// Ready with the limit that is over.
    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<&'static str> {
        let since = *self.since.get_or_insert_with(Instant::now);
        let due = since + self.idle.min(self.left);
        let new = || Box::pin(tokio::time::sleep_until(due));
        let timer = self.timer.get_or_insert_with(new);
        if timer.deadline() != due {
            timer.as_mut().reset(due);
        }
        ready!(timer.as_mut().poll(cx));
        if self.left < self.idle {
            self.verdict.pass(LATE_END);
            Poll::Ready("request_timeout")
        } else {
            self.verdict.pass(LATE_PIECE);
            Poll::Ready("request_idle_timeout")
        }
    }
}

impl Body for Arriving {
    type Data = Bytes;
    type Error = ArrivalError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ArrivalError>>> {
        let me = &mut *self;
        let Poll::Ready(next) = Pin::new(&mut me.body).poll_frame(cx) else {
            let Some(patience) = &mut me.patience else {
                return Poll::Pending;
            };
            let key = ready!(patience.wait(cx));
            return Poll::Ready(Some(Err(ArrivalError::Late(key))));
        };
        me.ended |= next.is_none();
        if let Some(patience) = &mut me.patience {
            patience.heard();
            if matches!(next, Some(Err(_))) {
                patience.verdict.pass(BROKEN);
            }
        }
        Poll::Ready(next.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        if !self.ended && !self.body.is_end_stream() {
            self.activity.lose();
        }
    }
}
