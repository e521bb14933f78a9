//! The body of every response that the gateway sends.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};

use super::context::{SharedState, StreamPermit};
use super::error_response::ErrorFormat;
use super::request_limiter::RequestPermit;
use crate::conversation::FrameReceiver;
use crate::record::tee_body::TeedResponseBody;
use crate::replay::shutdown_watch::{ShutdownPhase, ShutdownWatch};
use crate::replay::timed_body::{PolledFrame, TimedBody};
use ouli_net::server::RequestGuard;
use ouli_net::upstream::UpstreamBody;

/// A response's body with what it holds on to until it is sent.
pub struct OutgoingBody {
    source: Source,
    /// It is a stream that may last.
    is_long_lived: bool,
    /// What ends it where the gateway stops.
    shutdown_watch: Option<ShutdownWatch>,
    /// What it breaks with, once what came before has left: a connection that breaks forgets it.
    pending_error: Option<BoxError>,
    request_guard: Option<RequestGuard>,
    _request_permit: Option<RequestPermit>,
    _stream_permit: Option<StreamPermit>,
}

enum Source {
    /// Bytes, then trailers.
    Full {
        bytes: Option<Bytes>,
        trailers: Option<HeaderMap>,
        /// The length is told, so that it becomes `content-length` on HTTP/1.1.
        has_content_length: bool,
    },
    /// From the upstream.
    Passthrough(UpstreamBody),
    /// From the upstream, and recorded.
    Teed(Box<TeedResponseBody>),
    /// From the cassette, piece by piece.
    Timed(Box<TimedBody>),
    /// From the cassette, as an answer to what the client says.
    Conversation(FrameReceiver),
}

impl OutgoingBody {
    /// Bytes whose length is told.
    pub fn from_bytes(bytes: Bytes) -> Self {
        Self::full(bytes, None, true)
    }

    pub(crate) fn full(bytes: Bytes, trailers: Option<HeaderMap>, sized: bool) -> Self {
        let bytes = (!bytes.is_empty()).then_some(bytes);
        Self::new(Source::Full {
            bytes,
            trailers,
            has_content_length: sized,
        })
    }

    /// No bytes, and no length told.
    pub(crate) fn empty() -> Self {
        Self::full(Bytes::new(), None, false)
    }

    pub(crate) fn timed(paced: TimedBody) -> Self {
        Self::new(Source::Timed(Box::new(paced))).long_lived(true)
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
            shutdown_watch: None,
            pending_error: None,
            request_guard: None,
            _request_permit: None,
            _stream_permit: None,
        }
    }

    /// Says whether it is a stream that may last.
    pub(crate) fn long_lived(mut self, lasts: bool) -> Self {
        self.is_long_lived = lasts;
        self
    }

    /// Holds these until it is sent. A stream gives its turn back where there is a place for it.
    pub(crate) fn with_guards(
        mut self,
        live: &SharedState,
        busy: RequestGuard,
        permit: Option<RequestPermit>,
    ) -> Self {
        self.request_guard = Some(busy);
        self._stream_permit = if self.is_long_lived {
            live.stream_permit()
        } else {
            None
        };
        self._request_permit = permit.filter(|_| self._stream_permit.is_none());
        self
    }

    /// A stream ends with the gateway.
    pub(crate) fn until_shutdown(mut self, live: &SharedState, asks: ErrorFormat) -> Self {
        // A conversation sees to it by itself.
        let ends = self.is_long_lived && !matches!(self.source, Source::Conversation(_));
        self.shutdown_watch = ends.then(|| ShutdownWatch::new(live.drain.signal(), asks));
        self
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) {
        let Some(last) = &mut self.shutdown_watch else {
            return;
        };
        match (last.poll_phase(cx), &mut self.source) {
            (ShutdownPhase::Draining, Source::Timed(paced)) if paced.is_at_end() => {
                paced.skip_delays()
            }
            (ShutdownPhase::Running | ShutdownPhase::Draining, _) => {}
            // All of it is at hand.
            (ShutdownPhase::Closing, Source::Timed(paced)) => paced.skip_delays(),
            (ShutdownPhase::Closing, _) => {
                let last = self.shutdown_watch.take();
                self.source = Source::Full {
                    bytes: None,
                    trailers: last.and_then(|last| last.trailers()),
                    has_content_length: false,
                };
            }
        }
    }
}

/// What a body breaks with.
type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Puts a fault off until the connection has been looked after once.
fn defer_error(
    broken: &mut Option<BoxError>,
    cx: &mut Context<'_>,
    polled: PolledFrame,
) -> PolledFrame {
    match polled {
        Poll::Ready(Some(Err(fault))) => {
            *broken = Some(fault);
            cx.waker().wake_by_ref();
            Poll::Pending
        }
        other => other,
    }
}

impl Body for OutgoingBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.poll_shutdown(cx);
        let outgoing = &mut *self;
        if let Some(fault) = outgoing.pending_error.take() {
            return Poll::Ready(Some(Err(fault)));
        }
        match &mut outgoing.source {
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
                defer_error(&mut outgoing.pending_error, cx, polled)
            }
            Source::Teed(tee) => {
                let polled = Pin::new(&mut **tee).poll_frame(cx).map_err(Into::into);
                defer_error(&mut outgoing.pending_error, cx, polled)
            }
            Source::Timed(paced) => {
                let polled = paced.poll(cx);
                if let (Poll::Ready(Some(Err(_))), Some(busy)) = (&polled, &outgoing.request_guard)
                    && paced.resets_connection()
                {
                    busy.reset_on_close();
                }
                polled
            }
            Source::Conversation(frames) => frames.poll(cx),
        }
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
