//! Completions: whoever asked the writer for something is told exactly once.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::queue::WriteError;

/// A completion that is called exactly once: where nobody answers, with [`WriteError::Closed`].
pub struct Completion<T>(Option<Callback<T>>);

type Callback<T> = Box<dyn FnOnce(Result<T, WriteError>) + Send>;

impl<T> Completion<T> {
    /// Calls `then` with the outcome. It must not block.
    pub fn new(then: impl FnOnce(Result<T, WriteError>) + Send + 'static) -> Self {
        Self(Some(Box::new(then)))
    }

    /// Nobody wants to know.
    pub fn ignored() -> Self {
        Self(None)
    }

    pub(super) fn complete(mut self, outcome: Result<T, WriteError>) {
        if let Some(then) = self.0.take() {
            call_catching_panics(then, outcome);
        }
    }
}

impl<T> Drop for Completion<T> {
    fn drop(&mut self) {
        if let Some(then) = self.0.take() {
            call_catching_panics(then, Err(WriteError::Closed));
        }
    }
}

impl<T> fmt::Debug for Completion<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Done")
    }
}

/// One that panics must not keep the others from being told.
fn call_catching_panics<T>(then: Callback<T>, outcome: Result<T, WriteError>) {
    let _ = catch_unwind(AssertUnwindSafe(|| then(outcome)));
}
