//! Throttles the log lines of failed recordings: a failure is logged at once, and repeated failures
//! once per period.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// The same failure is logged once per period.
const PERIOD: Duration = Duration::from_secs(10);

/// Maximum number of distinct failures per period.
const MAX_DISTINCT: usize = 8;

/// The failures of one session.
#[derive(Debug, Default)]
pub(super) struct LogThrottle(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// The failures that were logged within the period, and when.
    logged: Vec<(String, Instant)>,
    /// Failures that were not logged since the last one that was.
    suppressed: u64,
    /// Failures since the last recorded exchange.
    failures: u64,
}

impl LogThrottle {
    /// Counts a failure. Returns the number of suppressed failures before it if it is to be logged.
    pub(super) fn record_failure(&self, reason: &str, now: Instant) -> Option<u64> {
        let mut state = self.0.lock();
        state.failures += 1;
        let logged = &mut state.logged;
        logged.retain(|(_, at)| now.saturating_duration_since(*at) < PERIOD);
        if logged.len() >= MAX_DISTINCT || logged.iter().any(|(logged, _)| logged == reason) {
            state.suppressed += 1;
            return None;
        }
        logged.push((reason.to_owned(), now));
        Some(std::mem::take(&mut state.suppressed))
    }

    /// Counts a recorded exchange. Returns the number of failures before it, if any.
    pub(super) fn record_success(&self) -> Option<u64> {
        let mut state = self.0.lock();
        let failures = state.failures;
        if failures > 0 {
            *state = State::default();
        }
        (failures > 0).then_some(failures)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_reason_is_logged_once_per_period() {
        let (throttle, start) = (LogThrottle::default(), Instant::now());
        let after = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(throttle.record_success(), None);
        assert_eq!(throttle.record_failure("full", after(0)), Some(0));
        assert_eq!(throttle.record_failure("full", after(1)), None);
        assert_eq!(throttle.record_failure("full", after(9)), None);
        assert_eq!(throttle.record_failure("full", after(10)), Some(2));
        assert_eq!(throttle.record_failure("broken", after(11)), Some(0));
        assert_eq!(
            throttle.record_failure("full", after(12)),
            None,
            "other reasons do not restart the period"
        );
        assert_eq!(throttle.record_success(), Some(6));
        assert_eq!(throttle.record_success(), None);
        assert_eq!(throttle.record_failure("broken", after(12)), Some(0));
    }

    #[test]
    fn distinct_reasons_are_bounded() {
        let (throttle, start) = (LogThrottle::default(), Instant::now());
        let logged = (0..100).filter_map(|n| throttle.record_failure(&format!("body {n}"), start));
        assert_eq!(logged.count(), MAX_DISTINCT);
    }
}
