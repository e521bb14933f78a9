//! Completions: every request to the writer is answered exactly once.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::error::WriteError;

/// A callback that is called exactly once: if it is dropped uncalled, with [`WriteError::Failed`]
/// during a panic, else with [`WriteError::Closed`].
pub struct Completion<T>(Option<Callback<T>>);

type Callback<T> = Box<dyn FnOnce(Result<T, WriteError>) + Send>;

impl<T> Completion<T> {
    /// Calls `callback` with the outcome. It must not block.
    pub fn new(callback: impl FnOnce(Result<T, WriteError>) + Send + 'static) -> Self {
        Self(Some(Box::new(callback)))
    }

    /// Discards the outcome.
    pub fn ignored() -> Self {
        Self(None)
    }

    pub(super) fn complete(mut self, outcome: Result<T, WriteError>) {
        if let Some(callback) = self.0.take() {
            call_catching_panics(callback, outcome);
        }
    }
}

impl<T> Drop for Completion<T> {
    fn drop(&mut self) {
        if let Some(callback) = self.0.take() {
            let error = match std::thread::panicking() {
                true => WriteError::Failed,
                false => WriteError::Closed,
            };
            call_catching_panics(callback, Err(error));
        }
    }
}

impl<T> fmt::Debug for Completion<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Completion")
    }
}

/// A callback that panics must not stop the writer's thread.
fn call_catching_panics<T>(callback: Callback<T>, outcome: Result<T, WriteError>) {
    let _ = catch_unwind(AssertUnwindSafe(|| callback(outcome)));
}
