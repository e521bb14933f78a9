//! The memory budget of exchanges: the total (`limits.memory`), and the part for recording
//! (`limits.recording_memory`).

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
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

/// A body that holds no more bytes than this may use more than the memory of recording.
const SMALL: usize = 64 << 10;

/// The share of that memory which it may use more, so that small exchanges do not wait for the work
/// on large ones. Then recording alone does not reach the soft limit either.
const SMALL_SHARE: usize = 8;

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
    blocked: BlockedThreads,
}

/// Threads that wait for released memory.
#[derive(Debug, Default)]
struct BlockedThreads {
    count: AtomicUsize,
    lock: Mutex<()>,
    released: Condvar,
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
            blocked: BlockedThreads::default(),
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

    /// The most that work on one body reserves: half of the limit, so that no two of the largest
    /// are worked on at once.
    pub fn largest_work(&self) -> usize {
        self.0.total.limit / 2
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

    /// Reserves memory for work on a thread that serves nobody, which is blocked until there is
    /// room. After `timeout` the memory is reserved above the limit.
    pub fn reserve_blocking(&self, bytes: usize, timeout: Duration) -> MemoryReservation {
        let mut memory = self.request_reservation();
        let deadline = Instant::now() + timeout;
        let blocked = &self.0.blocked;
        let mut lock = blocked.lock.lock();
        // Counted before the attempt, so that a release after it wakes this thread.
        blocked.count.fetch_add(1, Ordering::SeqCst);
        while !memory.try_grow(bytes) {
            if blocked.released.wait_until(&mut lock, deadline).timed_out() {
                memory.force_grow(bytes);
                break;
            }
        }
        blocked.count.fetch_sub(1, Ordering::SeqCst);
        memory
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
        let blocked = &self.0.blocked;
        if blocked.count.load(Ordering::SeqCst) > 0 {
            let _lock = blocked.lock.lock();
            blocked.released.notify_all();
        }
    }
}

impl UsageCounter {
    fn try_add(&self, bytes: usize) -> bool {
        self.try_add_below(bytes, self.limit)
    }

    /// The same for a small body. A limit that has room for a few of them alone is exact.
    fn try_add_small(&self, bytes: usize) -> bool {
        let share = self.limit / SMALL_SHARE;
        let share = if share < 2 * SMALL { 0 } else { share };
        self.try_add_below(bytes, self.limit.saturating_add(share))
    }

    fn try_add_below(&self, bytes: usize, limit: usize) -> bool {
        let updated = self
            .used
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |used| {
                let total = used.checked_add(bytes)?;
                (total <= limit).then_some(total)
            });
        updated.is_ok()
    }

    fn free(&self) -> usize {
        let used = self.used.load(Ordering::SeqCst);
        self.limit.saturating_sub(used)
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
        if self.purpose == Purpose::Recording && !self.try_add_to_recording(bytes) {
            // No waiter is notified: these bytes were available a moment ago.
            state.total.used.fetch_sub(bytes, Ordering::SeqCst);
            return false;
        }
        self.bytes += bytes;
        true
    }

    /// Adds bytes to those of recording.
    fn try_add_to_recording(&self, bytes: usize) -> bool {
        let recording = &self.budget.0.recording;
        match self.bytes.saturating_add(bytes) <= SMALL {
            true => recording.try_add_small(bytes),
            false => recording.try_add(bytes),
        }
    }

    /// Reserves so many more bytes, or as many of them as the limits leave.
    pub fn grow_as_far_as_free(&mut self, bytes: usize) {
        let state = &self.budget.0;
        let free = match self.purpose {
            Purpose::Request => state.total.free(),
            Purpose::Recording => state.total.free().min(state.recording.free()),
        };
        // If another one takes them meanwhile, there is no more room for these.
        self.try_grow(bytes.min(free));
    }

    /// Changes the purpose from responding to recording; false if that exceeds the recording limit.
    pub fn try_move_to_recording(&mut self) -> bool {
        if self.purpose == Purpose::Request && self.moves_to_recording() {
            self.purpose = Purpose::Recording;
        }
        self.purpose == Purpose::Recording
    }

    fn moves_to_recording(&self) -> bool {
        let recording = &self.budget.0.recording;
        match self.bytes <= SMALL {
            true => recording.try_add_small(self.bytes),
            false => recording.try_add(self.bytes),
        }
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
mod tests;
