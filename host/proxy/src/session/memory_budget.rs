//! The memory budget of exchanges: the total (`limits.memory`), and the part for recording
//! (`limits.recording_memory`).

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;
use tokio::time::Sleep;

/// The percentage of the limit at which reading of request bodies pauses.
const SOFT_LIMIT_PERCENT: u128 = 90;

/// The percentage of the limit at which new requests are rejected.
const HARD_LIMIT_PERCENT: u128 = 98;

/// The maximum share of recording: three quarters, so that recording alone never reaches the soft
/// limit.
const MAX_RECORDING_SHARE: (usize, usize) = (3, 4);

/// The memory budget of the process. Clones share it.
#[derive(Clone, Debug)]
pub struct MemoryBudget(Arc<BudgetState>);

#[derive(Debug)]
struct BudgetState {
    total: UsageCounter,
    recording: UsageCounter,
    /// Number of waits for released memory.
    waiters: AtomicUsize,
    released: Arc<Notify>,
}

#[derive(Debug)]
struct UsageCounter {
    used: AtomicUsize,
    limit: usize,
}

/// The purpose of a reservation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    /// Responding to a request.
    Request,
    /// Recording an exchange.
    Recording,
}

/// Reserved memory. Dropping it releases the memory.
#[derive(Debug)]
pub struct MemoryReservation {
    budget: MemoryBudget,
    purpose: Purpose,
    bytes: usize,
}

/// A wait for released memory.
#[derive(Debug)]
pub struct MemoryWait {
    budget: MemoryBudget,
    released: Pin<Box<OwnedNotified>>,
    timer: Pin<Box<Sleep>>,
}

impl MemoryBudget {
    /// A budget of `memory` bytes. Recording may reserve `recording` bytes of it, at most three
    /// quarters.
    pub fn new(memory: usize, recording: usize) -> Self {
        let max_recording = memory / MAX_RECORDING_SHARE.1 * MAX_RECORDING_SHARE.0;
        let counter = |limit| UsageCounter {
            used: AtomicUsize::new(0),
            limit,
        };
        Self(Arc::new(BudgetState {
            total: counter(memory),
            recording: counter(recording.min(max_recording)),
            waiters: AtomicUsize::new(0),
            released: Arc::default(),
        }))
    }

    /// An empty reservation for recording.
    pub fn recording_reservation(&self) -> MemoryReservation {
        self.new_reservation(Purpose::Recording)
    }

    /// An empty reservation for responding to a request.
    pub fn request_reservation(&self) -> MemoryReservation {
        self.new_reservation(Purpose::Request)
    }

    fn new_reservation(&self, purpose: Purpose) -> MemoryReservation {
        MemoryReservation {
            budget: self.clone(),
            purpose,
            bytes: 0,
        }
    }

    /// Number of reserved bytes.
    pub fn used(&self) -> usize {
        self.0.total.used.load(Ordering::SeqCst)
    }

    /// Number of bytes that recording may reserve.
    pub fn recording_limit(&self) -> usize {
        self.0.recording.limit
    }

    /// True if so much memory is reserved that reading should pause.
    pub fn above_soft_limit(&self) -> bool {
        self.0.total.is_above(SOFT_LIMIT_PERCENT)
    }

    /// True if so much memory is reserved that new requests are rejected.
    pub fn above_hard_limit(&self) -> bool {
        self.0.total.is_above(HARD_LIMIT_PERCENT)
    }

    /// Waits while the soft limit is exceeded; false if that takes longer than `timeout`.
    pub async fn wait_below_soft_limit(&self, timeout: Duration) -> bool {
        if !self.above_soft_limit() {
            return true;
        }
        let mut wait = self.wait(timeout);
        std::future::poll_fn(|cx| wait.poll(cx, || !self.above_soft_limit())).await
    }

    /// Starts a wait of at most `timeout`.
    pub fn wait(&self, timeout: Duration) -> MemoryWait {
        self.0.waiters.fetch_add(1, Ordering::SeqCst);
        MemoryWait {
            budget: self.clone(),
            released: Box::pin(Arc::clone(&self.0.released).notified_owned()),
            timer: Box::pin(tokio::time::sleep(timeout)),
        }
    }

    fn release(&self, purpose: Purpose, bytes: usize) {
        if bytes == 0 {
            return;
        }
        self.0.total.used.fetch_sub(bytes, Ordering::SeqCst);
        if purpose == Purpose::Recording {
            self.0.recording.used.fetch_sub(bytes, Ordering::SeqCst);
        }
        if self.0.waiters.load(Ordering::SeqCst) > 0 {
            self.0.released.notify_waiters();
        }
    }
}

impl UsageCounter {
    fn try_add(&self, bytes: usize) -> bool {
        let updated = self
            .used
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |used| {
                let total = used.checked_add(bytes)?;
                (total <= self.limit).then_some(total)
            });
        updated.is_ok()
    }

    fn is_above(&self, percent: u128) -> bool {
        let used = self.used.load(Ordering::SeqCst) as u128;
        used * 100 >= self.limit as u128 * percent
    }
}

impl MemoryReservation {
    /// Reserves more bytes; false if they exceed the budget.
    pub fn try_grow(&mut self, bytes: usize) -> bool {
        let state = &self.budget.0;
        if !state.total.try_add(bytes) {
            return false;
        }
        if self.purpose == Purpose::Recording && !state.recording.try_add(bytes) {
            // No waiter is notified: these bytes were available a moment ago.
            state.total.used.fetch_sub(bytes, Ordering::SeqCst);
            return false;
        }
        self.bytes += bytes;
        true
    }

    /// Changes the purpose from responding to recording; false if that exceeds the recording limit.
    pub fn try_move_to_recording(&mut self) -> bool {
        let recording = &self.budget.0.recording;
        if self.purpose == Purpose::Request && recording.try_add(self.bytes) {
            self.purpose = Purpose::Recording;
        }
        self.purpose == Purpose::Recording
    }

    /// True if it fits in the recording limit on its own.
    pub fn fits_recording_limit(&self) -> bool {
        self.bytes <= self.budget.recording_limit()
    }

    /// True if so many additional bytes would fit if no other reservation existed.
    pub fn can_ever_fit(&self, bytes: usize) -> bool {
        let state = &self.budget.0;
        let limit = match self.purpose {
            Purpose::Request => state.total.limit,
            Purpose::Recording => state.total.limit.min(state.recording.limit),
        };
        self.bytes.saturating_add(bytes) <= limit
    }

    /// Reserves bytes that are in memory already, even above the limit.
    pub fn force_grow(&mut self, bytes: usize) {
        let state = &self.budget.0;
        state.total.used.fetch_add(bytes, Ordering::SeqCst);
        if self.purpose == Purpose::Recording {
            state.recording.used.fetch_add(bytes, Ordering::SeqCst);
        }
        self.bytes += bytes;
    }

    /// Sets the number of reserved bytes, even above the limit.
    pub fn resize(&mut self, bytes: usize) {
        match self.bytes.checked_sub(bytes) {
            Some(excess) => {
                self.budget.release(self.purpose, excess);
                self.bytes = bytes;
            }
            None => self.force_grow(bytes - self.bytes),
        }
    }

    /// True if it reserves no bytes.
    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// Waits while the soft limit is exceeded; false if that takes longer than `timeout` and this
    /// reservation is not empty. An empty reservation keeps waiting: it does not add to the usage.
    pub async fn wait_below_soft_limit(&self, timeout: Duration) -> bool {
        while !self.budget.wait_below_soft_limit(timeout).await {
            if !self.is_empty() {
                return false;
            }
        }
        true
    }

    /// An empty reservation of the same budget and purpose.
    pub fn new_empty(&self) -> Self {
        self.budget.new_reservation(self.purpose)
    }

    /// The budget of this reservation.
    pub fn budget(&self) -> &MemoryBudget {
        &self.budget
    }
}

impl Drop for MemoryReservation {
    fn drop(&mut self) {
        self.budget.release(self.purpose, self.bytes);
    }
}

impl MemoryWait {
    /// Completes with true once `has_room` returns true, and with false after the timeout.
    /// `has_room` is called again whenever memory is released.
    pub fn poll(&mut self, cx: &mut Context<'_>, mut has_room: impl FnMut() -> bool) -> Poll<bool> {
        loop {
            // Enabled before the check, so that a release between check and poll is not missed.
            self.released.as_mut().enable();
            if has_room() {
                return Poll::Ready(true);
            }
            if self.released.as_mut().poll(cx).is_pending() {
                break;
            }
            let released = Arc::clone(&self.budget.0.released);
            self.released = Box::pin(released.notified_owned());
        }
        self.timer.as_mut().poll(cx).map(|()| false)
    }
}

impl Drop for MemoryWait {
    fn drop(&mut self) {
        self.budget.0.waiters.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG_TIMEOUT: Duration = Duration::from_secs(60);

    #[test]
    fn dropped_reservations_are_released() {
        let budget = MemoryBudget::new(1000, 10);
        let (mut one, mut two) = (
            budget.recording_reservation(),
            budget.recording_reservation(),
        );
        assert!(one.try_grow(6));
        assert!(!two.try_grow(5));
        assert!(two.try_grow(4));
        drop(one);
        assert!(two.try_grow(6));
        assert!(!two.try_grow(1));
        assert!(!two.can_ever_fit(1));
        assert_eq!(budget.used(), 10);
        two.resize(3);
        assert_eq!(budget.used(), 3);
    }

    #[test]
    fn recording_alone_never_reaches_the_soft_limit() {
        let budget = MemoryBudget::new(1000, 1000);
        let mut recording = budget.recording_reservation();
        assert!(recording.try_grow(750));
        assert!(!recording.try_grow(1));
        assert!(!budget.above_soft_limit());
        let mut body = budget.request_reservation();
        assert!(body.try_grow(149));
        assert!(!budget.above_soft_limit());
        assert!(body.try_grow(1));
        assert!(budget.above_soft_limit() && !budget.above_hard_limit());
        body.force_grow(80);
        assert!(budget.above_hard_limit());
        assert!(
            !body.try_move_to_recording(),
            "the recording limit is reached"
        );
        drop(recording);
        assert!(body.try_move_to_recording());
        assert!(
            !budget.recording_reservation().try_grow(521),
            "230 of 750 bytes are reserved"
        );
        drop(body);
        assert_eq!(budget.used(), 0);
        assert!(budget.recording_reservation().try_grow(750));
    }

    #[tokio::test]
    async fn waits_end_when_memory_is_released_or_on_timeout() {
        let budget = MemoryBudget::new(100, 75);
        let mut full = budget.request_reservation();
        full.force_grow(95);
        assert!(
            !budget
                .wait_below_soft_limit(Duration::from_millis(20))
                .await
        );
        let waiting = budget.clone();
        let (has_room, ()) = tokio::join!(waiting.wait_below_soft_limit(LONG_TIMEOUT), async {
            tokio::task::yield_now().await;
            full.resize(91);
            tokio::task::yield_now().await;
            full.resize(50);
        });
        assert!(has_room);
        assert_eq!(budget.0.waiters.load(Ordering::SeqCst), 0);
    }
}
