//! Bounds the memory of exchanges that the writer has not written yet.

use std::sync::Arc;

use parking_lot::{Condvar, Mutex};

/// The size of exchanges that were passed to the writer and are not written yet. They are decoded,
/// so they may be much larger than what was captured.
#[derive(Default)]
pub(super) struct UnwrittenBytes {
    bytes: Mutex<usize>,
    released: Condvar,
}

impl UnwrittenBytes {
    /// Adds bytes until the result is dropped, and blocks until they fit. An exchange over the
    /// limit is admitted when there is no other.
    pub(super) fn acquire(self: &Arc<Self>, bytes: usize, limit: usize) -> AcquiredBytes {
        let mut total = self.bytes.lock();
        self.released
            .wait_while(&mut total, |total| *total > 0 && *total + bytes > limit);
        *total += bytes;
        AcquiredBytes {
            unwritten: Arc::clone(self),
            bytes,
        }
    }
}

/// The size of an exchange that is not written yet.
pub(super) struct AcquiredBytes {
    unwritten: Arc<UnwrittenBytes>,
    bytes: usize,
}

impl Drop for AcquiredBytes {
    fn drop(&mut self) {
        *self.unwritten.bytes.lock() -= self.bytes;
        self.unwritten.released.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;
    use std::time::Duration;

    use super::*;

    #[test]
    fn blocks_above_the_limit_except_for_a_single_oversized_exchange() {
        let unwritten = Arc::new(UnwrittenBytes::default());
        let large = unwritten.acquire(50, 10);
        let (sender, acquired) = sync_channel(1);
        let _small = std::thread::scope(|scope| {
            scope.spawn(|| sender.send(unwritten.acquire(1, 10)).unwrap());
            let early = acquired.recv_timeout(Duration::from_millis(50));
            assert!(early.is_err());
            drop(large);
            acquired.recv().unwrap()
        });
        let _more = unwritten.acquire(9, 10);
        assert_eq!(*unwritten.bytes.lock(), 10);
    }
}
