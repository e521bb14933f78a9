//! The end: what is at work finishes within the grace period, and what lasts is ended in good order
//! before it is over.

use std::time::Duration;

use ouli_config::Limits;
use ouli_net::drain::Drain;

/// How long everything may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ShutdownTimeouts {
    total: Duration,
    /// The last part of it, in which what lasts is ended.
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
    /// All of it.
    pub(super) fn total(self) -> Duration {
        self.total
    }
}

/// Waits until all have ended or the grace period is over; returns how much is left then. Those who
/// may start something in another come before it.
///
/// The wait has a runtime of its own: the caller is a plain thread, and the workers are busy.
pub(super) fn wait_for_drains(drains: &[Drain], grace: ShutdownTimeouts) -> usize {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build();
    match runtime {
        Ok(runtime) => runtime.block_on(async {
            if !all_idle_within(grace.total - grace.stream_lead, drains).await {
                for drain in drains {
                    drain.begin_closing();
                }
                all_idle_within(grace.stream_lead, drains).await;
            }
        }),
        Err(error) => tracing::error!("cannot wait for connections to end: {error}"),
    }
    drains.iter().map(Drain::active_guards).sum()
}

/// True where all have ended in time.
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
    async fn one_that_does_not_end_is_no_end() {
        let (busy, idle) = (Drain::default(), Drain::default());
        let guard = busy.guard();
        let both = [busy, idle];
        assert!(!all_idle_within(Duration::from_millis(20), &both).await);
        drop(guard);
        assert!(all_idle_within(Duration::from_secs(1), &both).await);
    }

    #[test]
    fn the_last_part_is_a_tenth_at_most() {
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
