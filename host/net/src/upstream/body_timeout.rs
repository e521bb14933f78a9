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
pub(super) struct LastPart(Arc<Mutex<Instant>>);

impl LastPart {
    pub(super) fn now() -> Self {
        Self(Arc::new(Mutex::new(Instant::now())))
    }

    pub(super) fn at(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }
}

/// The body of a request as a connection takes it.
pub(super) struct Outbound {
    pub(super) body: Body,
    pub(super) last: Option<LastPart>,
}

impl http_body::Body for Outbound {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if let (Poll::Ready(_), Some(last)) = (&polled, &self.last) {
            last.note();
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
pub struct Inbound {
    body: Incoming,
    /// For how long it may pause, and the setting that says so.
    idle: Option<(Duration, &'static str)>,
    /// Runs while nothing comes.
    timer: Option<Pin<Box<Sleep>>>,
    waiting: bool,
    turn: Option<OwnedSemaphorePermit>,
}

impl Inbound {
    pub(super) fn new(body: Incoming, idle: Duration) -> Self {
        Self {
            body,
            idle: Some((idle, "upstream_body_idle_timeout")),
            timer: None,
            waiting: false,
            turn: None,
        }
    }

    /// The same, which holds a turn until it has ended.
    pub fn holding(mut self, turn: OwnedSemaphorePermit) -> Self {
        self.turn = Some(turn);
        self
    }

    /// It is a stream, which holds no turn, and may pause for `limits.stream_idle_timeout`; where
    /// that is none, for as long as it likes.
    pub fn let_last(&mut self, idle: Option<Duration>) {
        self.idle = idle.map(|idle| (idle, "stream_idle_timeout"));
        self.turn = None;
    }

    /// Ready once nothing came for too long. The clock is read only when the wait begins.
    fn poll_idle(&mut self, cx: &mut Context<'_>) -> Poll<BodyError> {
        let Some((limit, key)) = self.idle else {
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

impl http_body::Body for Inbound {
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
                    self.turn = None;
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
