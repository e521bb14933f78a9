//! Bytes that the gateway writes to a client between those of hyper: interim responses, and the end
//! of a body that has trailers.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use tokio::io::AsyncWrite;

use super::activity::Activity;
use super::trailer_slot::BODY_END;

/// Bytes of the gateway that are partly written. hyper writes none before the rest of them.
#[derive(Debug, Default)]
pub(super) struct OwnOutput {
    unsent: Bytes,
    /// So many bytes of hyper are replaced by them.
    replaced: usize,
}

/// What a write of the gateway's own bytes did.
pub(super) enum Step {
    /// So many bytes were written.
    Sent(Bytes),
    /// They are all written, in place of so many bytes of hyper.
    Done { replaced: usize },
}

impl OwnOutput {
    /// hyper has no bytes that are not written: takes the interim responses. True if there are
    /// bytes to write.
    pub(super) fn take_interim(&mut self, activity: &Activity) -> bool {
        if self.unsent.is_empty()
            && let Some(bytes) = activity.interim().take()
        {
            self.unsent = bytes;
        }
        !self.unsent.is_empty()
    }

    /// hyper writes these bytes: takes the end of the body in their place, if it has trailers. True
    /// if there are bytes to write before those of hyper.
    pub(super) fn take_trailers(&mut self, activity: &Activity, bytes: &[u8]) -> bool {
        if self.unsent.is_empty()
            && let Some(end) = activity.trailer_slot().take_due(bytes)
        {
            (self.unsent, self.replaced) = (end, BODY_END.len());
        }
        !self.unsent.is_empty()
    }

    /// Writes the next bytes.
    pub(super) fn poll_step<S: AsyncWrite + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        socket: &mut S,
    ) -> Poll<io::Result<Step>> {
        if self.unsent.is_empty() {
            let replaced = std::mem::take(&mut self.replaced);
            return Poll::Ready(Ok(Step::Done { replaced }));
        }
        let count = ready!(Pin::new(socket).poll_write(cx, &self.unsent))?;
        if count == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        let sent = self.unsent.slice(..count);
        self.unsent.advance(count);
        Poll::Ready(Ok(Step::Sent(sent)))
    }
}
