//! A body for tests: chunks, then its end, an error, or silence.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

/// A body that sends its chunks and then ends.
pub(crate) struct ScriptedBody {
    chunks: VecDeque<Bytes>,
    ending: ScriptedEnding,
    announces_length: bool,
}

/// What follows the chunks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ScriptedEnding {
    Complete,
    Aborted,
    Silent,
}

/// The error of an aborted body.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the connection was reset")]
pub(crate) struct Reset;

impl ScriptedBody {
    pub(crate) fn new(chunks: &[&'static str], ending: ScriptedEnding) -> Self {
        let chunks = chunks
            .iter()
            .map(|chunk| Bytes::from_static(chunk.as_bytes()));
        Self {
            chunks: chunks.collect(),
            ending,
            announces_length: false,
        }
    }

    /// The same body with a `content-length`.
    pub(crate) fn with_length(mut self) -> Self {
        self.announces_length = true;
        self
    }
}

impl Body for ScriptedBody {
    type Data = Bytes;
    type Error = Reset;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Reset>>> {
        match (self.chunks.pop_front(), self.ending) {
            (Some(chunk), _) => Poll::Ready(Some(Ok(Frame::data(chunk)))),
            (None, ScriptedEnding::Complete) => Poll::Ready(None),
            (None, ScriptedEnding::Aborted) => Poll::Ready(Some(Err(Reset))),
            (None, ScriptedEnding::Silent) => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.announces_length && self.chunks.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        if self.announces_length {
            SizeHint::with_exact(self.chunks.iter().map(|chunk| chunk.len() as u64).sum())
        } else {
            SizeHint::default()
        }
    }
}
