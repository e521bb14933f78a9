//! Bounds the memory of exchanges that the writer has not written yet.

use parking_lot::{Condvar, Mutex};

/// The size of exchanges that were passed to the writer and are not written yet. They are decoded,
/// so they may be much larger than what was captured.
#[derive(Default)]
pub(super) struct UnwrittenBytes {
    bytes: Mutex<usize>,
    released: Condvar,
}

impl UnwrittenBytes {
    /// Adds bytes, and blocks until they fit. An exchange over the limit is admitted when there is
    /// no other.
    pub(super) fn acquire(&self, bytes: usize, limit: usize) {
        let mut total = self.bytes.lock();
        self.released
            .wait_while(&mut total, |total| *total > 0 && *total + bytes > limit);
        *total += bytes;
    }

    pub(super) fn release(&self, bytes: usize) {
        *self.bytes.lock() -= bytes;
        self.released.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;
    use std::time::Duration;

    use super::*;

    #[test]
    fn blocks_above_the_limit_except_for_a_single_oversized_exchange() {
        let unwritten = UnwrittenBytes::default();
        unwritten.acquire(50, 10);
        let (sender, acquired) = sync_channel(1);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                unwritten.acquire(1, 10);
                sender.send(()).unwrap();
            });
            let early = acquired.recv_timeout(Duration::from_millis(50));
            assert!(early.is_err());
            unwritten.release(50);
            acquired.recv().unwrap();
        });
        unwritten.acquire(9, 10);
        assert_eq!(*unwritten.bytes.lock(), 10);
    }
}
