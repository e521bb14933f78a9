//! Graceful shutdown: active requests have the shutdown timeout to finish; long-lived streams are
//! closed shortly before it expires.

use std::sync::mpsc::sync_channel;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ouli_config::Limits;
use ouli_net::drain::Drain;

/// The time after `limits.shutdown_timeout` in which recordings are saved at least. The rest of a
/// second is for the report and for the end of the process, which frees its memory.
const SAVE_TIME: Duration = Duration::from_millis(600);

/// The time after that in which the texts of the verdict are searched for secrets.
const CHECK_TIME: Duration = Duration::from_millis(150);

/// How much earlier threads are left that serve clients.
const SAVE_ALONE: Duration = Duration::from_millis(400);

/// How often a thread is looked at that ends.
const POLL_INTERVAL: Duration = Duration::from_millis(1);

/// The end of a shutdown, whatever is left.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadline(Instant);

/// How a thread ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Joined {
    /// It returned.
    Ended,
    /// It panicked.
    Panicked,
    /// It still runs, and ends with the process.
    Abandoned,
}

impl Deadline {
    /// The same for threads that serve clients: a busy one leaves time to save recordings.
    pub(super) fn of_workers(self) -> Self {
        Self(self.0.checked_sub(SAVE_ALONE).unwrap_or(self.0))
    }

    /// Until when the texts of the verdict are searched for secrets.
    pub(super) fn of_verdict(self) -> Instant {
        self.0 + CHECK_TIME
    }

    /// The time that is left.
    pub(super) fn remaining(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// Waits until a thread ends.
    pub(super) fn join(self, thread: JoinHandle<()>) -> Joined {
        while !thread.is_finished() {
            if self.remaining().is_zero() {
                return Joined::Abandoned;
            }
            std::thread::sleep(POLL_INTERVAL.min(self.remaining()));
        }
        match thread.join() {
            Ok(()) => Joined::Ended,
            Err(_) => Joined::Panicked,
        }
    }

    /// Runs work that may not end. None if it does not end in time.
    pub(super) fn run<T: Send + 'static>(
        self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let (sender, receiver) = sync_channel(1);
        let spawned = std::thread::Builder::new().spawn(move || sender.send(work()));
        if let Err(error) = spawned {
            tracing::error!("cannot start a thread for the shutdown: {error}");
            return None;
        }
        receiver.recv_timeout(self.remaining()).ok()
    }
}

/// The time limits of a shutdown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ShutdownTimeouts {
    total: Duration,
    /// The last part of `total`, in which long-lived streams are closed.
    stream_lead: Duration,
}

impl From<&Limits> for ShutdownTimeouts {
    fn from(limits: &Limits) -> Self {
        Self {
            total: limits.shutdown_timeout,
            stream_lead: limits.stream_drain_lead.min(limits.shutdown_timeout / 2),
        }
    }
}

impl ShutdownTimeouts {
    /// The time limit of the whole shutdown.
    pub(super) fn total(self) -> Duration {
        self.total
    }

    /// The end of a shutdown that begins now.
    pub(super) fn deadline(self) -> Deadline {
        Deadline(Instant::now() + self.total + SAVE_TIME)
    }
}

/// Waits until all tasks have ended or the timeout expires; returns the number of tasks that
/// remain. A drain whose tasks start tasks in another one comes before it in the list.
///
/// The wait has its own runtime: the caller is a plain thread, and the workers are busy.
pub(super) fn wait_for_drains(drains: &[Drain], timeouts: ShutdownTimeouts) -> usize {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build();
    match runtime {
        Ok(runtime) => runtime.block_on(async {
            if !all_idle_within(timeouts.total - timeouts.stream_lead, drains).await {
                for drain in drains {
                    drain.begin_closing();
                }
                all_idle_within(timeouts.stream_lead, drains).await;
            }
        }),
        Err(error) => tracing::error!("cannot wait for connections to end: {error}"),
    }
    drains.iter().map(Drain::active_guards).sum()
}

/// True if all tasks have ended in time.
async fn all_idle_within(time: Duration, drains: &[Drain]) -> bool {
    let all = async {
        for drain in drains {
            drain.wait_idle().await;
        }
    };
    tokio::time::timeout(time, all).await.is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_running_task_delays_the_end() {
        let (busy, idle) = (Drain::default(), Drain::default());
        let guard = busy.guard();
        let both = [busy, idle];
        assert!(!all_idle_within(Duration::from_millis(20), &both).await);
        drop(guard);
        assert!(all_idle_within(Duration::from_secs(1), &both).await);
    }

    #[test]
    fn the_stream_lead_is_at_most_half() {
        let mut limits = Limits::default();
        assert_eq!(
            ShutdownTimeouts::from(&limits).stream_lead,
            Duration::from_secs(2)
        );
        limits.shutdown_timeout = Duration::from_secs(1);
        assert_eq!(
            ShutdownTimeouts::from(&limits).stream_lead,
            Duration::from_millis(500)
        );
        limits.stream_drain_lead = Duration::from_millis(100);
        assert_eq!(
            ShutdownTimeouts::from(&limits).stream_lead,
            Duration::from_millis(100)
        );
    }
}
