//! Graceful shutdown: active requests have the shutdown timeout to finish; long-lived streams are
//! closed shortly before it expires.

use std::time::Duration;

use ouli_config::Limits;
use ouli_net::drain::Drain;

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
            stream_lead: limits.stream_drain_lead.min(limits.shutdown_timeout / 10),
        }
    }
}

impl ShutdownTimeouts {
    /// The time limit of the whole shutdown.
    pub(super) fn total(self) -> Duration {
        self.total
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
    fn the_stream_lead_is_at_most_a_tenth() {
        let mut limits = Limits::default();
        assert_eq!(
            ShutdownTimeouts::from(&limits).stream_lead,
            Duration::from_secs(2)
        );
        limits.shutdown_timeout = Duration::from_secs(5);
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
