//! The end: what is at work finishes within the grace period, and what lasts is ended in good order
//! before it is over.

use std::time::Duration;

use ouli_config::Limits;
use ouli_net::drain::Drain;

/// How long everything may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Grace {
    whole: Duration,
    /// The last part of it, in which what lasts is ended.
    lead: Duration,
}

impl From<&Limits> for Grace {
    fn from(limits: &Limits) -> Self {
        Self {
            whole: limits.grace,
            lead: limits.close_lead.min(limits.grace / 10),
        }
    }
}

impl Grace {
    /// All of it.
    pub(super) fn whole(self) -> Duration {
        self.whole
    }
}

/// Waits until all have ended or the grace period is over; returns how much is left then. Those who
/// may start something in another come before it.
///
/// The wait has a runtime of its own: the caller is a plain thread, and the workers are busy.
pub(super) fn wait(drains: &[Drain], grace: Grace) -> usize {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build();
    match runtime {
        Ok(runtime) => runtime.block_on(async {
            if !within(grace.whole - grace.lead, drains).await {
                for drain in drains {
                    drain.close();
                }
                within(grace.lead, drains).await;
            }
        }),
        Err(error) => tracing::error!("cannot wait for connections to end: {error}"),
    }
    drains.iter().map(Drain::active).sum()
}

/// True where all have ended in time.
async fn within(time: Duration, drains: &[Drain]) -> bool {
    let all = async {
        for drain in drains {
            drain.idle().await;
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
        assert!(!within(Duration::from_millis(20), &both).await);
        drop(guard);
        assert!(within(Duration::from_secs(1), &both).await);
    }

    #[test]
    fn the_last_part_is_a_tenth_at_most() {
        let mut limits = Limits::default();
        assert_eq!(Grace::from(&limits).lead, Duration::from_secs(2));
        limits.grace = Duration::from_secs(5);
        assert_eq!(Grace::from(&limits).lead, Duration::from_millis(500));
        limits.close_lead = Duration::from_millis(100);
        assert_eq!(Grace::from(&limits).lead, Duration::from_millis(100));
    }
}
