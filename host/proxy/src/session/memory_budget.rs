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
const TIGHT: u128 = 90;

/// Of 100 bytes that there may be, those from which on new requests are refused.
const SCARCE: u128 = 98;

/// Recording takes no more than three quarters of the memory, so that it alone never makes memory
/// tight for requests.
const SHARE: (usize, usize) = (3, 4);

/// The budget of the process. Clones share it.
#[derive(Clone, Debug)]
pub struct Budget(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    all: Account,
    recording: Account,
    /// Who waits for bytes to be free.
    waiting: AtomicUsize,
    freed: Arc<Notify>,
}

#[derive(Debug)]
struct Account {
    held: AtomicUsize,
    most: usize,
}

/// What bytes are held for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    /// To answer a request.
    Answer,
    /// To record an exchange.
    Recording,
}

/// A share of the budget; dropped, it is free again.
#[derive(Debug)]
pub struct Hold {
    budget: Budget,
    purpose: Purpose,
    bytes: usize,
}

/// A wait for bytes to be free.
#[derive(Debug)]
pub struct Wait {
    budget: Budget,
    freed: Pin<Box<OwnedNotified>>,
    timer: Pin<Box<Sleep>>,
}

impl Budget {
    /// A budget of `memory` bytes, of which recording may take `recording`, and no more than three
    /// quarters.
    pub fn new(memory: usize, recording: usize) -> Self {
        let share = memory / SHARE.1 * SHARE.0;
        let account = |most| Account {
            held: AtomicUsize::new(0),
            most,
        };
        Self(Arc::new(Shared {
            all: account(memory),
            recording: account(recording.min(share)),
            waiting: AtomicUsize::new(0),
            freed: Arc::default(),
        }))
    }

    /// A share of no bytes, for recording.
    pub fn hold(&self) -> Hold {
        self.share(Purpose::Recording)
    }

    /// A share of no bytes, for what a request needs to be answered.
    pub fn hold_to_answer(&self) -> Hold {
        self.share(Purpose::Answer)
    }

    fn share(&self, purpose: Purpose) -> Hold {
        Hold {
            budget: self.clone(),
            purpose,
            bytes: 0,
        }
    }

    /// Bytes that are held now, in all.
    pub fn held(&self) -> usize {
        self.0.all.held.load(Ordering::SeqCst)
    }

    /// Bytes that recording may take.
    pub fn most_recording(&self) -> usize {
        self.0.recording.most
    }

    /// True where so much is held that nothing more should be read.
    pub fn is_tight(&self) -> bool {
        self.0.all.is_over(TIGHT)
    }

    /// True where so much is held that no request should be begun.
    pub fn is_scarce(&self) -> bool {
        self.0.all.is_over(SCARCE)
    }

    /// Waits while memory is tight. False where it is so for all of `patience`.
    pub async fn room(&self, patience: Duration) -> bool {
        if !self.is_tight() {
            return true;
        }
        let mut wait = self.wait(patience);
        std::future::poll_fn(|cx| wait.poll(cx, || !self.is_tight())).await
    }

    /// Begins a wait of at most `patience`.
    pub fn wait(&self, patience: Duration) -> Wait {
        self.0.waiting.fetch_add(1, Ordering::SeqCst);
        Wait {
            budget: self.clone(),
            freed: Box::pin(Arc::clone(&self.0.freed).notified_owned()),
            timer: Box::pin(tokio::time::sleep(patience)),
        }
    }

    fn release(&self, purpose: Purpose, bytes: usize) {
        if bytes == 0 {
            return;
        }
        self.0.all.held.fetch_sub(bytes, Ordering::SeqCst);
        if purpose == Purpose::Recording {
            self.0.recording.held.fetch_sub(bytes, Ordering::SeqCst);
        }
        if self.0.waiting.load(Ordering::SeqCst) > 0 {
            self.0.freed.notify_waiters();
        }
    }
}

impl Account {
    fn take(&self, bytes: usize) -> bool {
        let taken = self
            .held
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |held| {
                let more = held.checked_add(bytes)?;
                (more <= self.most).then_some(more)
            });
        taken.is_ok()
    }

    fn is_over(&self, percent: u128) -> bool {
        let held = self.held.load(Ordering::SeqCst) as u128;
        held * 100 >= self.most as u128 * percent
    }
}

impl Hold {
    /// Takes more bytes; false where the budget has no room for them.
    pub fn grow(&mut self, bytes: usize) -> bool {
        let shared = &self.budget.0;
        if !shared.all.take(bytes) {
            return false;
        }
        if self.purpose == Purpose::Recording && !shared.recording.take(bytes) {
            // Nobody waits for these: they were free a moment ago.
            shared.all.held.fetch_sub(bytes, Ordering::SeqCst);
            return false;
        }
        self.bytes += bytes;
        true
    }

    /// What was held to answer a request is held for its recording from now on; false where
    /// recording has no room for it.
    pub fn record(&mut self) -> bool {
        let recording = &self.budget.0.recording;
        if self.purpose == Purpose::Answer && recording.take(self.bytes) {
            self.purpose = Purpose::Recording;
        }
        self.purpose == Purpose::Recording
    }

    /// True where it could be held for a recording if nothing else were.
    pub fn may_ever_record(&self) -> bool {
        self.bytes <= self.budget.most_recording()
    }

    /// True where so many bytes would have room if nobody else held any.
    pub fn may_ever_have(&self, bytes: usize) -> bool {
        let shared = &self.budget.0;
        let most = match self.purpose {
            Purpose::Answer => shared.all.most,
            Purpose::Recording => shared.all.most.min(shared.recording.most),
        };
        self.bytes.saturating_add(bytes) <= most
    }

    /// Counts bytes that are here already, whether there is room or not.
    pub fn add(&mut self, bytes: usize) {
        let shared = &self.budget.0;
        shared.all.held.fetch_add(bytes, Ordering::SeqCst);
        if self.purpose == Purpose::Recording {
            shared.recording.held.fetch_add(bytes, Ordering::SeqCst);
        }
        self.bytes += bytes;
    }

    /// Counts that so many bytes are here now, more or fewer than before.
    pub fn set(&mut self, bytes: usize) {
        match self.bytes.checked_sub(bytes) {
            Some(fewer) => {
                self.budget.release(self.purpose, fewer);
                self.bytes = bytes;
            }
            None => self.add(bytes - self.bytes),
        }
    }

    /// True where it counts nothing.
    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// Waits while memory is tight. False where it is so for all of `patience` and this share is a
    /// part of what is held: who holds nothing waits on.
    pub async fn room(&self, patience: Duration) -> bool {
        while !self.budget.room(patience).await {
            if !self.is_empty() {
                return false;
            }
        }
        true
    }

    /// Another share of the same budget, of no bytes.
    pub fn empty(&self) -> Self {
        self.budget.share(self.purpose)
    }

    /// The budget that it is a share of.
    pub fn budget(&self) -> &Budget {
        &self.budget
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.budget.release(self.purpose, self.bytes);
    }
}

impl Wait {
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

impl Drop for Wait {
    fn drop(&mut self) {
        self.budget.0.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn what_is_dropped_is_free_again() {
        let budget = Budget::new(1000, 10);
        let (mut one, mut two) = (budget.hold(), budget.hold());
        assert!(one.grow(6));
        assert!(!two.grow(5));
        assert!(two.grow(4));
        drop(one);
        assert!(two.grow(6));
        assert!(!two.grow(1));
        assert!(!two.may_ever_have(1));
        assert_eq!(budget.held(), 10);
        two.set(3);
        assert_eq!(budget.held(), 3);
    }

    #[test]
    fn recording_alone_never_makes_memory_tight() {
        let budget = Budget::new(1000, 1000);
        let mut recording = budget.hold();
        assert!(recording.grow(750));
        assert!(!recording.grow(1));
        assert!(!budget.is_tight());
        let mut body = budget.hold_to_answer();
        assert!(body.grow(149));
        assert!(!budget.is_tight());
        assert!(body.grow(1));
        assert!(budget.is_tight() && !budget.is_scarce());
        body.add(80);
        assert!(budget.is_scarce());
        assert!(!body.record(), "recording has its share already");
        drop(recording);
        assert!(body.record());
        assert!(!budget.hold().grow(521), "230 of 750 are taken");
        drop(body);
        assert_eq!(budget.held(), 0);
        assert!(budget.hold().grow(750));
    }

    #[tokio::test]
    async fn who_waits_is_told_when_there_is_room_and_when_there_is_none() {
        let budget = Budget::new(100, 75);
        let mut full = budget.hold_to_answer();
        full.add(95);
        assert!(!budget.room(Duration::from_millis(20)).await);
        let waiting = budget.clone();
        let (room, ()) = tokio::join!(waiting.room(LONG), async {
            tokio::task::yield_now().await;
            full.set(91);
            tokio::task::yield_now().await;
            full.set(50);
        });
        assert!(room);
        assert_eq!(budget.0.waiting.load(Ordering::SeqCst), 0);
    }
}
