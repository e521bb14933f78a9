//! Bounds the memory of the exchanges that the recorder works on, or the writer has not written.

use std::sync::Arc;

use parking_lot::{Condvar, Mutex};

/// The size of exchanges that the recorder works on, or that were passed to the writer and are not
/// written yet. They are decoded, so they may be much larger than what was captured.
#[derive(Default)]
pub(super) struct UnwrittenBytes {
    bytes: Mutex<usize>,
    released: Condvar,
}

impl UnwrittenBytes {
    /// The bytes of one exchange: none at first.
    pub(super) fn begin(self: &Arc<Self>) -> AcquiredBytes {
        AcquiredBytes {
            unwritten: Arc::clone(self),
            bytes: 0,
        }
    }
}

/// The size of an exchange that is not written yet.
pub(super) struct AcquiredBytes {
    unwritten: Arc<UnwrittenBytes>,
    bytes: usize,
}

impl AcquiredBytes {
    /// Sets the number of bytes until the end of the exchange, and blocks until they fit. An
    /// exchange over the limit is admitted when there is no other.
    pub(super) fn resize(&mut self, bytes: usize, limit: usize) {
        let unwritten = &*self.unwritten;
        let mut total = unwritten.bytes.lock();
        let own = self.bytes;
        unwritten.released.wait_while(&mut total, |total| {
            let others = *total - own;
            bytes > own && others > 0 && others.saturating_add(bytes) > limit
        });
        *total = *total - own + bytes;
        self.bytes = bytes;
        unwritten.released.notify_all();
    }
}

impl Drop for AcquiredBytes {
    fn drop(&mut self) {
        *self.unwritten.bytes.lock() -= self.bytes;
        self.unwritten.released.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;
    use std::time::Duration;

    use super::*;

    fn acquire(unwritten: &Arc<UnwrittenBytes>, bytes: usize) -> AcquiredBytes {
        let mut acquired = unwritten.begin();
        acquired.resize(bytes, 10);
        acquired
    }

    #[test]
    fn blocks_above_the_limit_except_for_a_single_oversized_exchange() {
        let unwritten = Arc::new(UnwrittenBytes::default());
        let large = acquire(&unwritten, 50);
        let (sender, acquired) = sync_channel(1);
        let _small = std::thread::scope(|scope| {
            scope.spawn(|| sender.send(acquire(&unwritten, 1)).unwrap());
            let early = acquired.recv_timeout(Duration::from_millis(50));
            assert!(early.is_err());
            drop(large);
            acquired.recv().unwrap()
        });
        let _more = acquire(&unwritten, 9);
        assert_eq!(*unwritten.bytes.lock(), 10);
    }

    #[test]
    fn an_exchange_that_turns_out_smaller_makes_room() {
        let unwritten = Arc::new(UnwrittenBytes::default());
        let mut estimated = acquire(&unwritten, 50);
        estimated.resize(200, 10);
        estimated.resize(9, 10);
        let _other = acquire(&unwritten, 1);
        assert_eq!(*unwritten.bytes.lock(), 10);
        drop(estimated);
        assert_eq!(*unwritten.bytes.lock(), 1);
    }
}
