//! The bodies sent to and received from an upstream, and the time limit of the latter.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::BodyExt as _;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep};

use super::body_end::EndCheck;
use super::continue_gate::{ContinueGate, ResponseEnd};
use super::error::BodyError;
use super::stream_permit::StreamPermit;
use crate::ResponsePermit;

/// The body of a request.
pub type Body = UnsyncBoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>;

/// The body of a response. It ends with an error if nothing arrives for too long.
#[derive(Debug)]
pub struct UpstreamBody {
    body: Incoming,
    /// How long it may pause, and the key of that limit.
    idle_timeout: Option<(Duration, &'static str)>,
    /// Runs while nothing arrives.
    timer: Option<Pin<Box<Sleep>>>,
    waiting: bool,
    end_check: EndCheck,
    permit: Option<ResponsePermit>,
    stream: Option<StreamPermit>,
    /// Gives a request body up that the upstream did not ask for.
    response_end: Option<ResponseEnd>,
}

impl UpstreamBody {
    pub(super) fn new(body: Incoming, idle_timeout: Duration, end_check: EndCheck) -> Self {
        Self {
            body,
            idle_timeout: Some((idle_timeout, "upstream_body_idle_timeout")),
            timer: None,
            waiting: false,
            end_check,
            permit: None,
            stream: None,
            response_end: None,
        }
    }

    /// The response to a request whose body is held back.
    pub(super) fn with_gate(mut self, gate: Option<ContinueGate>) -> Self {
        self.response_end = gate.map(ResponseEnd);
        self
    }

    /// Keeps a stream of its connection until the body has ended.
    pub(super) fn with_stream(mut self, stream: StreamPermit) -> Self {
        self.stream = Some(stream);
        self
    }

    /// Keeps a request permit until the body has ended, or its client reads nothing.
    pub fn with_permit(mut self, permit: Option<ResponsePermit>) -> Self {
        self.permit = permit;
        self
    }

    /// Waits for the end of a response that has no body. Trailers are dropped, as HTTP/1.1 has
    /// none there.
    pub(super) async fn await_end(&mut self) -> Result<(), BodyError> {
        while !self.is_end_stream() {
            match self.frame().await {
                Some(Ok(frame)) if frame.data_ref().is_some_and(|data| !data.is_empty()) => {
                    return Err(BodyError::UnexpectedData);
                }
                Some(Err(error)) => return Err(error),
                Some(Ok(_)) => {}
                None => break,
            }
        }
        Ok(())
    }

    /// Treats the body as a stream: it keeps no request permit, and may pause for
    /// `limits.stream_idle_timeout`, or without a limit if that is `None`.
    pub fn mark_streaming(&mut self, idle_timeout: Option<Duration>) {
        self.idle_timeout = idle_timeout.map(|limit| (limit, "stream_idle_timeout"));
        self.permit = None;
    }

    /// Ready once nothing arrived for too long. Only the beginning of a pause reads the clock.
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
        let expired = timer.as_mut().poll(cx);
        expired.map(|()| BodyError::Idle { limit, key })
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
            Poll::Ready(Some(Ok(frame))) => {
                self.waiting = false;
                Poll::Ready(Some(self.end_check.on_frame(&frame).map(|()| frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                self.waiting = false;
                self.end_check.finish();
                Poll::Ready(Some(Err(error.into())))
            }
            Poll::Ready(None) => {
                self.permit = None;
                self.stream = None;
                let this = &mut *self;
                Poll::Ready(this.end_check.at_end(&this.body).map(Err))
            }
            Poll::Pending => self.poll_idle(cx).map(|error| Some(Err(error))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream() && !self.end_check.is_due()
    }

    fn size_hint(&self) -> SizeHint {
        if self.end_check.is_due() {
            // Trailers follow the last byte.
            return SizeHint::default();
        }
        self.body.size_hint()
    }
}
