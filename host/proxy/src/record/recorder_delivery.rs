//! The way of an ended exchange to the recorder whose queue is full: who can be held back waits for
//! room, and not for long.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Sleep;

use crate::handler::context::SharedState;
use crate::session::{Outcome, QueuePermit, RecordJob};

/// An exchange that waits for room in the recorder's queue. Dropped, it waits on behind the
/// client's back, where few enough do so already.
pub(crate) struct Delivery {
    shared: Arc<SharedState>,
    job: Option<Box<RecordJob>>,
    queue_permit: Pin<Box<dyn Future<Output = Option<QueuePermit>> + Send>>,
    timer: Pin<Box<Sleep>>,
    /// Nobody is held back for it.
    is_detached: bool,
}

impl Delivery {
    /// An exchange that waits for `patience` at most.
    pub(crate) fn new(live: &Arc<SharedState>, job: Box<RecordJob>, patience: Duration) -> Self {
        Self {
            shared: Arc::clone(live),
            job: Some(job),
            queue_permit: Box::pin(live.recorder.reserve()),
            timer: Box::pin(tokio::time::sleep(patience)),
            is_detached: false,
        }
    }

    /// Ready once the exchange is in the queue, or was dropped and counted.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.job.is_none() {
            return Poll::Ready(());
        }
        match self.queue_permit.as_mut().poll(cx) {
            Poll::Ready(Some(room)) => {
                if let Some(job) = self.job.take() {
                    room.submit(job);
                }
            }
            Poll::Ready(None) => {
                let reason = "the recorder has ended".to_owned();
                self.abandon(Outcome::Failed(reason));
            }
            Poll::Pending => {
                if self.timer.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
                self.abandon(queue_full());
            }
        }
        Poll::Ready(())
    }

    fn abandon(&mut self, outcome: Outcome) {
        if let Some(job) = self.job.take() {
            abandon(&job, outcome);
        }
    }
}

/// Counts an exchange that will not be recorded.
pub(crate) fn abandon(job: &RecordJob, outcome: Outcome) {
    job.session.counters().count(outcome);
    if let Some(key) = job.pending_key {
        job.session.end_writing(key);
    }
}

/// What becomes of an exchange for which there is no room.
pub(crate) fn queue_full() -> Outcome {
    let reason = "too many exchanges waited to be recorded (limits.recorder_queue)";
    Outcome::Dropped(reason.to_owned())
}

impl Drop for Delivery {
    fn drop(&mut self) {
        if self.is_detached {
            return self.abandon(queue_full());
        }
        let Some(job) = self.job.take() else {
            return;
        };
        let Ok(place) = Arc::clone(&self.shared.detached_deliveries).try_acquire_owned() else {
            return abandon(&job, queue_full());
        };
        let timer = std::mem::replace(
            &mut self.timer,
            Box::pin(tokio::time::sleep(Duration::ZERO)),
        );
        let mut late = Self {
            shared: Arc::clone(&self.shared),
            job: Some(job),
            queue_permit: Box::pin(self.shared.recorder.reserve()),
            timer,
            is_detached: true,
        };
        self.shared.drain.spawn(async move {
            std::future::poll_fn(|cx| late.poll(cx)).await;
            drop(place);
        });
    }
}
