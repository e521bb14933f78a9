//! Delivers an exchange to a recorder whose queue is full: the client is paused until there is
//! room, for a bounded time.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Sleep;

use crate::handler::SharedState;
use crate::session::{Outcome, QueuePermit, RecordJob};
use ouli_config::Defect;

/// An exchange that waits for room in the recorder's queue. If it is dropped, it continues to wait
/// detached from the client, as long as `detached_deliveries` has a permit.
pub(crate) struct Delivery {
    shared: Arc<SharedState>,
    job: Option<Box<RecordJob>>,
    queue_permit: Pin<Box<dyn Future<Output = Option<QueuePermit>> + Send>>,
    timer: Pin<Box<Sleep>>,
    /// No client is paused for it.
    is_detached: bool,
}

impl Delivery {
    /// An exchange that waits for at most `max_wait`.
    pub(crate) fn new(shared: &Arc<SharedState>, job: Box<RecordJob>, max_wait: Duration) -> Self {
        Self {
            shared: Arc::clone(shared),
            job: Some(job),
            queue_permit: Box::pin(shared.recorder.reserve()),
            timer: Box::pin(tokio::time::sleep(max_wait)),
            is_detached: false,
        }
    }

    /// Ready when the exchange is in the queue, or is dropped and counted.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.job.is_none() {
            return Poll::Ready(());
        }
        match self.queue_permit.as_mut().poll(cx) {
            Poll::Ready(Some(permit)) => {
                if let Some(job) = self.job.take() {
                    permit.submit(job);
                }
            }
            Poll::Ready(None) => {
                let reason = "the recorder has ended".to_owned();
                self.abandon(Outcome::Failed(Defect::NotWritten, reason));
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

/// Counts an exchange that is not recorded.
pub(crate) fn abandon(job: &RecordJob, outcome: Outcome) {
    job.session.counters().count(outcome);
}

/// The outcome of an exchange that does not fit in the queue.
pub(crate) fn queue_full() -> Outcome {
    let reason = "too many exchanges waited to be recorded (limits.recorder_queue)";
    Outcome::Failed(Defect::Dropped, reason.to_owned())
}

impl Drop for Delivery {
    fn drop(&mut self) {
        if self.is_detached {
            return self.abandon(queue_full());
        }
        let Some(job) = self.job.take() else {
            return;
        };
        let Ok(permit) = Arc::clone(&self.shared.detached_deliveries).try_acquire_owned() else {
            return abandon(&job, queue_full());
        };
        let timer = std::mem::replace(
            &mut self.timer,
            Box::pin(tokio::time::sleep(Duration::ZERO)),
        );
        let mut detached = Self {
            shared: Arc::clone(&self.shared),
            job: Some(job),
            queue_permit: Box::pin(self.shared.recorder.reserve()),
            timer,
            is_detached: true,
        };
        self.shared.drain.spawn(async move {
            std::future::poll_fn(|cx| detached.poll(cx)).await;
            drop(permit);
        });
    }
}
