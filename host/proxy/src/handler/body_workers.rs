//! Work on large bodies and reads of the disk, on threads that serve no connection: other requests
//! do not wait for it. Each kind has permits of its own, so that a slow disk leaves threads for the
//! others.

use std::sync::Arc;

use tokio::sync::Semaphore;

use super::error::ExchangeError;

/// Permits for one kind of work. More at once would only compete for the processors or the disk.
#[derive(Clone, Debug)]
pub struct BodyWorkers(Arc<Semaphore>);

/// Stored bodies that are read at one time, and cassettes. Together with large bodies they leave
/// threads of each worker (`gateway/worker.rs`), however slow the disk is.
const MAX_BODY_READS: usize = 32;
const MAX_SESSION_LOADS: usize = 16;

impl BodyWorkers {
    /// For reads of stored bodies.
    pub fn body_reads() -> Self {
        Self::new(MAX_BODY_READS)
    }

    /// For reads of cassettes.
    pub fn session_loads() -> Self {
        Self::new(MAX_SESSION_LOADS)
    }

    /// At most `count` are worked on at once.
    pub fn new(count: usize) -> Self {
        Self(Arc::new(Semaphore::new(count)))
    }

    /// Runs work on a blocking thread, once one of the permits is free. Work that has begun ends
    /// even if its client leaves.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ExchangeError> {
        let permit = Arc::clone(&self.0).acquire_owned().await;
        let permit = permit.map_err(|error| ExchangeError::Internal(error.to_string()))?;
        let worked = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            work()
        });
        worked
            .await
            .map_err(|error| ExchangeError::Internal(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn the_thread_goes_on_while_bodies_are_worked_on() {
        let workers = BodyWorkers::new(1);
        let (begin, begun) = mpsc::sync_channel(1);
        let blocked = workers.run(move || begun.recv().unwrap());
        let (received, ()) = tokio::join!(blocked, async {
            tokio::task::yield_now().await;
            begin.send("begun").unwrap();
        });
        assert_eq!(received.unwrap(), "begun");
    }

    #[tokio::test]
    async fn a_permit_is_free_again_after_a_panic() {
        let workers = BodyWorkers::new(1);
        let failed = workers.run(|| panic!("a fault")).await;
        assert!(matches!(failed, Err(ExchangeError::Internal(_))));
        assert_eq!(workers.run(|| 1).await.unwrap(), 1);
    }
}
