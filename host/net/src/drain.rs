//! What must end before the process does. Every task that serves clients holds a guard, and a stop
//! waits until the last guard is dropped.
//!
//! Tasks of connections to upstreams hold none: a request or a tunnel that uses such a connection
//! has a guard of its own, and a pooled connection without one may be cut off.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tracing::Instrument as _;

/// Starts a stop and counts the guards. Clones share both.
#[derive(Clone, Debug)]
pub struct Drain(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    phase: watch::Sender<Phase>,
    active: AtomicUsize,
    idle: Notify,
}

/// Keeps a drain from becoming idle.
#[derive(Debug)]
pub struct DrainGuard(Arc<Shared>);

/// The phases of a stop, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    /// There is no stop.
    Running,
    /// Nothing new is accepted; active work continues.
    Draining,
    /// Active work ends now, in an orderly way.
    Closing,
    /// The time is over: what is still active is dropped.
    Aborting,
}

/// Waits for the phases of a stop.
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

    /// A signal of this drain's phases.
    pub fn signal(&self) -> DrainSignal {
        DrainSignal(self.0.phase.subscribe())
    }

    /// Spawns a task on the current runtime, with a guard and in the current tracing span.
    #[expect(
        clippy::disallowed_methods,
        reason = "tasks are spawned here only, so that each has a guard"
    )]
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let guard = self.guard();
        let task = async move {
            task.await;
            drop(guard);
        };
        tokio::spawn(task.in_current_span());
    }

    /// Begins a stop: nothing new is accepted.
    pub fn begin(&self) {
        self.advance(Phase::Draining);
    }

    /// True once a stop has begun.
    pub fn is_draining(&self) -> bool {
        *self.0.phase.borrow() >= Phase::Draining
    }

    /// Begins the last phase of a stop: active work ends now.
    pub fn begin_closing(&self) {
        self.advance(Phase::Closing);
    }

    /// Ends a stop: what is still active is dropped.
    pub fn begin_aborting(&self) {
        self.advance(Phase::Aborting);
    }

    /// True once what is still active is dropped.
    pub fn is_aborting(&self) -> bool {
        *self.0.phase.borrow() == Phase::Aborting
    }

    fn advance(&self, next: Phase) {
        self.0.phase.send_if_modified(|phase| {
            let is_later = *phase < next;
            *phase = next.max(*phase);
            is_later
        });
    }

    /// The number of guards.
    pub fn active_guards(&self) -> usize {
        self.0.active.load(Ordering::Acquire)
    }

    /// Waits until the last guard is dropped, for at most `timeout`. True if it was dropped.
    pub async fn wait_idle_timeout(&self, timeout: Duration) -> bool {
        tokio::time::timeout(timeout, self.wait_idle())
            .await
            .is_ok()
    }

    /// Waits until the last guard is dropped.
    pub async fn wait_idle(&self) {
        loop {
            let idle = self.0.idle.notified();
            if self.active_guards() == 0 {
                return;
            }
            idle.await;
        }
    }
}

impl DrainSignal {
    /// Returns once a stop has begun.
    pub async fn draining(&mut self) {
        self.wait_for_phase(Phase::Draining).await;
    }

    /// Returns once active work must end.
    pub async fn closing(&mut self) {
        self.wait_for_phase(Phase::Closing).await;
    }

    /// True once active work must end.
    pub(crate) fn is_closing(&self) -> bool {
        *self.0.borrow() >= Phase::Closing
    }

    async fn wait_for_phase(&mut self, expected: Phase) {
        // An error means that the drain was dropped, which counts as a stop.
        let _ = self.0.wait_for(|phase| *phase >= expected).await;
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
    async fn waits_for_the_last_guard() {
        let drain = Drain::default();
        let guard = drain.guard();
        assert!(!drain.is_draining());
        drain.begin();
        assert!(drain.is_draining());
        assert_eq!(*drain.signal().0.borrow(), Phase::Draining);
        assert!(!drain.wait_idle_timeout(Duration::ZERO).await);
        drop(guard);
        assert!(drain.wait_idle_timeout(Duration::from_secs(5)).await);
    }

    #[tokio::test]
    async fn phases_never_go_back() {
        let drain = Drain::default();
        let mut signal = drain.signal();
        drain.begin_closing();
        drain.begin();
        signal.draining().await;
        signal.closing().await;
        assert_eq!(*signal.0.borrow(), Phase::Closing);
    }
}
