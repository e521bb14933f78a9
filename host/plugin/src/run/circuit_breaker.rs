//! Whether a plugin still works: failures are counted, and one that fails too often is not asked
//! for a while.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::Bounds;

/// Pauses double up to this many times the first one.
const MAX_PAUSE_FACTOR: u32 = 64;

/// The health of one plugin.
#[derive(Debug)]
pub(crate) struct CircuitBreaker {
    max_failures: u32,
    window: Duration,
    pause: Duration,
    /// Looked at before each call: in health there is nothing more to do.
    is_tripped: AtomicBool,
    state: Mutex<BreakerState>,
}

#[derive(Debug, Default)]
struct BreakerState {
    failures: VecDeque<Instant>,
    last_reason: String,
    /// Pauses since the last good call.
    consecutive_pauses: u32,
    paused_until: Option<Instant>,
    /// One call tries whether it works again.
    is_half_open: bool,
}

impl CircuitBreaker {
    pub(crate) fn new(bounds: &Bounds) -> Self {
        Self {
            max_failures: bounds.failures,
            window: bounds.failure_window,
            pause: bounds.pause,
            is_tripped: AtomicBool::new(false),
            state: Mutex::default(),
        }
    }

    /// Says whether the plugin may be asked now; if not, why. Looks at a clock only in a pause.
    pub(crate) fn admit(&self, now: impl Fn() -> Instant) -> Result<(), String> {
        if !self.is_tripped.load(Ordering::Acquire) {
            return Ok(());
        }
        let mut record = self.lock();
        match record.paused_until {
            None => Ok(()),
            Some(until) if now() >= until && !record.is_half_open => {
                record.is_half_open = true;
                Ok(())
            }
            Some(_) => Err(format!(
                "is paused after {} failures (limits.plugin_failure_threshold), the last: {}",
                self.max_failures, record.last_reason
            )),
        }
    }

    /// A call went well.
    pub(crate) fn record_success(&self) {
        if !self.is_tripped.load(Ordering::Acquire) {
            return;
        }
        let mut record = self.lock();
        if record.is_half_open {
            *record = BreakerState::default();
            self.is_tripped.store(false, Ordering::Release);
        }
    }

    /// A call failed; one that was late counts twice, since it took the time of others. True where
    /// the plugin is paused from now on.
    pub(crate) fn record_failure(&self, reason: &str, late: bool, now: Instant) -> bool {
        let mut record = self.lock();
        let window = self.window;
        record.failures.retain(|then| now - *then < window);
        record.failures.push_back(now);
        if late {
            record.failures.push_back(now);
        }
        reason.clone_into(&mut record.last_reason);
        let often = record.failures.len() >= self.max_failures as usize;
        if !often && !record.is_half_open {
            return false;
        }
        let times = (1_u32 << record.consecutive_pauses.min(30)).min(MAX_PAUSE_FACTOR);
        record.paused_until = Some(now + self.pause * times);
        record.consecutive_pauses += 1;
        record.is_half_open = false;
        record.failures.clear();
        self.is_tripped.store(true, Ordering::Release);
        true
    }

    /// Why it is not asked, where it is paused.
    pub(crate) fn open_reason(&self) -> Option<String> {
        if !self.is_tripped.load(Ordering::Acquire) {
            return None;
        }
        let record = self.lock();
        let last = &record.last_reason;
        record.paused_until.map(|_| {
            format!(
                "it failed {} times within {:?} (limits.plugin_failure_threshold), the last time: {last}",
                self.max_failures, self.window
            )
        })
    }

    fn lock(&self) -> MutexGuard<'_, BreakerState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ouli_config::Limits;

    fn health() -> (CircuitBreaker, Instant) {
        let limits = Limits {
            plugin_failure_threshold: 3,
            plugin_failure_window: Duration::from_secs(10),
            plugin_backoff: Duration::from_secs(1),
            ..Limits::default()
        };
        (CircuitBreaker::new(&Bounds::from(&limits)), Instant::now())
    }

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn failures_count_within_their_window_alone() {
        let (health, start) = health();
        assert!(!health.record_failure("a", false, start));
        assert!(!health.record_failure("b", false, start + seconds(9)));
        assert!(
            !health.record_failure("c", false, start + seconds(11)),
            "a is forgotten"
        );
        assert!(health.admit(|| start).is_ok() && health.open_reason().is_none());
        assert!(health.record_failure("d", false, start + seconds(12)));
        let refused = health.admit(|| start + seconds(12)).unwrap_err();
        assert!(refused.contains("the last: d"), "{refused}");
        assert!(health.open_reason().unwrap().contains("3 times within 10s"));
    }

    #[test]
    fn a_late_call_counts_twice() {
        let (health, start) = health();
        assert!(!health.record_failure("late", true, start));
        assert!(health.record_failure("late", true, start));
    }

    #[test]
    fn pauses_double_until_a_call_goes_well() {
        let (health, start) = health();
        let fail = |now| health.record_failure("x", false, now);
        assert!(!fail(start) && !fail(start) && fail(start));
        let mut now = start;
        for pause in [1, 2, 4, 8, 16, 32, 64, 64] {
            assert!(
                health.admit(|| now + seconds(pause - 1)).is_err(),
                "{pause}"
            );
            now += seconds(pause);
            assert!(health.admit(|| now).is_ok(), "{pause}");
            assert!(health.admit(|| now).is_err(), "one call tries, others wait");
            assert!(fail(now), "a failed try is enough");
        }
        now += seconds(64);
        assert!(health.admit(|| now).is_ok());
        health.record_success();
        assert!(health.admit(|| now).is_ok() && health.open_reason().is_none());
        assert!(!fail(now), "and all is forgotten");
    }
}
