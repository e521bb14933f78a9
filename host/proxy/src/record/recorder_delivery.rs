//! The way of an ended exchange to the recorder whose queue is full: who can be held back waits for
//! room, and not for long.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Sleep;

use crate::handler::context::Live;
use crate::session::{Job, Outcome, Room};

/// An exchange that waits for room in the recorder's queue. Dropped, it waits on behind the
/// client's back, where few enough do so already.
pub(crate) struct Delivery {
    live: Arc<Live>,
    job: Option<Box<Job>>,
    room: Pin<Box<dyn Future<Output = Option<Room>> + Send>>,
    timer: Pin<Box<Sleep>>,
    /// Nobody is held back for it.
    is_late: bool,
}

impl Delivery {
    /// An exchange that waits for `patience` at most.
    pub(crate) fn new(live: &Arc<Live>, job: Box<Job>, patience: Duration) -> Self {
        Self {
            live: Arc::clone(live),
            job: Some(job),
            room: Box::pin(live.recorder.room()),
            timer: Box::pin(tokio::time::sleep(patience)),
            is_late: false,
        }
    }

    /// Ready once the exchange is in the queue, or was dropped and counted.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.job.is_none() {
            return Poll::Ready(());
        }
        match self.room.as_mut().poll(cx) {
            Poll::Ready(Some(room)) => {
                if let Some(job) = self.job.take() {
                    room.give(job);
                }
            }
            Poll::Ready(None) => {
                let reason = "the recorder has ended".to_owned();
                self.give_up(Outcome::Failed(reason));
            }
            Poll::Pending => {
                if self.timer.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
                self.give_up(full());
            }
        }
        Poll::Ready(())
    }

    fn give_up(&mut self, outcome: Outcome) {
        if let Some(job) = self.job.take() {
            give_up(&job, outcome);
        }
    }
}

/// Counts an exchange that will not be recorded.
pub(crate) fn give_up(job: &Job, outcome: Outcome) {
    job.session.tally().count(outcome);
    if let Some(key) = job.pending {
        job.session.end_writing(key);
    }
}

/// What becomes of an exchange for which there is no room.
pub(crate) fn full() -> Outcome {
    let reason = "too many exchanges waited to be recorded (limits.recorder_queue)";
    Outcome::Dropped(reason.to_owned())
}

impl Drop for Delivery {
    fn drop(&mut self) {
        if self.is_late {
            return self.give_up(full());
        }
        let Some(job) = self.job.take() else {
            return;
        };
        let Ok(place) = Arc::clone(&self.live.late).try_acquire_owned() else {
            return give_up(&job, full());
        };
        let timer = std::mem::replace(
            &mut self.timer,
            Box::pin(tokio::time::sleep(Duration::ZERO)),
        );
        let mut late = Self {
            live: Arc::clone(&self.live),
            job: Some(job),
            room: Box::pin(self.live.recorder.room()),
            timer,
            is_late: true,
        };
        self.live.drain.spawn(async move {
            std::future::poll_fn(|cx| late.poll(cx)).await;
            drop(place);
        });
    }
}
