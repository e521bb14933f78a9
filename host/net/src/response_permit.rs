//! The request permit that a response holds. While its client reads nothing, the upstream has
//! nothing to do for it, and another request gets the permit.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use tokio::sync::OwnedSemaphorePermit;

/// A permit, until the response ends or gives it back.
#[derive(Debug)]
pub struct ResponsePermit(Arc<Mutex<Option<OwnedSemaphorePermit>>>);

/// The permits of the responses of one connection.
#[derive(Debug, Default)]
pub(crate) struct ResponsePermits {
    /// Otherwise nothing needs the lock.
    is_used: AtomicBool,
    held: Mutex<Vec<HeldPermit>>,
}

#[derive(Debug)]
struct HeldPermit {
    /// The number of the request on its connection.
    request: u64,
    permit: Arc<Mutex<Option<OwnedSemaphorePermit>>>,
}

impl HeldPermit {
    /// True if the response has not ended.
    fn is_held(&self) -> bool {
        Arc::strong_count(&self.permit) > 1
    }
}

impl ResponsePermit {
    /// A permit that lasts until the response ends.
    pub fn new(permit: OwnedSemaphorePermit) -> Self {
        Self(Arc::new(Mutex::new(Some(permit))))
    }
}

impl Drop for ResponsePermit {
    fn drop(&mut self) {
        self.0.lock().take();
    }
}

impl ResponsePermits {
    /// A permit that the response to this request holds.
    pub(crate) fn hold(&self, request: u64, permit: OwnedSemaphorePermit) -> ResponsePermit {
        let held = ResponsePermit::new(permit);
        let permit = Arc::clone(&held.0);
        let mut all = self.held.lock();
        all.retain(HeldPermit::is_held);
        all.push(HeldPermit { request, permit });
        self.is_used.store(true, Ordering::Release);
        held
    }

    /// True if a response may hold a permit.
    pub(crate) fn is_used(&self) -> bool {
        self.is_used.load(Ordering::Acquire)
    }

    /// The responses to these requests give their permits back.
    pub(crate) fn give_back(&self, is_slow: impl Fn(u64) -> bool) {
        let mut all = self.held.lock();
        all.retain(|held| {
            let goes = is_slow(held.request);
            if goes {
                held.permit.lock().take();
            }
            !goes && held.is_held()
        });
        self.is_used.store(!all.is_empty(), Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::Semaphore;

    use super::*;

    #[test]
    fn a_permit_is_free_after_the_response_or_once_it_is_given_back() {
        let semaphore = Arc::new(Semaphore::new(3));
        let permit = || Arc::clone(&semaphore).try_acquire_owned().unwrap();
        let permits = ResponsePermits::default();
        assert!(!permits.is_used());
        let (first, second) = (permits.hold(1, permit()), permits.hold(2, permit()));
        let alone = ResponsePermit::new(permit());
        assert_eq!(semaphore.available_permits(), 0);
        permits.give_back(|request| request == 2);
        assert_eq!(semaphore.available_permits(), 1);
        assert!(permits.is_used());
        drop((first, second, alone));
        assert_eq!(semaphore.available_permits(), 3);
        permits.give_back(|_| false);
        assert!(!permits.is_used());
    }

    #[test]
    fn a_connection_keeps_no_record_of_responses_that_have_ended() {
        let semaphore = Arc::new(Semaphore::new(1));
        let permits = ResponsePermits::default();
        for request in 0..100 {
            let permit = Arc::clone(&semaphore).try_acquire_owned().unwrap();
            drop(permits.hold(request, permit));
        }
        assert_eq!(permits.held.lock().len(), 1);
    }
}
