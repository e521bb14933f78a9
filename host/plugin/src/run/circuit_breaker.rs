//! Whether a plugin still works: failures are counted, and one that fails too often is not asked
//! for a while.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::Bounds;

/// Pauses double up to this many times the first one.
const LONGEST: u32 = 64;

/// The health of one plugin.
#[derive(Debug)]
pub(crate) struct Health {
    most: u32,
    window: Duration,
    pause: Duration,
    /// Looked at before each call: in health there is nothing more to do.
    ailing: AtomicBool,
    record: Mutex<Record>,
}

#[derive(Debug, Default)]
struct Record {
    failures: VecDeque<Instant>,
    last: String,
    /// Pauses since the last good call.
    pauses: u32,
    paused_until: Option<Instant>,
    /// One call tries whether it works again.
    trying: bool,
}

impl Health {
    pub(crate) fn new(bounds: &Bounds) -> Self {
        Self {
            most: bounds.failures,
            window: bounds.failure_window,
            pause: bounds.pause,
            ailing: AtomicBool::new(false),
            record: Mutex::default(),
        }
    }

    /// Says whether the plugin may be asked now; if not, why. Looks at a clock only in a pause.
    pub(crate) fn admit(&self, now: impl Fn() -> Instant) -> Result<(), String> {
        if !self.ailing.load(Ordering::Acquire) {
            return Ok(());
        }
        let mut record = self.lock();
        match record.paused_until {
            None => Ok(()),
            Some(until) if now() >= until && !record.trying => {
                record.trying = true;
                Ok(())
            }
            Some(_) => Err(format!(
                "is paused after {} failures (limits.plugin_failures), the last: {}",
                self.most, record.last
            )),
        }
    }

    /// A call went well.
    pub(crate) fn well(&self) {
        if !self.ailing.load(Ordering::Acquire) {
            return;
        }
        let mut record = self.lock();
        if record.trying {
            *record = Record::default();
            self.ailing.store(false, Ordering::Release);
        }
    }

    /// A call failed; one that was late counts twice, since it took the time of others. True where
    /// the plugin is paused from now on.
    pub(crate) fn failed(&self, reason: &str, late: bool, now: Instant) -> bool {
        let mut record = self.lock();
        let window = self.window;
        record.failures.retain(|then| now - *then < window);
        record.failures.push_back(now);
        if late {
            record.failures.push_back(now);
        }
        reason.clone_into(&mut record.last);
        let often = record.failures.len() >= self.most as usize;
        if !often && !record.trying {
            return false;
        }
        let times = (1_u32 << record.pauses.min(30)).min(LONGEST);
        record.paused_until = Some(now + self.pause * times);
        record.pauses += 1;
        record.trying = false;
        record.failures.clear();
        self.ailing.store(true, Ordering::Release);
        true
    }

    /// Why it is not asked, where it is paused.
    pub(crate) fn ailment(&self) -> Option<String> {
        if !self.ailing.load(Ordering::Acquire) {
            return None;
        }
        let record = self.lock();
        let last = &record.last;
        record.paused_until.map(|_| {
            format!(
                "it failed {} times within {:?} (limits.plugin_failures), the last time: {last}",
                self.most, self.window
            )
        })
    }

    fn lock(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ouli_config::Limits;

    fn health() -> (Health, Instant) {
        let limits = Limits {
            plugin_failures: 3,
            plugin_failure_window: Duration::from_secs(10),
            plugin_pause: Duration::from_secs(1),
            ..Limits::default()
        };
        (Health::new(&Bounds::from(&limits)), Instant::now())
    }

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn failures_count_within_their_window_alone() {
        let (health, start) = health();
        assert!(!health.failed("a", false, start));
        assert!(!health.failed("b", false, start + seconds(9)));
        assert!(
            !health.failed("c", false, start + seconds(11)),
            "a is forgotten"
        );
        assert!(health.admit(|| start).is_ok() && health.ailment().is_none());
        assert!(health.failed("d", false, start + seconds(12)));
        let refused = health.admit(|| start + seconds(12)).unwrap_err();
        assert!(refused.contains("the last: d"), "{refused}");
        assert!(health.ailment().unwrap().contains("3 times within 10s"));
    }

    #[test]
    fn a_late_call_counts_twice() {
        let (health, start) = health();
        assert!(!health.failed("late", true, start));
        assert!(health.failed("late", true, start));
    }

    #[test]
    fn pauses_double_until_a_call_goes_well() {
        let (health, start) = health();
        let fail = |now| health.failed("x", false, now);
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
        health.well();
        assert!(health.admit(|| now).is_ok() && health.ailment().is_none());
        assert!(!fail(now), "and all is forgotten");
    }
}
