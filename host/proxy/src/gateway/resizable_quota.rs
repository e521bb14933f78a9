//! A number of places that a reload can change, while those that are taken stay taken.

use std::sync::Arc;

use tokio::sync::Semaphore;

use ouli_config::Limits;
use ouli_net::server::{Places, Slots};

/// What a reload can make more or fewer.
pub(super) struct Quotas {
    connections: Slots,
    in_flight: Quota,
    in_flight_queue: Quota,
    streams: Quota,
}

impl Quotas {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            connections: Places::new(limits),
            in_flight: Quota::new(limits.in_flight),
            in_flight_queue: Quota::new(limits.in_flight_queue),
            streams: Quota::new(limits.streams),
        }
    }

    /// Slots for connections (`limits.connections` and those of each source).
    pub(super) fn connections(&self) -> Slots {
        Arc::clone(&self.connections)
    }

    /// Places for requests (`limits.in_flight`).
    pub(super) fn in_flight(&self) -> Arc<Semaphore> {
        self.in_flight.places()
    }

    /// Places to wait for such a place (`limits.in_flight_queue`).
    pub(super) fn in_flight_queue(&self) -> Arc<Semaphore> {
        self.in_flight_queue.places()
    }

    /// Places for streams (`limits.streams`).
    pub(super) fn streams(&self) -> Arc<Semaphore> {
        self.streams.places()
    }

    /// Makes them as the limits say. Returns what is to be waited for.
    pub(super) fn follow(&mut self, limits: &Limits) -> Vec<Debt> {
        self.connections.limit(limits);
        let debts = [
            self.in_flight.resize(limits.in_flight),
            self.in_flight_queue.resize(limits.in_flight_queue),
            self.streams.resize(limits.streams),
        ];
        debts.into_iter().flatten().collect()
    }
}

/// Places, and how many there are to be.
struct Quota {
    places: Arc<Semaphore>,
    size: usize,
}

/// Places that are taken and shall not come back.
pub(super) struct Debt {
    places: Arc<Semaphore>,
    size: u32,
}

impl Quota {
    /// So many places, all free.
    fn new(size: usize) -> Self {
        Self {
            places: Arc::new(Semaphore::new(size)),
            size,
        }
    }

    fn places(&self) -> Arc<Semaphore> {
        Arc::clone(&self.places)
    }

    /// Makes them more or fewer. What is to go and is taken is given back later: that is for the
    /// caller to wait for.
    fn resize(&mut self, size: usize) -> Option<Debt> {
        let before = std::mem::replace(&mut self.size, size);
        if size >= before {
            self.places.add_permits(size - before);
            return None;
        }
        let rest = before - size - self.places.forget_permits(before - size);
        let size = u32::try_from(rest).unwrap_or(u32::MAX);
        (size > 0).then(|| Debt {
            places: self.places(),
            size,
        })
    }
}

impl Debt {
    /// Takes the places out of use as they come back, before anybody else gets them.
    pub(super) async fn settle(self) {
        // The places are never closed.
        if let Ok(permits) = self.places.acquire_many(self.size).await {
            permits.forget();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn places_that_are_taken_go_when_they_come_back() {
        let mut quota = Quota::new(3);
        let places = quota.places();
        let taken = [0; 3].map(|_| places.try_acquire().unwrap());
        let debt = quota.resize(1).unwrap();
        let settled = debt.settle();
        let mut settled = std::pin::pin!(settled);
        assert!(is_pending(settled.as_mut()).await);
        let [one, two, three] = taken;
        drop(one);
        assert!(places.try_acquire().is_err());
        drop(two);
        settled.await;
        assert!(places.try_acquire().is_err());
        drop(three);
        assert_eq!(places.available_permits(), 1);
    }

    #[test]
    fn free_places_come_and_go_at_once() {
        let mut quota = Quota::new(3);
        assert!(quota.resize(1).is_none());
        assert_eq!(quota.places().available_permits(), 1);
        assert!(quota.resize(5).is_none());
        assert_eq!(quota.places().available_permits(), 5);
    }

    async fn is_pending(mut future: std::pin::Pin<&mut impl Future<Output = ()>>) -> bool {
        std::future::poll_fn(|cx| {
            let pending = future.as_mut().poll(cx).is_pending();
            std::task::Poll::Ready(pending)
        })
        .await
    }
}
