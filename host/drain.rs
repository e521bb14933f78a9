//! Who must finish before the process ends: every task holds a guard, and a stop waits for the last
//! one.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, watch};

/// The start of a stop, and the count of what is still at work. Clones share both.
#[derive(Clone, Debug)]
pub struct Drain(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    stopping: watch::Sender<bool>,
    active: AtomicUsize,
    idle: Notify,
}

/// Keeps a drain open while it lives.
#[derive(Debug)]
pub struct Guard(Arc<Shared>);

/// Tells when a stop begins.
#[derive(Clone, Debug)]
pub struct Stop(watch::Receiver<bool>);

impl Default for Drain {
    fn default() -> Self {
        Self(Arc::new(Shared {
            stopping: watch::Sender::new(false),
            active: AtomicUsize::new(0),
            idle: Notify::new(),
        }))
    }
}

impl Drain {
    /// A guard for work that starts now.
    pub fn guard(&self) -> Guard {
        self.0.active.fetch_add(1, Ordering::Relaxed);
        Guard(Arc::clone(&self.0))
    }

    /// The signal that a stop began.
    pub fn stop(&self) -> Stop {
        Stop(self.0.stopping.subscribe())
    }

    /// Spawns a task on the runtime of the caller; a stop waits for it.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that spawns: it gives the task its guard"
    )]
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let guard = self.guard();
        tokio::spawn(async move {
            task.await;
            drop(guard);
        });
    }

    /// Begins the stop: nothing new is taken on.
    pub fn begin(&self) {
        self.0.stopping.send_replace(true);
    }

    /// How many guards there are.
    pub fn active(&self) -> usize {
        self.0.active.load(Ordering::Acquire)
    }

    /// Waits until the last guard is gone, or `grace` is over. True where all are gone.
    pub async fn finished(&self, grace: Duration) -> bool {
        let all_gone = async {
            loop {
                let gone = self.0.idle.notified();
                if self.active() == 0 {
                    return;
                }
                gone.await;
            }
        };
        tokio::time::timeout(grace, all_gone).await.is_ok()
    }
}

impl Stop {
    /// Returns once a stop has begun.
    pub async fn begun(&mut self) {
        // The sender lives as long as the drain; its end is a stop as well.
        let _ = self.0.wait_for(|stopping| *stopping).await;
    }

    /// True once a stop has begun.
    pub fn has_begun(&self) -> bool {
        *self.0.borrow()
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if self.0.active.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.idle.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stop_waits_for_the_last_guard() {
        let drain = Drain::default();
        let guard = drain.guard();
        drain.begin();
        assert!(drain.stop().has_begun());
        assert!(!drain.finished(Duration::ZERO).await);
        drop(guard);
        assert!(drain.finished(Duration::from_secs(5)).await);
    }
}
