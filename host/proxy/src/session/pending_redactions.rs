//! The exchanges of a session that are complete and whose secrets are not known yet.

use std::collections::BTreeSet;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

/// The numbers of the exchanges that are not redacted yet, in the order in which they ended.
#[derive(Debug, Default)]
pub(super) struct PendingRedactions {
    numbers: Mutex<Numbers>,
    redacted: Notify,
}

#[derive(Debug, Default)]
struct Numbers {
    next: u64,
    pending: BTreeSet<u64>,
}

/// An exchange that is complete and not redacted yet, or will not be.
#[derive(Debug)]
pub struct UnredactedExchange {
    all: Arc<PendingRedactions>,
    number: u64,
}

impl PendingRedactions {
    /// An exchange is complete.
    pub(super) fn begin(self: &Arc<Self>) -> UnredactedExchange {
        let mut numbers = self.numbers.lock();
        let number = numbers.next;
        numbers.next += 1;
        numbers.pending.insert(number);
        UnredactedExchange {
            all: Arc::clone(self),
            number,
        }
    }

    /// Waits until the exchanges are redacted that are complete now. Those that end later are not
    /// waited for.
    pub(super) async fn wait_for_complete(&self) {
        let end = self.numbers.lock().next;
        loop {
            let redacted = self.redacted.notified();
            let first = self.numbers.lock().pending.first().copied();
            if first.is_none_or(|first| first >= end) {
                return;
            }
            redacted.await;
        }
    }
}

impl Drop for UnredactedExchange {
    fn drop(&mut self) {
        self.all.numbers.lock().pending.remove(&self.number);
        self.all.redacted.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Waker};

    use super::*;

    fn is_ready(wait: std::pin::Pin<&mut impl Future<Output = ()>>) -> bool {
        wait.poll(&mut Context::from_waker(Waker::noop()))
            .is_ready()
    }

    #[test]
    fn only_exchanges_that_are_complete_are_waited_for() {
        let all: Arc<PendingRedactions> = Arc::default();
        assert!(is_ready(pin!(all.wait_for_complete())));
        let [first, second] = [all.begin(), all.begin()];
        let mut wait = pin!(all.wait_for_complete());
        assert!(!is_ready(wait.as_mut()));
        let later = all.begin();
        drop(second);
        assert!(!is_ready(wait.as_mut()));
        drop(first);
        assert!(is_ready(wait.as_mut()));
        drop(later);
    }
}
