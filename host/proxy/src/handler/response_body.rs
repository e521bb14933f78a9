//! The body of every response that the gateway sends.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};

use super::context::{Lasting, Live};
use super::error_response::Asks;
use super::request_limiter::Turn;
use crate::conversation::Frames;
use crate::record::tee_body::Tee;
use crate::replay::shutdown_watch::{Last, Seen};
use crate::replay::timed_body::{Paced, Polled};
use ouli_net::server::Busy;
use ouli_net::upstream::Inbound;

/// A response's body with what it holds on to until it is sent.
pub struct Outgoing {
    source: Source,
    /// It is a stream that may last.
    lasts: bool,
    /// What ends it where the gateway stops.
    last: Option<Last>,
    /// What it breaks with, once what came before has left: a connection that breaks forgets it.
    broken: Option<Fault>,
    busy: Option<Busy>,
    _permit: Option<Turn>,
    _lasting: Option<Lasting>,
}

enum Source {
    /// Bytes, then trailers.
    Whole {
        bytes: Option<Bytes>,
        trailers: Option<HeaderMap>,
        /// The length is told, so that it becomes `content-length` on HTTP/1.1.
        sized: bool,
    },
    /// From the upstream.
    Passing(Inbound),
    /// From the upstream, and recorded.
    Teed(Box<Tee>),
    /// From the cassette, piece by piece.
    Paced(Box<Paced>),
    /// From the cassette, as an answer to what the client says.
    Talk(Frames),
}

impl Outgoing {
    /// Bytes whose length is told.
    pub fn bytes(bytes: Bytes) -> Self {
        Self::recorded(bytes, None, true)
    }

    pub(crate) fn recorded(bytes: Bytes, trailers: Option<HeaderMap>, sized: bool) -> Self {
        let bytes = (!bytes.is_empty()).then_some(bytes);
        Self::new(Source::Whole {
            bytes,
            trailers,
            sized,
        })
    }

    /// No bytes, and no length told.
    pub(crate) fn nothing() -> Self {
        Self::recorded(Bytes::new(), None, false)
    }

    pub(crate) fn paced(paced: Paced) -> Self {
        Self::new(Source::Paced(Box::new(paced))).lasting(true)
    }

    pub(crate) fn talk(frames: Frames) -> Self {
        Self::new(Source::Talk(frames)).lasting(true)
    }

    pub(crate) fn passing(body: Inbound) -> Self {
        Self::new(Source::Passing(body))
    }

    pub(crate) fn teed(tee: Tee) -> Self {
        Self::new(Source::Teed(Box::new(tee)))
    }

    fn new(source: Source) -> Self {
        Self {
            source,
            lasts: false,
            last: None,
            broken: None,
            busy: None,
            _permit: None,
            _lasting: None,
        }
    }

    /// Says whether it is a stream that may last.
    pub(crate) fn lasting(mut self, lasts: bool) -> Self {
        self.lasts = lasts;
        self
    }

    /// Holds these until it is sent. A stream gives its turn back where there is a place for it.
    pub(crate) fn holding(mut self, live: &Live, busy: Busy, permit: Option<Turn>) -> Self {
        self.busy = Some(busy);
        self._lasting = if self.lasts { live.lasting() } else { None };
        self._permit = permit.filter(|_| self._lasting.is_none());
        self
    }

    /// A stream ends with the gateway.
    pub(crate) fn until_stop(mut self, live: &Live, asks: Asks) -> Self {
        // A conversation sees to it by itself.
        let ends = self.lasts && !matches!(self.source, Source::Talk(_));
        self.last = ends.then(|| Last::new(live.drain.stop(), asks));
        self
    }

    fn look_at_stop(&mut self, cx: &mut Context<'_>) {
        let Some(last) = &mut self.last else {
            return;
        };
        match (last.look(cx), &mut self.source) {
            (Seen::Begun, Source::Paced(paced)) if paced.is_over() => paced.hurry(),
            (Seen::Nothing | Seen::Begun, _) => {}
            // All of it is at hand.
            (Seen::Close, Source::Paced(paced)) => paced.hurry(),
            (Seen::Close, _) => {
                let last = self.last.take();
                self.source = Source::Whole {
                    bytes: None,
                    trailers: last.and_then(|last| last.trailers()),
                    sized: false,
                };
            }
        }
    }
}

/// What a body breaks with.
type Fault = Box<dyn std::error::Error + Send + Sync>;

/// Puts a fault off until the connection has been looked after once.
fn later(broken: &mut Option<Fault>, cx: &mut Context<'_>, polled: Polled) -> Polled {
    match polled {
        Poll::Ready(Some(Err(fault))) => {
            *broken = Some(fault);
            cx.waker().wake_by_ref();
            Poll::Pending
        }
        other => other,
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.look_at_stop(cx);
        let outgoing = &mut *self;
        if let Some(fault) = outgoing.broken.take() {
            return Poll::Ready(Some(Err(fault)));
        }
        match &mut outgoing.source {
            Source::Whole {
                bytes, trailers, ..
            } => {
                let frame = match bytes.take() {
                    Some(bytes) => Some(Frame::data(bytes)),
                    None => trailers.take().map(Frame::trailers),
                };
                Poll::Ready(frame.map(Ok))
            }
            Source::Passing(body) => {
                let polled = Pin::new(body).poll_frame(cx).map_err(Into::into);
                later(&mut outgoing.broken, cx, polled)
            }
            Source::Teed(tee) => {
                let polled = Pin::new(&mut **tee).poll_frame(cx).map_err(Into::into);
                later(&mut outgoing.broken, cx, polled)
            }
            Source::Paced(paced) => {
                let polled = paced.poll(cx);
                if let (Poll::Ready(Some(Err(_))), Some(busy)) = (&polled, &outgoing.busy)
                    && paced.resets()
                {
                    busy.reset_at_end();
                }
                polled
            }
            Source::Talk(frames) => frames.poll(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Whole {
                bytes, trailers, ..
            } => bytes.is_none() && trailers.is_none(),
            Source::Passing(_) | Source::Teed(_) if self.broken.is_some() => false,
            Source::Passing(body) => body.is_end_stream(),
            Source::Teed(tee) => tee.is_end_stream(),
            Source::Paced(_) | Source::Talk(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Whole {
                sized: false,
                bytes: Some(_),
                ..
            } => SizeHint::default(),
            Source::Whole { bytes, .. } => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Source::Passing(body) => body.size_hint(),
            Source::Teed(tee) => tee.size_hint(),
            Source::Paced(_) | Source::Talk(_) => SizeHint::default(),
        }
    }
}
