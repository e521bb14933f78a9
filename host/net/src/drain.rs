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
    phase: watch::Sender<Phase>,
    active: AtomicUsize,
    idle: Notify,
}

/// Keeps a drain open while it lives.
#[derive(Debug)]
pub struct DrainGuard(Arc<Shared>);

/// How far a stop has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    /// There is none.
    Running,
    /// Nothing new is taken on; what is at work goes on.
    Draining,
    /// What is still at work is to end now, in good order.
    Closing,
}

/// Tells when a stop begins, and when it is about to end.
#[derive(Clone, Debug)]
pub struct DrainSignal(watch::Receiver<Phase>);

impl Default for Drain {
    fn default() -> Self {
        Self(Arc::new(Shared {
            phase: watch::Sender::new(Phase::Running),
            active: AtomicUsize::new(0),
            idle: Notify::new(),
        }))
    }
}

impl Drain {
    /// A guard for work that starts now.
    pub fn guard(&self) -> DrainGuard {
        self.0.active.fetch_add(1, Ordering::Relaxed);
        DrainGuard(Arc::clone(&self.0))
    }

    /// The signal that a stop began.
    pub fn signal(&self) -> DrainSignal {
        DrainSignal(self.0.phase.subscribe())
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
        self.advance(Phase::Draining);
    }

    /// Says that the time for an end in good order is over soon: what lasts ends now.
    pub fn begin_closing(&self) {
        self.advance(Phase::Closing);
    }

    fn advance(&self, to: Phase) {
        self.0.phase.send_if_modified(|phase| {
            let further = *phase < to;
            *phase = to.max(*phase);
            further
        });
    }

    /// How many guards there are.
    pub fn active_guards(&self) -> usize {
        self.0.active.load(Ordering::Acquire)
    }

    /// Waits until the last guard is gone, or `grace` is over. True where all are gone.
    pub async fn wait_idle_timeout(&self, grace: Duration) -> bool {
        tokio::time::timeout(grace, self.wait_idle()).await.is_ok()
    }

    /// Waits until the last guard is gone.
    pub async fn wait_idle(&self) {
        loop {
            let gone = self.0.idle.notified();
            if self.active_guards() == 0 {
                return;
            }
            gone.await;
        }
    }
}

impl DrainSignal {
    /// Returns once a stop has begun.
    pub async fn draining(&mut self) {
        self.wait_for_phase(Phase::Draining).await;
    }

    /// Returns once what lasts is to end.
    pub async fn closing(&mut self) {
        self.wait_for_phase(Phase::Closing).await;
    }

    /// True once a stop has begun.
    pub fn is_draining(&self) -> bool {
        *self.0.borrow() >= Phase::Draining
    }

    /// True once what lasts is to end.
    pub fn is_closing(&self) -> bool {
        *self.0.borrow() == Phase::Closing
    }

    async fn wait_for_phase(&mut self, wanted: Phase) {
        // The sender lives as long as the drain; its end is a stop as well.
        let _ = self.0.wait_for(|phase| *phase >= wanted).await;
    }
}

impl Drop for DrainGuard {
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
        assert!(drain.signal().is_draining());
        assert!(!drain.wait_idle_timeout(Duration::ZERO).await);
        drop(guard);
        assert!(drain.wait_idle_timeout(Duration::from_secs(5)).await);
    }

    #[tokio::test]
    async fn a_stop_only_goes_forward() {
        let drain = Drain::default();
        let mut stop = drain.signal();
        drain.begin_closing();
        drain.begin();
        stop.draining().await;
        stop.closing().await;
        assert!(stop.is_draining());
    }
}
