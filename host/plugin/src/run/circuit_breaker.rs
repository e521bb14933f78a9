//! The circuit breaker of one plugin: after too many failures the circuit opens, and the plugin is
//! not called for a while.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::Bounds;

/// The backoff doubles each time the circuit opens, up to this many times the first one.
const MAX_BACKOFF_FACTOR: u32 = 64;

/// The circuit breaker of one plugin.
#[derive(Debug)]
pub(crate) struct CircuitBreaker {
    failure_threshold: u32,
    failure_window: Duration,
    backoff: Duration,
    /// False if the circuit is closed. Read before each call, so that a call of a plugin that works
    /// takes no lock.
    is_tripped: AtomicBool,
    state: Mutex<BreakerState>,
}

#[derive(Debug, Default)]
struct BreakerState {
    /// Failures within the window, since the circuit last opened.
    failures: VecDeque<Instant>,
    last_failure: String,
    circuit: Circuit,
}

#[derive(Clone, Copy, Debug, Default)]
enum Circuit {
    /// Calls run.
    #[default]
    Closed,
    /// No call starts before `until`.
    Open { until: Instant, openings: Openings },
    /// One call runs as a probe. Its result closes the circuit or opens it again.
    HalfOpen { openings: Openings },
}

/// How often the circuit opened since the last successful call.
type Openings = u32;

impl Circuit {
    fn openings(self) -> Openings {
        match self {
            Self::Closed => 0,
            Self::Open { openings, .. } | Self::HalfOpen { openings } => openings,
        }
    }
}

impl CircuitBreaker {
    pub(crate) fn new(bounds: &Bounds) -> Self {
        Self {
            failure_threshold: bounds.failure_threshold,
            failure_window: bounds.failure_window,
            backoff: bounds.backoff,
            is_tripped: AtomicBool::new(false),
            state: Mutex::default(),
        }
    }

    /// Admits a call, or says why not. Reads the clock only if the circuit is open.
    pub(crate) fn admit(&self, now: impl Fn() -> Instant) -> Result<(), String> {
        if !self.is_tripped.load(Ordering::Acquire) {
            return Ok(());
        }
        let mut state = self.state.lock();
        match state.circuit {
            Circuit::Closed => Ok(()),
            Circuit::Open { until, openings } if now() >= until => {
                state.circuit = Circuit::HalfOpen { openings };
                Ok(())
            }
            Circuit::Open { .. } | Circuit::HalfOpen { .. } => Err(format!(
                "is paused after {} failures (limits.plugin_failure_threshold), the last: {}",
                self.failure_threshold, state.last_failure
            )),
        }
    }

    /// Records a successful call. It closes a half-open circuit.
    pub(crate) fn record_success(&self) {
        if !self.is_tripped.load(Ordering::Acquire) {
            return;
        }
        let mut state = self.state.lock();
        if matches!(state.circuit, Circuit::HalfOpen { .. }) {
            *state = BreakerState::default();
            self.is_tripped.store(false, Ordering::Release);
        }
    }

    /// Records a failed call. One that timed out counts twice, because it also delayed other
    /// requests. Returns true if this failure opens the circuit.
    pub(crate) fn record_failure(&self, reason: &str, timed_out: bool, now: Instant) -> bool {
        let mut state = self.state.lock();
        let window = self.failure_window;
        state.failures.retain(|then| now - *then < window);
        state.failures.push_back(now);
        if timed_out {
            state.failures.push_back(now);
        }
        reason.clone_into(&mut state.last_failure);
        let is_probe = matches!(state.circuit, Circuit::HalfOpen { .. });
        if !is_probe && state.failures.len() < self.failure_threshold as usize {
            return false;
        }
        let openings = state.circuit.openings();
        let factor = (1_u32 << openings.min(30)).min(MAX_BACKOFF_FACTOR);
        state.circuit = Circuit::Open {
            until: now + self.backoff * factor,
            openings: openings + 1,
        };
        state.failures.clear();
        self.is_tripped.store(true, Ordering::Release);
        true
    }

    /// Why the plugin is not called, if the circuit is open.
    pub(crate) fn open_reason(&self) -> Option<String> {
        if !self.is_tripped.load(Ordering::Acquire) {
            return None;
        }
        let state = self.state.lock();
        match state.circuit {
            Circuit::Closed => None,
            Circuit::Open { .. } | Circuit::HalfOpen { .. } => Some(format!(
                "it failed {} times within {:?} (limits.plugin_failure_threshold), the last time: \
                 {}",
                self.failure_threshold, self.failure_window, state.last_failure
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ouli_config::Limits;

    fn breaker() -> (CircuitBreaker, Instant) {
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
    fn counts_only_failures_within_the_window() {
        let (breaker, start) = breaker();
        assert!(!breaker.record_failure("a", false, start));
        assert!(!breaker.record_failure("b", false, start + seconds(9)));
        assert!(
            !breaker.record_failure("c", false, start + seconds(11)),
            "a is outside the window"
        );
        assert!(breaker.admit(|| start).is_ok() && breaker.open_reason().is_none());
        assert!(breaker.record_failure("d", false, start + seconds(12)));
        let error = breaker.admit(|| start + seconds(12)).unwrap_err();
        assert!(error.contains("the last: d"), "{error}");
        let reason = breaker.open_reason().unwrap();
        assert!(reason.contains("3 times within 10s"), "{reason}");
    }

    #[test]
    fn a_timeout_counts_twice() {
        let (breaker, start) = breaker();
        assert!(!breaker.record_failure("timeout", true, start));
        assert!(breaker.record_failure("timeout", true, start));
    }

    #[test]
    fn the_backoff_doubles_until_a_call_succeeds() {
        let (breaker, start) = breaker();
        let fail = |now| breaker.record_failure("x", false, now);
        assert!(!fail(start) && !fail(start) && fail(start));
        let mut now = start;
        for backoff in [1, 2, 4, 8, 16, 32, 64, 64] {
            assert!(
                breaker.admit(|| now + seconds(backoff - 1)).is_err(),
                "{backoff}"
            );
            now += seconds(backoff);
            assert!(breaker.admit(|| now).is_ok(), "{backoff}");
            assert!(breaker.admit(|| now).is_err(), "only one call is a probe");
            assert!(fail(now), "a failed probe opens the circuit again");
        }
        now += seconds(64);
        assert!(breaker.admit(|| now).is_ok());
        breaker.record_success();
        assert!(breaker.admit(|| now).is_ok() && breaker.open_reason().is_none());
        assert!(!fail(now), "earlier failures no longer count");
    }
}
