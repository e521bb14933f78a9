//! Bytes that the process holds for exchanges: all of them (`limits.memory`), and the part that
//! recording may take (`limits.recording_memory`).

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;
use tokio::time::Sleep;

/// Of 100 bytes that there may be, those from which on request bodies wait.
const SOFT_LIMIT_PERCENT: u128 = 90;

/// Of 100 bytes that there may be, those from which on new requests are refused.
const HARD_LIMIT_PERCENT: u128 = 98;

/// Recording takes no more than three quarters of the memory, so that it alone never makes memory
/// tight for requests.
const MAX_RECORDING_SHARE: (usize, usize) = (3, 4);

/// The budget of the process. Clones share it.
#[derive(Clone, Debug)]
pub struct MemoryBudget(Arc<BudgetState>);

#[derive(Debug)]
struct BudgetState {
    total: UsageCounter,
    recording: UsageCounter,
    /// Who waits for bytes to be free.
    waiters: AtomicUsize,
    freed: Arc<Notify>,
}

#[derive(Debug)]
struct UsageCounter {
    used: AtomicUsize,
    limit: usize,
}

/// What bytes are held for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    /// To answer a request.
    Request,
    /// To record an exchange.
    Recording,
}

/// A share of the budget; dropped, it is free again.
#[derive(Debug)]
pub struct MemoryReservation {
    budget: MemoryBudget,
    purpose: Purpose,
    bytes: usize,
}

/// A wait for bytes to be free.
#[derive(Debug)]
pub struct MemoryWait {
    budget: MemoryBudget,
    freed: Pin<Box<OwnedNotified>>,
    timer: Pin<Box<Sleep>>,
}

impl MemoryBudget {
    /// A budget of `memory` bytes, of which recording may take `recording`, and no more than three
    /// quarters.
    pub fn new(memory: usize, recording: usize) -> Self {
        let share = memory / MAX_RECORDING_SHARE.1 * MAX_RECORDING_SHARE.0;
        let account = |most| UsageCounter {
            used: AtomicUsize::new(0),
            limit: most,
        };
        Self(Arc::new(BudgetState {
            total: account(memory),
            recording: account(recording.min(share)),
            waiters: AtomicUsize::new(0),
            freed: Arc::default(),
        }))
    }

    /// A share of no bytes, for recording.
    pub fn recording_reservation(&self) -> MemoryReservation {
        self.new_reservation(Purpose::Recording)
    }

    /// A share of no bytes, for what a request needs to be answered.
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

    /// Bytes that are held now, in all.
    pub fn used(&self) -> usize {
        self.0.total.used.load(Ordering::SeqCst)
    }

    /// Bytes that recording may take.
    pub fn recording_limit(&self) -> usize {
        self.0.recording.limit
    }

    /// True where so much is held that nothing more should be read.
    pub fn above_soft_limit(&self) -> bool {
        self.0.total.is_above(SOFT_LIMIT_PERCENT)
    }

    /// True where so much is held that no request should be begun.
    pub fn above_hard_limit(&self) -> bool {
        self.0.total.is_above(HARD_LIMIT_PERCENT)
    }

    /// Waits while memory is tight. False where it is so for all of `patience`.
    pub async fn wait_below_soft_limit(&self, patience: Duration) -> bool {
        if !self.above_soft_limit() {
            return true;
        }
        let mut wait = self.wait(patience);
        std::future::poll_fn(|cx| wait.poll(cx, || !self.above_soft_limit())).await
    }

    /// Begins a wait of at most `patience`.
    pub fn wait(&self, patience: Duration) -> MemoryWait {
        self.0.waiters.fetch_add(1, Ordering::SeqCst);
        MemoryWait {
            budget: self.clone(),
            freed: Box::pin(Arc::clone(&self.0.freed).notified_owned()),
            timer: Box::pin(tokio::time::sleep(patience)),
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
            self.0.freed.notify_waiters();
        }
    }
}

impl UsageCounter {
    fn try_add(&self, bytes: usize) -> bool {
        let taken = self
            .used
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |held| {
                let more = held.checked_add(bytes)?;
                (more <= self.limit).then_some(more)
            });
        taken.is_ok()
    }

    fn is_above(&self, percent: u128) -> bool {
        let held = self.used.load(Ordering::SeqCst) as u128;
        held * 100 >= self.limit as u128 * percent
    }
}

impl MemoryReservation {
    /// Takes more bytes; false where the budget has no room for them.
    pub fn try_grow(&mut self, bytes: usize) -> bool {
        let shared = &self.budget.0;
        if !shared.total.try_add(bytes) {
            return false;
        }
        if self.purpose == Purpose::Recording && !shared.recording.try_add(bytes) {
            // Nobody waits for these: they were free a moment ago.
            shared.total.used.fetch_sub(bytes, Ordering::SeqCst);
            return false;
        }
        self.bytes += bytes;
        true
    }

    /// What was held to answer a request is held for its recording from now on; false where
    /// recording has no room for it.
    pub fn try_move_to_recording(&mut self) -> bool {
        let recording = &self.budget.0.recording;
        if self.purpose == Purpose::Request && recording.try_add(self.bytes) {
            self.purpose = Purpose::Recording;
        }
        self.purpose == Purpose::Recording
    }

    /// True where it could be held for a recording if nothing else were.
    pub fn fits_recording_limit(&self) -> bool {
        self.bytes <= self.budget.recording_limit()
    }

    /// True where so many bytes would have room if nobody else held any.
    pub fn can_ever_fit(&self, bytes: usize) -> bool {
        let shared = &self.budget.0;
        let most = match self.purpose {
            Purpose::Request => shared.total.limit,
            Purpose::Recording => shared.total.limit.min(shared.recording.limit),
        };
        self.bytes.saturating_add(bytes) <= most
    }

    /// Counts bytes that are here already, whether there is room or not.
    pub fn force_grow(&mut self, bytes: usize) {
        let shared = &self.budget.0;
        shared.total.used.fetch_add(bytes, Ordering::SeqCst);
        if self.purpose == Purpose::Recording {
            shared.recording.used.fetch_add(bytes, Ordering::SeqCst);
        }
        self.bytes += bytes;
    }

    /// Counts that so many bytes are here now, more or fewer than before.
    pub fn resize(&mut self, bytes: usize) {
        match self.bytes.checked_sub(bytes) {
            Some(fewer) => {
                self.budget.release(self.purpose, fewer);
                self.bytes = bytes;
            }
            None => self.force_grow(bytes - self.bytes),
        }
    }

    /// True where it counts nothing.
    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// Waits while memory is tight. False where it is so for all of `patience` and this share is a
    /// part of what is held: who holds nothing waits on.
    pub async fn wait_below_soft_limit(&self, patience: Duration) -> bool {
        while !self.budget.wait_below_soft_limit(patience).await {
            if !self.is_empty() {
                return false;
            }
        }
        true
    }

    /// Another share of the same budget, of no bytes.
    pub fn new_empty(&self) -> Self {
        self.budget.new_reservation(self.purpose)
    }

    /// The budget that it is a share of.
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
    /// Looks whether there is room now; looks again each time that bytes are free. False once the
    /// time is over.
    pub fn poll(&mut self, cx: &mut Context<'_>, mut has_room: impl FnMut() -> bool) -> Poll<bool> {
        loop {
            // Who is told between the look and the sleep is told nevertheless.
            self.freed.as_mut().enable();
            if has_room() {
                return Poll::Ready(true);
            }
            if self.freed.as_mut().poll(cx).is_pending() {
                break;
            }
            let freed = Arc::clone(&self.budget.0.freed);
            self.freed = Box::pin(freed.notified_owned());
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

    const LONG: Duration = Duration::from_secs(60);

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
            "recording has its share already"
        );
        drop(recording);
        assert!(body.try_move_to_recording());
        assert!(
            !budget.recording_reservation().try_grow(521),
            "230 of 750 are taken"
        );
        drop(body);
        assert_eq!(budget.used(), 0);
        assert!(budget.recording_reservation().try_grow(750));
    }

    #[tokio::test]
    async fn waiters_wake_on_free_memory_and_on_timeout() {
        let budget = MemoryBudget::new(100, 75);
        let mut full = budget.request_reservation();
        full.force_grow(95);
        assert!(
            !budget
                .wait_below_soft_limit(Duration::from_millis(20))
                .await
        );
        let waiting = budget.clone();
        let (room, ()) = tokio::join!(waiting.wait_below_soft_limit(LONG), async {
            tokio::task::yield_now().await;
            full.resize(91);
            tokio::task::yield_now().await;
            full.resize(50);
        });
        assert!(room);
        assert_eq!(budget.0.waiters.load(Ordering::SeqCst), 0);
    }
}
