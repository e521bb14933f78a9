//! The time limit of one call. It counts processor time of the thread, so other load on the machine
//! does not shorten it.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use wasmtime::UpdateDeadline;

/// The processor time of a call.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CpuTimer {
    limit: Duration,
    /// Processor time of the thread at the first tick of the call. A short call ends before its
    /// first tick, so it reads no clock.
    first_tick: Option<Duration>,
}

impl CpuTimer {
    /// For a call that starts now.
    pub(crate) fn new(limit: Duration) -> Self {
        Self {
            limit,
            first_tick: None,
        }
    }

    /// Decides at a tick whether the call may go on.
    pub(crate) fn tick(&mut self) -> UpdateDeadline {
        self.tick_at(thread_time())
    }

    fn tick_at(&mut self, now: Duration) -> UpdateDeadline {
        let first = *self.first_tick.get_or_insert(now);
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
    fn stops_a_call_when_its_processor_time_is_used_up() {
        let at = Duration::from_micros;
        let mut timer = CpuTimer::new(at(5_000));
        let stops =
            |timer: &mut CpuTimer, now| matches!(timer.tick_at(at(now)), UpdateDeadline::Interrupt);
        assert!(
            !stops(&mut timer, 70_000),
            "the first tick starts the timer"
        );
        assert!(!stops(&mut timer, 74_999));
        assert!(stops(&mut timer, 75_000));
    }

    #[test]
    fn a_waiting_thread_uses_no_processor_time() {
        let before = thread_time();
        let (done, finished) = std::sync::mpsc::sync_channel::<()>(0);
        std::thread::spawn(move || {
            let start = thread_time();
            while thread_time() - start < Duration::from_millis(30) {}
            drop(done);
        });
        // Fails when the other thread has dropped its end.
        let _ = finished.recv();
        assert!(thread_time() - before < Duration::from_millis(30));
    }
}
