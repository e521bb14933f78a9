//! When to say again that exchanges cannot be recorded: the first time at once, and then now and
//! then, however many there are.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often the same failure is told.
const PERIOD: Duration = Duration::from_secs(10);

/// Failures that are told apart.
const MAX_DISTINCT: usize = 8;

/// The failures of one session.
#[derive(Debug, Default)]
pub(super) struct LogThrottle(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// What was told within the period, and when.
    logged: Vec<(String, Instant)>,
    /// Failures that were not told since the last one that was.
    suppressed: u64,
    /// Failures since the last exchange that was recorded.
    failures: u64,
}

impl LogThrottle {
    /// Notes a failure. Where it is to be told now: how many were not told before it.
    pub(super) fn record_failure(&self, reason: &str, now: Instant) -> Option<u64> {
        let mut state = self.lock();
        state.failures += 1;
        let told = &mut state.logged;
        told.retain(|(_, at)| now.saturating_duration_since(*at) < PERIOD);
        if told.len() >= MAX_DISTINCT || told.iter().any(|(told, _)| told == reason) {
            state.suppressed += 1;
            return None;
        }
        told.push((reason.to_owned(), now));
        Some(std::mem::take(&mut state.suppressed))
    }

    /// Notes that an exchange was recorded. Where exchanges before it were not: how many.
    pub(super) fn record_success(&self) -> Option<u64> {
        let mut state = self.lock();
        let failures = state.failures;
        if failures > 0 {
            *state = State::default();
        }
        (failures > 0).then_some(failures)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_reason_is_logged_once_per_period() {
        let (complaints, start) = (LogThrottle::default(), Instant::now());
        let after = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(complaints.record_success(), None);
        assert_eq!(complaints.record_failure("full", after(0)), Some(0));
        assert_eq!(complaints.record_failure("full", after(1)), None);
        assert_eq!(complaints.record_failure("full", after(9)), None);
        assert_eq!(complaints.record_failure("full", after(10)), Some(2));
        assert_eq!(complaints.record_failure("broken", after(11)), Some(0));
        assert_eq!(
            complaints.record_failure("full", after(12)),
            None,
            "by turns"
        );
        assert_eq!(complaints.record_success(), Some(6));
        assert_eq!(complaints.record_success(), None);
        assert_eq!(complaints.record_failure("broken", after(12)), Some(0));
    }

    #[test]
    fn distinct_reasons_are_bounded() {
        let (complaints, start) = (LogThrottle::default(), Instant::now());
        let told = (0..100).filter_map(|n| complaints.record_failure(&format!("body {n}"), start));
        assert_eq!(told.count(), MAX_DISTINCT);
    }
}
