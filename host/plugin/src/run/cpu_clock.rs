//! The time of one call: processor time of the thread, so that a plugin does not pay for what else
//! the machine does.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use wasmtime::UpdateDeadline;

/// The processor time of a call under way.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CpuTimer {
    limit: Duration,
    /// Processor time of the thread at the first tick of the call. Short calls see no tick, and so
    /// cost no look at a clock.
    started_at: Option<Duration>,
}

impl CpuTimer {
    /// For a call that begins now.
    pub(crate) fn new(limit: Duration) -> Self {
        Self {
            limit,
            started_at: None,
        }
    }

    /// What follows at a tick.
    pub(crate) fn tick(&mut self) -> UpdateDeadline {
        self.tick_at(thread_time())
    }

    fn tick_at(&mut self, now: Duration) -> UpdateDeadline {
        let first = *self.started_at.get_or_insert(now);
        if now.saturating_sub(first) >= self.limit {
            UpdateDeadline::Interrupt
        } else {
            UpdateDeadline::Continue(1)
        }
    }
}

/// Processor time that this thread has used (POSIX `CLOCK_THREAD_CPUTIME_ID`).
fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanoseconds = u32::try_from(time.tv_nsec).unwrap_or(0);
    Duration::new(seconds, nanoseconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_stopped_once_its_time_is_used_up_and_not_before() {
        let at = Duration::from_micros;
        let mut clock = CpuTimer::new(at(5_000));
        let stops =
            |clock: &mut CpuTimer, now| matches!(clock.tick_at(at(now)), UpdateDeadline::Interrupt);
        assert!(!stops(&mut clock, 70_000), "the first tick only begins");
        assert!(!stops(&mut clock, 74_999));
        assert!(stops(&mut clock, 75_000));
    }

    #[test]
    fn a_thread_that_waits_uses_no_time() {
        let before = thread_time();
        let (tell, told) = std::sync::mpsc::sync_channel::<()>(0);
        std::thread::spawn(move || {
            let start = thread_time();
            while thread_time() - start < Duration::from_millis(30) {}
            drop(tell);
        });
        // The other end is dropped when the other thread has worked.
        let _ = told.recv();
        assert!(thread_time() - before < Duration::from_millis(30));
    }
}
