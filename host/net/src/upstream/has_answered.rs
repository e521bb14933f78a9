//! Whether an upstream has shown that it speaks the protocol of its URL.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// True once an upstream has answered in the protocol of its URL, on any connection. What then
/// fails has other causes.
#[derive(Clone, Debug, Default)]
pub struct HasAnswered(Arc<AtomicBool>);

impl HasAnswered {
    pub(super) fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
