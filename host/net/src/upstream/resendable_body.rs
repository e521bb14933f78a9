//! A request body of which the beginning is kept, so that it can be sent again.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::{Body as _, Frame, SizeHint};
use parking_lot::Mutex;

use super::body_timeout::Body;
use super::error::BoxError;

/// A request body, shared by the attempts to send it.
#[derive(Clone)]
pub(super) struct ResendableBody(Arc<Mutex<Source>>);

struct Source {
    body: Body,
    /// The current attempt. Earlier ones get nothing more.
    attempt: u32,
    /// What an earlier attempt has sent and the current one has not.
    replay: VecDeque<Bytes>,
    replayed_trailers: Option<HeaderMap>,
    kept: Option<Kept>,
    keeps: Keeps,
    progress: Progress,
}

/// How much of a body is kept.
#[derive(Clone, Copy)]
enum Keeps {
    /// Copies of its first bytes, up to this number.
    Copies(usize),
    /// All of it. It is in memory in any case.
    All,
}

/// An extension of a request: its body is in memory, so that keeping it costs nothing.
#[derive(Clone, Copy, Debug)]
pub struct InMemoryBody;

/// What was taken from the body.
#[derive(Default)]
struct Kept {
    /// Sent by earlier attempts too.
    earlier: Vec<Bytes>,
    latest: BytesMut,
    length: usize,
    trailers: Option<HeaderMap>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    Unread,
    Reading,
    Ended,
    Failed,
}

impl Kept {
    /// Keeps a frame. False if that exceeds the limit.
    fn add(&mut self, frame: &Frame<Bytes>, keeps: Keeps) -> bool {
        if let Some(data) = frame.data_ref() {
            let Keeps::Copies(max) = keeps else {
                self.earlier.push(data.clone());
                return true;
            };
            if data.len() > max.saturating_sub(self.length) {
                return false;
            }
            self.length += data.len();
            // Copied: a slice would keep the client's whole read buffer.
            self.latest.extend_from_slice(data);
        } else if let Some(trailers) = frame.trailers_ref() {
            self.trailers = Some(trailers.clone());
        }
        true
    }
}

impl ResendableBody {
    /// Keeps up to `max_kept` bytes.
    pub(super) fn new(body: Body, max_kept: usize) -> Self {
        Self::keeping(body, Keeps::Copies(max_kept))
    }

    /// Keeps all of a body that is in memory.
    pub(super) fn in_memory(body: Body) -> Self {
        Self::keeping(body, Keeps::All)
    }

    fn keeping(body: Body, keeps: Keeps) -> Self {
        Self(Arc::new(Mutex::new(Source {
            body,
            attempt: 0,
            replay: VecDeque::new(),
            replayed_trailers: None,
            kept: None,
            keeps,
            progress: Progress::Unread,
        })))
    }

    /// Begins an attempt, which sends the body from its beginning. Ends the attempt before. With
    /// `keep`, another attempt is possible after parts of the body were sent.
    pub(super) fn begin(&self, keep: bool) -> Attempt {
        let mut source = self.0.lock();
        source.attempt += 1;
        if let Some(mut kept) = source.kept.take() {
            if !kept.latest.is_empty() {
                let latest = kept.latest.split().freeze();
                kept.earlier.push(latest);
            }
            source.replay = kept.earlier.iter().cloned().collect();
            source.replayed_trailers.clone_from(&kept.trailers);
            source.kept = Some(kept);
        }
        if !keep {
            source.kept = None;
        } else if source.kept.is_none() {
            source.kept = Some(Kept::default());
        }
        Attempt {
            number: source.attempt,
            body: self.clone(),
        }
    }

    /// The body can be sent from its beginning once more.
    pub(super) fn can_resend(&self) -> bool {
        let source = self.0.lock();
        match source.progress {
            Progress::Unread => true,
            Progress::Reading | Progress::Ended => source.kept.is_some(),
            Progress::Failed => false,
        }
    }

    /// There will be no other attempt.
    pub(super) fn release(&self) {
        self.0.lock().kept = None;
    }
}

impl Source {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Some(bytes) = self.replay.pop_front() {
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        if let Some(trailers) = self.replayed_trailers.take() {
            return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
        }
        if self.progress == Progress::Ended {
            return Poll::Ready(None);
        }
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        self.progress = match &frame {
            Some(Ok(frame)) => {
                let keeps = self.keeps;
                self.kept.take_if(|kept| !kept.add(frame, keeps));
                Progress::Reading
            }
            Some(Err(_)) => Progress::Failed,
            None => Progress::Ended,
        };
        Poll::Ready(frame)
    }

    fn left_to_replay(&self) -> u64 {
        self.replay.iter().map(|bytes| bytes.len() as u64).sum()
    }
}

/// The body as one attempt sends it.
pub(super) struct Attempt {
    number: u32,
    body: ResendableBody,
}

/// A later attempt sends the body.
#[derive(Debug, thiserror::Error)]
#[error("the request is being sent again on another connection")]
struct Superseded;

impl http_body::Body for Attempt {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let mut source = self.body.0.lock();
        if source.attempt != self.number {
            return Poll::Ready(Some(Err(Superseded.into())));
        }
        source.poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        let source = self.body.0.lock();
        source.replay.is_empty()
            && source.replayed_trailers.is_none()
            && (source.progress == Progress::Ended || source.body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        let source = self.body.0.lock();
        let (left, hint) = (source.left_to_replay(), source.body.size_hint());
        let mut total = SizeHint::default();
        total.set_lower(hint.lower().saturating_add(left));
        if let Some(upper) = hint.upper() {
            total.set_upper(upper.saturating_add(left));
        }
        total
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use http_body_util::BodyExt as _;

    use super::*;

    struct Frames(VecDeque<Frame<Bytes>>);

    impl http_body::Body for Frames {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            Poll::Ready(self.0.pop_front().map(Ok))
        }
    }

    /// The parts `one`, `two` and `three`, and trailers.
    fn body(max_kept: usize) -> ResendableBody {
        let parts =
            ["one", "two", "three"].map(|part| Frame::data(Bytes::from_static(part.as_bytes())));
        let trailers = HeaderMap::from_iter([(http::header::ETAG, "1".parse().unwrap())]);
        let frames = parts.into_iter().chain([Frame::trailers(trailers)]);
        let frames = Frames(frames.collect());
        ResendableBody::new(
            frames.map_err(|never| match never {}).boxed_unsync(),
            max_kept,
        )
    }

    fn next(attempt: &mut Attempt) -> Option<Result<Frame<Bytes>, BoxError>> {
        let mut cx = Context::from_waker(std::task::Waker::noop());
        match http_body::Body::poll_frame(Pin::new(attempt), &mut cx) {
            Poll::Ready(frame) => frame,
            Poll::Pending => panic!("the body is always ready"),
        }
    }

    /// The rest of the data, and whether trailers follow.
    fn rest(attempt: &mut Attempt) -> (String, bool) {
        let (mut data, mut has_trailers) = (Vec::new(), false);
        while let Some(frame) = next(attempt) {
            match frame.unwrap().into_data() {
                Ok(bytes) => data.extend_from_slice(&bytes),
                Err(_) => has_trailers = true,
            }
        }
        (String::from_utf8(data).unwrap(), has_trailers)
    }

    #[test]
    fn a_body_that_was_sent_in_part_is_sent_again_from_its_beginning() {
        let body = body(100);
        let mut first = body.begin(true);
        next(&mut first);
        next(&mut first);
        assert!(body.can_resend());
        let mut second = body.begin(true);
        assert!(
            next(&mut first).unwrap().is_err(),
            "the first attempt is over"
        );
        assert_eq!(http_body::Body::size_hint(&second).lower(), 6);
        next(&mut second);
        let mut third = body.begin(true);
        assert_eq!(rest(&mut third), ("onetwothree".to_owned(), true));
        assert!(body.can_resend());
        let mut fourth = body.begin(false);
        assert!(!http_body::Body::is_end_stream(&fourth));
        assert_eq!(rest(&mut fourth), ("onetwothree".to_owned(), true));
        assert!(http_body::Body::is_end_stream(&fourth));
        assert!(!body.can_resend());
    }

    #[test]
    fn a_body_above_the_limit_is_sent_once() {
        let body = body(6);
        let mut first = body.begin(true);
        next(&mut first);
        next(&mut first);
        assert!(body.can_resend());
        next(&mut first);
        assert!(!body.can_resend());
        assert_eq!(rest(&mut first), (String::new(), true));
    }

    #[test]
    fn a_body_is_kept_only_as_long_as_it_may_be_sent_again() {
        let unread = body(100);
        drop(unread.begin(false));
        assert!(unread.can_resend(), "nothing was read");
        let released = body(100);
        let mut first = released.begin(true);
        next(&mut first);
        released.release();
        assert!(!released.can_resend());
        assert_eq!(rest(&mut first), ("twothree".to_owned(), true));
    }
}
