//! The body of every response that the gateway sends.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, Version};
use http_body::{Body, Frame, SizeHint};

use super::access_log::AccessOutcome;
use super::error_format::ErrorFormat;
use super::grpc_status;
use super::request_trace::RequestTrace;
use super::shared_state::{Permit, SharedState};
use crate::conversation::FrameReceiver;
use crate::record::{BackgroundRead, TeedResponseBody};
use crate::replay::EarlyLeave;
use crate::replay::shutdown_watch::{ShutdownPhase, ShutdownWatch};
use crate::replay::timed_body::{PolledFrame, TimedBody};
use ouli_net::server::RequestGuard;
use ouli_net::upstream::{self, UpstreamBody};

/// The body of a response, with the guards that it holds until it is sent.
pub struct OutgoingBody {
    source: Source,
    /// It is a long-lived stream.
    is_long_lived: bool,
    /// It is the response of a gRPC call.
    is_call: bool,
    /// Ends a stream when the gateway stops.
    shutdown_watch: Option<ShutdownWatch>,
    /// The last frame or an error was polled.
    has_ended: bool,
    /// The error that ends the body after the chunks before it are sent: a connection that is
    /// aborted drops what it has not sent yet.
    pending_error: Option<BoxError>,
    request_guard: Option<RequestGuard>,
    _permit: Option<Permit>,
    /// After the source: it ends when the source is dropped.
    trace: RequestTrace,
}

enum Source {
    /// Bytes, then trailers.
    Full {
        bytes: Option<Bytes>,
        trailers: Option<HeaderMap>,
        /// The length is known to the client, as `content-length` on HTTP/1.1.
        has_content_length: bool,
    },
    /// From the upstream.
    Passthrough(UpstreamBody),
    /// From the upstream, and recorded.
    Teed(Box<TeedResponseBody>),
    /// From the cassette, chunk by chunk.
    Timed(Box<TimedBody>),
    /// From the cassette, in response to the messages of the client.
    Conversation(FrameReceiver),
}

impl Source {
    const EMPTY: Self = Self::Full {
        bytes: None,
        trailers: None,
        has_content_length: false,
    };
}

impl OutgoingBody {
    /// Bytes of a known length.
    pub fn from_bytes(bytes: Bytes) -> Self {
        Self::full(bytes, None, true)
    }

    pub(crate) fn full(
        bytes: Bytes,
        trailers: Option<HeaderMap>,
        has_content_length: bool,
    ) -> Self {
        let bytes = (!bytes.is_empty()).then_some(bytes);
        Self::new(Source::Full {
            bytes,
            trailers,
            has_content_length,
        })
    }

    /// The bytes, if they are known and no trailers follow.
    pub(crate) fn bytes(&self) -> Option<Bytes> {
        match &self.source {
            Source::Full {
                bytes,
                trailers: None,
                ..
            } => Some(bytes.clone().unwrap_or_default()),
            Source::Full { .. }
            | Source::Passthrough(_)
            | Source::Teed(_)
            | Source::Timed(_)
            | Source::Conversation(_) => None,
        }
    }

    /// The length, if the client is told it.
    pub(crate) fn content_length(&self) -> Option<u64> {
        self.size_hint().exact()
    }

    /// No bytes, and no `content-length`.
    pub(crate) fn empty() -> Self {
        Self::full(Bytes::new(), None, false)
    }

    pub(crate) fn timed(timed: TimedBody) -> Self {
        Self::new(Source::Timed(Box::new(timed))).long_lived(true)
    }

    /// Counts a client that leaves a stream from the cassette before its end.
    pub(crate) fn count_early_leave(&mut self, early_leave: Option<EarlyLeave>) {
        if let Source::Timed(timed) = &mut self.source {
            timed.count_early_leave(early_leave);
        }
    }

    pub(crate) fn conversation(frames: FrameReceiver) -> Self {
        Self::new(Source::Conversation(frames)).long_lived(true)
    }

    pub(crate) fn passthrough(body: UpstreamBody) -> Self {
        Self::new(Source::Passthrough(body))
    }

    pub(crate) fn teed(tee: TeedResponseBody) -> Self {
        Self::new(Source::Teed(Box::new(tee)))
    }

    fn new(source: Source) -> Self {
        Self {
            source,
            is_long_lived: false,
            is_call: false,
            shutdown_watch: None,
            has_ended: false,
            pending_error: None,
            request_guard: None,
            _permit: None,
            trace: RequestTrace::default(),
        }
    }

    /// Counts the body in the trace of its request, which ends with the body.
    pub(super) fn with_trace(mut self, trace: RequestTrace) -> Self {
        self.trace = trace;
        self
    }

    /// Sets whether it is a long-lived stream.
    pub(crate) fn long_lived(mut self, is_long_lived: bool) -> Self {
        self.is_long_lived = is_long_lived;
        self
    }

    /// Holds the guards until the body is sent. A long-lived stream exchanges its request permit
    /// for a stream permit, if one is free.
    pub(super) fn with_guards(
        mut self,
        shared: &SharedState,
        request_guard: RequestGuard,
        permit: Option<Permit>,
    ) -> Self {
        self.request_guard = Some(request_guard);
        self._permit = match permit {
            Some(Permit::Request(permit)) if self.is_long_lived => {
                let stream_permit = shared.stream_permit();
                Some(stream_permit.map_or(Permit::Request(permit), Permit::Stream))
            }
            other => other,
        };
        self
    }

    /// The response of a gRPC call ends with a status in any case. On HTTP/1.1 only a connection
    /// that is closed shows that a response is incomplete.
    pub(super) fn for_call(mut self, error_format: ErrorFormat, version: Version) -> Self {
        self.is_call = error_format == ErrorFormat::Grpc && version >= Version::HTTP_2;
        self
    }

    /// Ends a long-lived stream when the gateway stops.
    pub(super) fn until_shutdown(
        mut self,
        shared: &SharedState,
        error_format: ErrorFormat,
    ) -> Self {
        // A conversation watches the shutdown itself.
        let is_watched = self.is_long_lived && !matches!(self.source, Source::Conversation(_));
        self.shutdown_watch =
            is_watched.then(|| ShutdownWatch::new(shared.drain.signal(), error_format));
        self
    }

    /// Reads a response that is recorded, after its client has left.
    pub(crate) async fn read_in_background(mut self, read: BackgroundRead) {
        let source = std::mem::replace(&mut self.source, Source::EMPTY);
        if let Source::Teed(tee) = source {
            tee.read_in_background(read).await;
        }
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) {
        let Some(watch) = &mut self.shutdown_watch else {
            return;
        };
        match (watch.poll_phase(cx), &mut self.source) {
            (ShutdownPhase::Draining, Source::Timed(timed)) if timed.is_at_end() => {
                timed.skip_delays()
            }
            (ShutdownPhase::Running | ShutdownPhase::Draining, _) => {}
            // The rest is in memory, so it is sent at once.
            (ShutdownPhase::Closing, Source::Timed(timed)) => timed.skip_delays(),
            (ShutdownPhase::Closing, _) => {
                let watch = self.shutdown_watch.take();
                self.source = Source::Full {
                    bytes: None,
                    trailers: watch.and_then(|watch| watch.trailers()),
                    has_content_length: false,
                };
            }
        }
    }
}

/// The error of a body.
type BoxError = Box<dyn std::error::Error + Send + Sync>;

impl OutgoingBody {
    fn poll_source(&mut self, cx: &mut Context<'_>) -> PolledFrame {
        if let Some(error) = self.pending_error.take() {
            return Poll::Ready(Some(Err(error)));
        }
        match &mut self.source {
            Source::Full {
                bytes, trailers, ..
            } => {
                let frame = match bytes.take() {
                    Some(bytes) => Some(Frame::data(bytes)),
                    None => trailers.take().map(Frame::trailers),
                };
                Poll::Ready(frame.map(Ok))
            }
            Source::Passthrough(body) => {
                let polled = Pin::new(body).poll_frame(cx).map_err(Into::into);
                self.defer_upstream_error(cx, polled)
            }
            Source::Teed(tee) => {
                let polled = Pin::new(&mut **tee).poll_frame(cx).map_err(Into::into);
                self.defer_upstream_error(cx, polled)
            }
            Source::Timed(timed) => {
                let polled = timed.poll(cx);
                if let (Poll::Ready(Some(Err(_))), Some(request_guard)) =
                    (&polled, &self.request_guard)
                    && timed.resets_connection()
                {
                    request_guard.reset_on_close();
                }
                polled
            }
            Source::Conversation(frames) => frames.poll(cx),
        }
    }

    /// Defers an error until the connection has been polled once, so that it sends earlier chunks.
    /// A call ends with a status instead.
    fn defer_upstream_error(&mut self, cx: &mut Context<'_>, polled: PolledFrame) -> PolledFrame {
        match polled {
            Poll::Ready(Some(Err(error))) if self.is_call => {
                self.trace.set_outcome(AccessOutcome::UPSTREAM_ABORTED);
                self.source = Source::EMPTY;
                let cause = upstream::classify_body_error(&*error);
                let trailers = grpc_status::aborted_call(Some(&cause), &error.to_string());
                Poll::Ready(Some(Ok(Frame::trailers(trailers))))
            }
            Poll::Ready(Some(Err(error))) => {
                self.trace.set_outcome(AccessOutcome::UPSTREAM_ABORTED);
                self.pending_error = Some(error);
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            other => other,
        }
    }
}

impl Body for OutgoingBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> PolledFrame {
        self.poll_shutdown(cx);
        let polled = self.poll_source(cx);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                let bytes = frame.data_ref().map_or(0, Bytes::len);
                self.trace.add_bytes_out(bytes);
            }
            Poll::Ready(Some(Err(_)) | None) => self.has_ended = true,
            Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Full {
                bytes, trailers, ..
            } => bytes.is_none() && trailers.is_none(),
            Source::Passthrough(_) | Source::Teed(_) if self.pending_error.is_some() => false,
            Source::Passthrough(body) => body.is_end_stream(),
            Source::Teed(tee) => tee.is_end_stream(),
            Source::Timed(_) | Source::Conversation(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Full {
                has_content_length: false,
                bytes: Some(_),
                ..
            } => SizeHint::default(),
            Source::Full { bytes, .. } => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Source::Passthrough(body) => body.size_hint(),
            Source::Teed(tee) => tee.size_hint(),
            Source::Timed(_) | Source::Conversation(_) => SizeHint::default(),
        }
    }
}

impl Drop for OutgoingBody {
    fn drop(&mut self) {
        // A client ends a long-lived stream by leaving it.
        let is_complete = self.has_ended || self.is_long_lived || self.is_end_stream();
        // The source is dropped first: an exchange that it submits is the earlier outcome.
        if let Source::Teed(tee) = std::mem::replace(&mut self.source, Source::EMPTY) {
            tee.release();
        }
        if !is_complete {
            self.trace.client_gone();
        }
    }
}
