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
use super::{Bounds, Rejection};
use ouli_codec::grpc;

/// The body of a request.
#[derive(Debug)]
pub struct IncomingBody {
    body: Incoming,
    activity: Arc<Activity>,
    /// It came to its end.
    finished: bool,
    /// None where a client may take its time: in a stream both sides speak when they want to.
    timeouts: Option<BodyTimeouts>,
}

/// Why a body does not come.
#[derive(Debug, thiserror::Error)]
pub enum IncomingBodyError {
    /// The connection broke, or what came is no body.
    #[error(transparent)]
    Transport(#[from] hyper::Error),
    /// The client took too long.
    #[error("the client took too long to send the body (limits.{0})")]
    Timeout(&'static str),
}

#[derive(Debug)]
struct BodyTimeouts {
    /// Between two pieces of the body.
    idle: Duration,
    /// In all, where only the time counts in which it was waited for.
    remaining: Duration,
    waiting_since: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
    error: BodyErrorFlag,
}

/// What was wrong with a body, for the task that answers.
#[derive(Clone, Debug, Default)]
pub(super) struct BodyErrorFlag(Arc<AtomicU8>);

/// What a verdict says; 0 is nothing.
const IDLE_TIMEOUT: u8 = 1;
const TOTAL_TIMEOUT: u8 = 2;
const BROKEN: u8 = 3;

impl BodyErrorFlag {
    fn set(&self, number: u8) {
        self.0.store(number, Ordering::Relaxed);
    }

    pub(super) fn rejection(&self) -> Option<Rejection> {
        match self.0.load(Ordering::Relaxed) {
            IDLE_TIMEOUT => Some(Rejection::BodyTimeout("request_body_idle_timeout")),
            TOTAL_TIMEOUT => Some(Rejection::BodyTimeout("request_timeout")),
            BROKEN => Some(Rejection::IncompleteBody),
            _ => None,
        }
    }
}

impl IncomingBody {
    /// A body, and the verdict on it where there is something to wait for.
    pub(super) fn timeouts_for(
        request: &Request<Incoming>,
        bounds: &Bounds,
    ) -> Option<(BodyErrorFlag, Duration, Duration)> {
        let whole = request.body().is_end_stream();
        let stream = *request.method() == Method::CONNECT || grpc::has_grpc_body(request.headers());
        let (idle, all) = (bounds.request_body_idle_timeout, bounds.request_timeout);
        (!whole && !stream).then(|| (BodyErrorFlag::default(), idle, all))
    }

    pub(super) fn new(
        body: Incoming,
        activity: Arc<Activity>,
        patience: Option<(BodyErrorFlag, Duration, Duration)>,
    ) -> Self {
        let patience = patience.map(|(verdict, idle, left)| BodyTimeouts {
            idle,
            remaining: left,
            waiting_since: None,
            timer: None,
            error: verdict,
        });
        Self {
            body,
            activity,
            finished: false,
            timeouts: patience,
        }
    }
}

impl BodyTimeouts {
    fn on_frame(&mut self) {
        if let Some(since) = self.waiting_since.take() {
            self.remaining = self.remaining.saturating_sub(since.elapsed());
        }
    }

    /// Ready with the limit that is over.
    fn poll_timeout(&mut self, cx: &mut Context<'_>) -> Poll<&'static str> {
        let since = *self.waiting_since.get_or_insert_with(Instant::now);
        let due = since + self.idle.min(self.remaining);
        let new = || Box::pin(tokio::time::sleep_until(due));
        let timer = self.timer.get_or_insert_with(new);
        if timer.deadline() != due {
            timer.as_mut().reset(due);
        }
        ready!(timer.as_mut().poll(cx));
        if self.remaining < self.idle {
            self.error.set(TOTAL_TIMEOUT);
            Poll::Ready("request_timeout")
        } else {
            self.error.set(IDLE_TIMEOUT);
            Poll::Ready("request_body_idle_timeout")
        }
    }
}

impl Body for IncomingBody {
    type Data = Bytes;
    type Error = IncomingBodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, IncomingBodyError>>> {
        let me = &mut *self;
        let Poll::Ready(next) = Pin::new(&mut me.body).poll_frame(cx) else {
            let Some(patience) = &mut me.timeouts else {
                return Poll::Pending;
            };
            let key = ready!(patience.poll_timeout(cx));
            return Poll::Ready(Some(Err(IncomingBodyError::Timeout(key))));
        };
        me.finished |= next.is_none();
        if let Some(patience) = &mut me.timeouts {
            patience.on_frame();
            if matches!(next, Some(Err(_))) {
                patience.error.set(BROKEN);
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

impl Drop for IncomingBody {
    fn drop(&mut self) {
        if !self.finished && !self.body.is_end_stream() {
            self.activity.mark_desynchronized();
        }
    }
}
