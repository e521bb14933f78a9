//! The body of a request. A client that stops sending it is not waited for.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::activity::Activity;
use super::body_error::BodyErrorKind;
use super::body_timeouts::BodyTimeouts;
use super::expected_body::ExpectedBody;

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

    /// True if the client waits to be asked for the body.
    pub fn is_expected(&self) -> bool {
        self.expected.is_some()
    }

    fn end_activity(&mut self) {
        if std::mem::take(&mut self.is_active) {
            self.activity.end_request();
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
            timeouts.on_frame(next.as_ref().and_then(|frame| frame.as_ref().ok()));
            if let Some(Err(error)) = &next {
                timeouts.set_error(BodyErrorKind::of(error));
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
