//! Bodies on their way to and from an upstream, with an eye on the clock: when the last part of a
//! request left, and whether a response still comes.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Sleep};

use super::Body;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// When the last part of a request's body was taken by the connection.
#[derive(Clone, Debug)]
pub(super) struct LastWrite(Arc<Mutex<Instant>>);

impl LastWrite {
    pub(super) fn now() -> Self {
        Self(Arc::new(Mutex::new(Instant::now())))
    }

    pub(super) fn get(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn touch(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }
}

/// The body of a request as a connection takes it.
pub(super) struct TimedRequestBody {
    pub(super) body: Body,
    pub(super) last_write: Option<LastWrite>,
}

impl http_body::Body for TimedRequestBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if let (Poll::Ready(_), Some(last)) = (&polled, &self.last_write) {
            last.touch();
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Why a response's body breaks off.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The connection broke, or what came was no HTTP.
    #[error(transparent)]
    Broken(#[from] hyper::Error),
    /// Nothing came for too long.
    #[error("nothing came for {limit:?} (limits.{key})")]
    Idle {
        /// For how long.
        limit: Duration,
        /// The setting.
        key: &'static str,
    },
}

/// The body of a response as it comes. Where nothing comes for too long it breaks off.
#[derive(Debug)]
pub struct UpstreamBody {
    body: Incoming,
    /// For how long it may pause, and the setting that says so.
    idle_timeout: Option<(Duration, &'static str)>,
    /// Runs while nothing comes.
    timer: Option<Pin<Box<Sleep>>>,
    waiting: bool,
    permit: Option<OwnedSemaphorePermit>,
}

impl UpstreamBody {
    pub(super) fn new(body: Incoming, idle: Duration) -> Self {
        Self {
            body,
            idle_timeout: Some((idle, "upstream_body_idle_timeout")),
            timer: None,
            waiting: false,
            permit: None,
        }
    }

    /// The same, which holds a turn until it has ended.
    pub fn with_permit(mut self, turn: OwnedSemaphorePermit) -> Self {
        self.permit = Some(turn);
        self
    }

    /// It is a stream, which holds no turn, and may pause for `limits.stream_idle_timeout`; where
    /// that is none, for as long as it likes.
    pub fn mark_streaming(&mut self, idle: Option<Duration>) {
        self.idle_timeout = idle.map(|idle| (idle, "stream_idle_timeout"));
        self.permit = None;
    }

    /// Ready once nothing came for too long. The clock is read only when the wait begins.
    fn poll_idle(&mut self, cx: &mut Context<'_>) -> Poll<BodyError> {
        let Some((limit, key)) = self.idle_timeout else {
            return Poll::Pending;
        };
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        if !self.waiting {
            timer.as_mut().reset(Instant::now() + limit);
            self.waiting = true;
        }
        let late = timer.as_mut().poll(cx);
        late.map(|()| BodyError::Idle { limit, key })
    }
}

impl http_body::Body for UpstreamBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Ready(next) => {
                self.waiting = false;
                if next.is_none() {
                    self.permit = None;
                }
                Poll::Ready(next.map(|next| next.map_err(Into::into)))
            }
            Poll::Pending => self.poll_idle(cx).map(|idle| Some(Err(idle))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
