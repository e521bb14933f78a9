//! The body of a request. A client that stops sending it is not waited for.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Method, Request};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep};

use super::activity::Activity;
use super::body_error::{BodyErrorFlag, BodyErrorKind};
use super::bounds::Bounds;
use super::expected_body::ExpectedBody;
use ouli_message::exchange::is_grpc;

/// The body of a request.
#[derive(Debug)]
pub struct IncomingBody {
    body: Incoming,
    activity: Arc<Activity>,
    /// The client waits before it sends the body.
    expected: Option<ExpectedBody>,
    /// The body has ended.
    finished: bool,
    /// The connection is not idle while a body is read, even after the response.
    is_active: bool,
    /// `None` if the client may pause: in a stream both sides send when they want to.
    timeouts: Option<BodyTimeouts>,
}

/// Why a request body ends early.
#[derive(Debug, thiserror::Error)]
pub enum IncomingBodyError {
    /// The connection broke, or the body is malformed.
    #[error(transparent)]
    Transport(#[from] hyper::Error),
    /// The client did not send it in time.
    #[error("the client took too long to send the body (limits.{0})")]
    Timeout(&'static str),
}

/// The time limits of one request body.
#[derive(Debug)]
pub(super) struct BodyTimeouts {
    /// Between two chunks.
    idle: Duration,
    /// What is left for the whole body. Only the time spent waiting for it counts.
    remaining: Duration,
    waiting_since: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
    error: BodyErrorFlag,
}

impl IncomingBody {
    pub(super) fn new(
        body: Incoming,
        activity: Arc<Activity>,
        expected: Option<ExpectedBody>,
        timeouts: Option<BodyTimeouts>,
    ) -> Self {
        let is_active = !body.is_end_stream();
        if is_active {
            activity.share_request();
        }
        Self {
            body,
            activity,
            expected,
            finished: false,
            is_active,
            timeouts,
        }
    }

    fn end_activity(&mut self) {
        if std::mem::take(&mut self.is_active) {
            self.activity.end_request();
        }
    }
}

impl BodyTimeouts {
    /// The time limits of a request's body. `None` if it has no body, or if the body is a stream.
    pub(super) fn for_request(request: &Request<Incoming>, bounds: &Bounds) -> Option<Self> {
        let content_type = request.headers().get(CONTENT_TYPE);
        let is_grpc = content_type.is_some_and(|value| value.to_str().is_ok_and(is_grpc));
        let is_stream = *request.method() == Method::CONNECT || is_grpc;
        (!request.body().is_end_stream() && !is_stream).then(|| Self {
            idle: bounds.request_body_idle_timeout,
            remaining: bounds.request_timeout,
            waiting_since: None,
            timer: None,
            error: BodyErrorFlag::default(),
        })
    }

    pub(super) fn error_flag(&self) -> BodyErrorFlag {
        self.error.clone()
    }

    fn on_frame(&mut self) {
        if let Some(since) = self.waiting_since.take() {
            self.remaining = self.remaining.saturating_sub(since.elapsed());
        }
    }

    /// Ready with the key of the limit once a limit has expired.
    fn poll_timeout(&mut self, cx: &mut Context<'_>) -> Poll<&'static str> {
        let since = *self.waiting_since.get_or_insert_with(Instant::now);
        let deadline = since + self.idle.min(self.remaining);
        let new_timer = || Box::pin(tokio::time::sleep_until(deadline));
        let timer = self.timer.get_or_insert_with(new_timer);
        if timer.deadline() != deadline {
            timer.as_mut().reset(deadline);
        }
        ready!(timer.as_mut().poll(cx));
        if self.remaining < self.idle {
            self.error.set(BodyErrorKind::TotalTimeout);
            Poll::Ready("request_timeout")
        } else {
            self.error.set(BodyErrorKind::IdleTimeout);
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
        let this = &mut *self;
        if let Some(expected) = this.expected.take() {
            expected.request_body();
        }
        let Poll::Ready(next) = Pin::new(&mut this.body).poll_frame(cx) else {
            let Some(timeouts) = &mut this.timeouts else {
                return Poll::Pending;
            };
            let key = ready!(timeouts.poll_timeout(cx));
            return Poll::Ready(Some(Err(IncomingBodyError::Timeout(key))));
        };
        this.finished |= next.is_none();
        if this.finished || this.body.is_end_stream() {
            this.end_activity();
        }
        if let Some(timeouts) = &mut this.timeouts {
            timeouts.on_frame();
            if matches!(next, Some(Err(_))) {
                timeouts.error.set(BodyErrorKind::Incomplete);
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
        self.end_activity();
    }
}
