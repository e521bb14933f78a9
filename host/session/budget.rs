//! Bytes that may be held for recording in the whole process (`limits.recording_memory`).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The budget of the process. Clones share it.
#[derive(Clone, Debug)]
pub struct Budget(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    held: AtomicUsize,
    most: usize,
}

/// A share of the budget; dropped, it is free again.
#[derive(Debug)]
pub struct Hold {
    budget: Budget,
    bytes: usize,
}

impl Budget {
    /// A budget of `most` bytes.
    pub fn new(most: usize) -> Self {
        Self(Arc::new(Shared {
            held: AtomicUsize::new(0),
            most,
        }))
    }

    /// A share of no bytes.
    pub fn hold(&self) -> Hold {
        Hold {
            budget: self.clone(),
            bytes: 0,
        }
    }
}

impl Hold {
    /// Takes more bytes; false where the budget has no room for them.
    pub fn grow(&mut self, bytes: usize) -> bool {
        let shared = &self.budget.0;
        let before = shared.held.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) > shared.most {
            shared.held.fetch_sub(bytes, Ordering::Relaxed);
            return false;
        }
        self.bytes += bytes;
        true
    }

    /// Another share of the same budget, of no bytes.
    pub fn empty(&self) -> Self {
        self.budget.hold()
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.budget.0.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dropped_is_free_again() {
        let budget = Budget::new(10);
        let (mut one, mut two) = (budget.hold(), budget.hold());
        assert!(one.grow(6));
        assert!(!two.grow(5));
        assert!(two.grow(4));
        drop(one);
        assert!(two.grow(6));
        assert!(!two.grow(1));
    }
}
