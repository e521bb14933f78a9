//! The interim responses of a connection that wait to be written.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;

/// The interim responses of a connection that wait to be written. An upstream sends at most
/// `limits.interim_responses` for each request.
#[derive(Debug, Default)]
pub(in crate::server) struct InterimQueue {
    /// A request may get interim responses, or some wait. Otherwise nothing needs the lock.
    is_used: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The requests whose final response has not begun.
    open: Vec<u64>,
    unsent: BytesMut,
    /// The taken bytes are being written.
    is_writing: bool,
    /// The tasks whose final responses wait for the bytes before them.
    waiting: Vec<Waker>,
    /// The task that writes to the client.
    connection: Option<Waker>,
}

impl InterimQueue {
    /// The current task writes to the client.
    pub(in crate::server) async fn set_current_task(&self) {
        poll_fn(|cx| {
            self.state.lock().connection = Some(cx.waker().clone());
            Poll::Ready(())
        })
        .await;
    }

    /// The request may get interim responses from now on.
    pub(super) fn open(&self, request: u64) {
        let mut state = self.state.lock();
        if !state.open.contains(&request) {
            state.open.push(request);
        }
        self.is_used.store(true, Ordering::Release);
    }

    /// The request gets no further interim responses.
    pub(super) fn close(&self, request: u64) {
        if self.is_used.load(Ordering::Acquire) {
            let mut state = self.state.lock();
            state.open.retain(|open| *open != request);
            self.update_is_used(&state);
        }
    }

    /// Adds an interim response, unless the final response has begun.
    pub(super) fn push(&self, request: u64, bytes: &[u8]) {
        let mut state = self.state.lock();
        if !state.open.contains(&request) {
            return;
        }
        state.unsent.extend_from_slice(bytes);
        if let Some(connection) = &state.connection {
            connection.wake_by_ref();
        }
    }

    /// Ready once all interim responses are written.
    pub(super) fn poll_written(&self, cx: &Context<'_>) -> Poll<()> {
        if !self.is_used.load(Ordering::Acquire) {
            return Poll::Ready(());
        }
        let mut state = self.state.lock();
        if state.unsent.is_empty() && !state.is_writing {
            return Poll::Ready(());
        }
        if !state.waiting.iter().any(|it| it.will_wake(cx.waker())) {
            state.waiting.push(cx.waker().clone());
        }
        Poll::Pending
    }

    /// The next bytes to write. None once all are written.
    pub(in crate::server) fn take(&self) -> Option<Bytes> {
        if !self.is_used.load(Ordering::Acquire) {
            return None;
        }
        let mut state = self.state.lock();
        state.is_writing = !state.unsent.is_empty();
        if state.is_writing {
            return Some(std::mem::take(&mut state.unsent).freeze());
        }
        state.waiting.drain(..).for_each(Waker::wake);
        self.update_is_used(&state);
        None
    }

    fn update_is_used(&self, state: &State) {
        let is_used = !state.open.is_empty() || !state.unsent.is_empty() || state.is_writing;
        self.is_used.store(is_used, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_written(queue: &InterimQueue) -> bool {
        let cx = Context::from_waker(Waker::noop());
        queue.poll_written(&cx).is_ready()
    }

    #[test]
    fn a_final_response_waits_for_the_interim_responses_before_it() {
        let queue = InterimQueue::default();
        queue.open(1);
        assert!(is_written(&queue));
        queue.push(1, b"103");
        assert!(!is_written(&queue));
        assert_eq!(queue.take().as_deref(), Some(&b"103"[..]));
        assert!(!is_written(&queue), "the bytes may be partly written");
        assert_eq!(queue.take(), None);
        assert!(is_written(&queue));
    }

    #[test]
    fn a_request_gets_no_interim_response_after_its_final_response_has_begun() {
        let queue = InterimQueue::default();
        queue.push(1, b"never opened");
        queue.open(1);
        queue.open(2);
        queue.close(1);
        queue.push(1, b"closed");
        queue.push(2, b"103");
        assert_eq!(queue.take().as_deref(), Some(&b"103"[..]));
    }
}
