//! The tasks of connections to an upstream. They have no drain guard, since an idle connection must
//! not delay a stop.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper_util::rt::TokioExecutor;
use parking_lot::Mutex;

pub(super) type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Spawns a task of a connection.
pub(super) fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    hyper::rt::Executor::execute(&TokioExecutor::new(), task);
}

/// The tasks that hyper starts for an HTTP/2 connection. The first of them, which reads and writes,
/// is polled together with the connection: only a poll of the connection notices what that task has
/// read.
#[derive(Clone)]
pub(super) struct DeferredExecutor(Arc<Mutex<Tasks>>);

enum Tasks {
    Deferred(Vec<Task>),
    Spawned,
}

impl Default for DeferredExecutor {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Tasks::Deferred(Vec::new()))))
    }
}

impl DeferredExecutor {
    /// Polls the deferred tasks.
    pub(super) fn poll(&self, cx: &mut Context<'_>) {
        if let Tasks::Deferred(tasks) = &mut *self.0.lock() {
            tasks.retain_mut(|task| task.as_mut().poll(cx).is_pending());
        }
    }

    /// Spawns the deferred tasks and those that follow.
    pub(super) fn spawn_all(&self) {
        self.take().into_iter().for_each(spawn);
    }

    /// Takes the deferred tasks. Those that follow are spawned.
    pub(super) fn take(&self) -> Deferred {
        match std::mem::replace(&mut *self.0.lock(), Tasks::Spawned) {
            Tasks::Deferred(tasks) => Deferred(tasks),
            Tasks::Spawned => Deferred(Vec::new()),
        }
    }
}

impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for DeferredExecutor {
    fn execute(&self, task: F) {
        match &mut *self.0.lock() {
            Tasks::Deferred(tasks) => tasks.push(Box::pin(task)),
            Tasks::Spawned => spawn(task),
        }
    }
}

/// Tasks that are polled by hand.
pub(super) struct Deferred(Vec<Task>);

impl Deferred {
    /// Ready once all have ended.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.0
            .retain_mut(|task| task.as_mut().poll(cx).is_pending());
        if self.0.is_empty() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

impl IntoIterator for Deferred {
    type Item = Task;
    type IntoIter = std::vec::IntoIter<Task>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}
