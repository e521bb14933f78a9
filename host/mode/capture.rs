//! Copies a body while it passes, within limits; the client's bytes never wait for it.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::log::SharedLog;
use crate::exchange::stream::{Ending, Side};
use crate::session::{Budget, Hold};

/// How far the copy of a body came.
#[derive(Debug)]
enum State {
    /// It is on its way.
    Open,
    /// It came to its end.
    Whole(HeaderMap),
    /// It broke off: who did it, and how.
    Cut(Ending, String),
    /// It will not be recorded, for this reason.
    Lost(String),
}

/// The copy of one body. The task that sends the body fills it, the end of the exchange takes it.
#[derive(Debug)]
pub(super) struct Capture {
    bytes: BytesMut,
    hold: Hold,
    state: State,
    most: usize,
    /// The length that was told before. Who sends a body of a known length need not wait for its
    /// end.
    declared: Option<u64>,
    /// Where it is noted when bytes came.
    log: Option<(Side, SharedLog)>,
}

/// What was captured of a body.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) bytes: Bytes,
    pub(super) trailers: HeaderMap,
    /// Its share of the budget.
    pub(super) hold: Hold,
    /// Where it broke off: who did it, and how.
    pub(super) cut: Option<(Ending, String)>,
}

impl Taken {
    /// The whole body, or why it is none.
    pub(super) fn whole(self) -> Result<Self, String> {
        match self.cut {
            Some((_, reason)) => Err(reason),
            None => Ok(self),
        }
    }
}

/// Called with what was captured, or why there is nothing.
type Finish = Box<dyn FnOnce(Result<Taken, String>) + Send>;

/// A copy that two tasks can reach.
pub(super) type Shared = Arc<Mutex<Capture>>;

impl Capture {
    pub(super) fn new(most: usize, budget: &Budget) -> Self {
        Self {
            bytes: BytesMut::new(),
            hold: budget.hold(),
            state: State::Open,
            most,
            declared: None,
            log: None,
        }
    }

    /// The same, with a note of each arrival.
    pub(super) fn logged(mut self, side: Side, log: SharedLog) -> Self {
        self.log = Some((side, log));
        self
    }

    pub(super) fn shared(self) -> Shared {
        Arc::new(Mutex::new(self))
    }

    /// Takes note of a length that was told beforehand: one that is too large is not even begun.
    fn declare(&mut self, length: Option<u64>) {
        self.declared = length;
        if length.is_some_and(|length| length > self.most as u64) {
            self.lose_as_too_large();
        }
    }

    fn lose_as_too_large(&mut self) {
        let most = self.most;
        self.lose(format!(
            "the body is larger than {most} bytes (limits.recorded_body)"
        ));
    }

    fn frame(&mut self, frame: &Frame<Bytes>) {
        if let Some(data) = frame.data_ref() {
            self.data(data);
        }
        if let (Some(trailers), State::Open) = (frame.trailers_ref(), &self.state) {
            self.state = State::Whole(trailers.clone());
            self.note();
        }
    }

    pub(super) fn data(&mut self, data: &[u8]) {
        if !matches!(self.state, State::Open) {
            return;
        }
        if self.bytes.len() + data.len() > self.most {
            self.lose_as_too_large();
        } else if self.hold.grow(data.len()) {
            self.bytes.extend_from_slice(data);
            self.note();
        } else {
            self.lose("too much is being recorded at once (limits.recording_memory)".to_owned());
        }
    }

    fn note(&mut self) {
        let Some((side, log)) = &self.log else {
            return;
        };
        let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
        if !log.note(*side, self.bytes.len() as u64) {
            drop(log);
            self.lose("too much is being recorded at once (limits.recording_memory)".to_owned());
        }
    }

    /// The body came to its end, where it did not break off before.
    pub(super) fn end(&mut self) {
        if matches!(self.state, State::Open) {
            self.state = State::Whole(HeaderMap::new());
            self.note();
        }
    }

    /// The body broke off.
    pub(super) fn cut(&mut self, who: Ending, reason: String) {
        if matches!(self.state, State::Open) {
            self.state = State::Cut(who, reason);
        }
    }

    fn has_all(&self) -> bool {
        self.declared == Some(self.bytes.len() as u64)
    }

    fn lose(&mut self, reason: String) {
        if matches!(self.state, State::Open) {
            self.state = State::Lost(reason);
            self.forget();
        }
    }

    /// What was captured, or why there is nothing.
    pub(super) fn take(&mut self) -> Result<Taken, String> {
        if self.has_all() {
            self.end();
        }
        let state = std::mem::replace(&mut self.state, State::Lost("it was taken".to_owned()));
        let (trailers, cut) = match state {
            State::Whole(trailers) => (trailers, None),
            State::Cut(who, reason) => (HeaderMap::new(), Some((who, reason))),
            State::Open => {
                let reason = "it was not sent to its end".to_owned();
                (HeaderMap::new(), Some((Ending::Client, reason)))
            }
            State::Lost(reason) => return Err(reason),
        };
        let bytes = std::mem::take(&mut self.bytes).freeze();
        let rest = self.hold.empty();
        Ok(Taken {
            bytes,
            trailers,
            hold: std::mem::replace(&mut self.hold, rest),
            cut,
        })
    }

    fn forget(&mut self) {
        self.bytes = BytesMut::new();
        self.hold = self.hold.empty();
    }
}

/// The body of a request, some of which may have been read before it was sent up.
pub(super) struct Upward {
    first: Bytes,
    rest: Incoming,
}

impl From<Incoming> for Upward {
    fn from(rest: Incoming) -> Self {
        Self {
            first: Bytes::new(),
            rest,
        }
    }
}

impl Upward {
    /// What was read already, then the rest.
    pub(super) fn resumed(first: Bytes, rest: Incoming) -> Self {
        Self { first, rest }
    }
}

impl Body for Upward {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        if !self.first.is_empty() {
            let first = std::mem::take(&mut self.first);
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        Pin::new(&mut self.rest).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_empty() && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        if self.first.is_empty() {
            self.rest.size_hint()
        } else {
            SizeHint::default()
        }
    }
}

/// The body of a request on its way up, copied.
pub(super) struct TeedRequest {
    body: Upward,
    copy: Shared,
}

impl TeedRequest {
    pub(super) fn new(body: Upward, copy: Shared) -> Self {
        let mut locked = copy.lock().unwrap_or_else(PoisonError::into_inner);
        locked.declare(body.size_hint().exact());
        if body.is_end_stream() {
            locked.end();
        }
        drop(locked);
        Self { body, copy }
    }
}

impl Body for TeedRequest {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if let Poll::Ready(next) = &polled {
            let mut copy = self.copy.lock().unwrap_or_else(PoisonError::into_inner);
            note(
                &mut copy,
                next.as_ref(),
                self.body.is_end_stream(),
                Ending::Client,
            );
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

/// The body of a response on its way down, copied; at its end the exchange is handed over.
pub(super) struct Tee {
    body: Incoming,
    copy: Capture,
    finish: Option<Finish>,
}

impl Tee {
    /// `finish` is called once: with the whole body, or with the reason why it is not whole.
    pub(super) fn new(
        body: Incoming,
        copy: Capture,
        finish: impl FnOnce(Result<Taken, String>) + Send + 'static,
    ) -> Self {
        let mut tee = Self {
            body,
            copy,
            finish: Some(Box::new(finish)),
        };
        let declared = tee.body.size_hint().exact();
        tee.copy.declare(declared);
        if tee.body.is_end_stream() {
            tee.copy.end();
            tee.hand_over();
        }
        tee
    }

    fn hand_over(&mut self) {
        if let Some(finish) = self.finish.take() {
            finish(self.copy.take());
        }
    }
}

impl Body for Tee {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if let Poll::Ready(next) = &polled {
            let ended = self.body.is_end_stream();
            note(&mut self.copy, next.as_ref(), ended, Ending::Server);
            // Before the last bytes leave: who sees the end of the response may count on the
            // exchange.
            if ended || !matches!(next, Some(Ok(_))) {
                self.hand_over();
            }
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

impl Drop for Tee {
    fn drop(&mut self) {
        if !self.copy.has_all() {
            let reason = "the client left before the end".to_owned();
            self.copy.cut(Ending::Client, reason);
        }
        self.hand_over();
    }
}

/// Notes what came; where it is a fault, it is that of `sender`.
fn note(
    copy: &mut Capture,
    next: Option<&Result<Frame<Bytes>, hyper::Error>>,
    ended: bool,
    sender: Ending,
) {
    match next {
        Some(Ok(frame)) => {
            copy.frame(frame);
            if ended {
                copy.end();
            }
        }
        Some(Err(error)) => copy.cut(sender, format!("it broke off: {error}")),
        None => copy.end(),
    }
}
