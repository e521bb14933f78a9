//! When to say again that exchanges cannot be recorded: the first time at once, and then now and
//! then, however many there are.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often the same failure is told.
const PERIOD: Duration = Duration::from_secs(10);

/// Failures that are told apart.
const APART: usize = 8;

/// The failures of one session.
#[derive(Debug, Default)]
pub(super) struct Complaints(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// What was told within the period, and when.
    told: Vec<(String, Instant)>,
    /// Failures that were not told since the last one that was.
    untold: u64,
    /// Failures since the last exchange that was recorded.
    failures: u64,
}

impl Complaints {
    /// Notes a failure. Where it is to be told now: how many were not told before it.
    pub(super) fn failed(&self, reason: &str, now: Instant) -> Option<u64> {
        let mut state = self.lock();
        state.failures += 1;
        let told = &mut state.told;
        told.retain(|(_, at)| now.saturating_duration_since(*at) < PERIOD);
        if told.len() >= APART || told.iter().any(|(told, _)| told == reason) {
            state.untold += 1;
            return None;
        }
        told.push((reason.to_owned(), now));
        Some(std::mem::take(&mut state.untold))
    }

    /// Notes that an exchange was recorded. Where exchanges before it were not: how many.
    pub(super) fn recovered(&self) -> Option<u64> {
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
    fn the_same_is_told_once_a_period() {
        let (complaints, start) = (Complaints::default(), Instant::now());
        let after = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(complaints.recovered(), None);
        assert_eq!(complaints.failed("full", after(0)), Some(0));
        assert_eq!(complaints.failed("full", after(1)), None);
        assert_eq!(complaints.failed("full", after(9)), None);
        assert_eq!(complaints.failed("full", after(10)), Some(2));
        assert_eq!(complaints.failed("broken", after(11)), Some(0));
        assert_eq!(complaints.failed("full", after(12)), None, "by turns");
        assert_eq!(complaints.recovered(), Some(6));
        assert_eq!(complaints.recovered(), None);
        assert_eq!(complaints.failed("broken", after(12)), Some(0));
    }

    #[test]
    fn many_reasons_are_not_told_one_by_one() {
        let (complaints, start) = (Complaints::default(), Instant::now());
        let told = (0..100).filter_map(|n| complaints.failed(&format!("body {n}"), start));
        assert_eq!(told.count(), APART);
    }
}
