//! A semaphore whose capacity can change while permits are held.

use std::sync::Arc;

use tokio::sync::Semaphore;

/// A semaphore and its capacity.
pub(super) struct ResizableSemaphore {
    semaphore: Arc<Semaphore>,
    capacity: usize,
}

/// Permits that are still held, and must be removed when they are released.
pub(super) struct PermitDebt {
    semaphore: Arc<Semaphore>,
    permits: u32,
}

impl ResizableSemaphore {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            semaphore: Arc::new(Semaphore::new(capacity)),
            capacity,
        }
    }

    pub(super) fn semaphore(&self) -> Arc<Semaphore> {
        Arc::clone(&self.semaphore)
    }

    /// Changes the capacity. Returns the permits to remove that are still held; the caller settles
    /// them.
    pub(super) fn resize(&mut self, capacity: usize) -> Option<PermitDebt> {
        let previous = std::mem::replace(&mut self.capacity, capacity);
        if capacity >= previous {
            self.semaphore.add_permits(capacity - previous);
            return None;
        }
        let excess = previous - capacity;
        let held = excess - self.semaphore.forget_permits(excess);
        let permits = u32::try_from(held).unwrap_or(u32::MAX);
        (permits > 0).then(|| PermitDebt {
            semaphore: self.semaphore(),
            permits,
        })
    }
}

impl PermitDebt {
    /// Removes the permits as they are released, before another task can acquire them.
    pub(super) async fn settle(self) {
        // The semaphore is never closed.
        if let Ok(permits) = self.semaphore.acquire_many(self.permits).await {
            permits.forget();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn held_permits_are_removed_when_released() {
        let mut resizable = ResizableSemaphore::new(3);
        let semaphore = resizable.semaphore();
        let held = [0; 3].map(|_| semaphore.try_acquire().unwrap());
        let debt = resizable.resize(1).unwrap();
        let mut settled = std::pin::pin!(debt.settle());
        assert!(is_pending(settled.as_mut()).await);
        let [first, second, third] = held;
        drop(first);
        assert!(semaphore.try_acquire().is_err());
        drop(second);
        settled.await;
        assert!(semaphore.try_acquire().is_err());
        drop(third);
        assert_eq!(semaphore.available_permits(), 1);
    }

    #[test]
    fn free_permits_are_added_and_removed_at_once() {
        let mut resizable = ResizableSemaphore::new(3);
        assert!(resizable.resize(1).is_none());
        assert_eq!(resizable.semaphore().available_permits(), 1);
        assert!(resizable.resize(5).is_none());
        assert_eq!(resizable.semaphore().available_permits(), 5);
    }

    async fn is_pending(mut future: std::pin::Pin<&mut impl Future<Output = ()>>) -> bool {
        std::future::poll_fn(|cx| {
            let pending = future.as_mut().poll(cx).is_pending();
            std::task::Poll::Ready(pending)
        })
        .await
    }
}
