//! The memory of sessions: of the recorded exchanges that they hold (`limits.index_memory`), and of
//! the work on them (`limits.memory`).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::RwLock;

use super::error::{MemoryShortage, SessionError};
use super::memory_budget::{MemoryBudget, MemoryReservation};
use ouli_config::Limits;

/// Memory for redacting and comparing a body, as a multiple of its size: a copy without secrets,
/// and the positions of its JSON values.
pub(crate) const WORK_MEMORY: usize = 3;

/// The memory of all sessions.
#[derive(Debug)]
pub(super) struct SessionMemory {
    budget: MemoryBudget,
    /// Bytes of the exchanges that are held.
    used: AtomicUsize,
    bounds: RwLock<Bounds>,
}

/// What a reload changes.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    index_memory: usize,
    offload_size: usize,
    wait: Duration,
}

/// The memory of exchanges. It is free again with the last of them.
#[derive(Debug)]
pub(super) struct IndexReservation {
    memory: Arc<SessionMemory>,
    bytes: usize,
}

impl SessionMemory {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            budget: MemoryBudget::new(limits.memory, limits.recording_memory),
            used: AtomicUsize::default(),
            bounds: RwLock::new(Bounds::new(limits)),
        }
    }

    /// These limits are in force from now on, except for those that need a restart.
    pub(super) fn set_limits(&self, limits: &Limits) {
        *self.bounds.write() = Bounds::new(limits);
    }

    /// The budget of work.
    pub(super) fn budget(&self) -> &MemoryBudget {
        &self.budget
    }

    /// Bytes of the exchanges that are held.
    pub(super) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// The limit of [`Self::used`].
    pub(super) fn limit(&self) -> usize {
        self.bounds.read().index_memory
    }

    /// Reserves memory for exchanges.
    ///
    /// # Errors
    /// If there is not that much left.
    pub(super) fn reserve(
        self: &Arc<Self>,
        bytes: usize,
    ) -> Result<IndexReservation, SessionError> {
        let mut reservation = IndexReservation {
            memory: Arc::clone(self),
            bytes: 0,
        };
        reservation.grow_to(bytes)?;
        Ok(reservation)
    }

    /// Reserves the memory for work on a body of this size, if it counts. Blocks until there is
    /// room, or for `limits.memory_wait_timeout`: the work is not left out.
    pub(super) fn reserve_work(&self, size: usize) -> Option<MemoryReservation> {
        let bounds = *self.bounds.read();
        let bytes = size.saturating_mul(WORK_MEMORY);
        let bytes = bytes.min(self.budget.largest_work());
        (size >= bounds.offload_size).then(|| self.budget.reserve_blocking(bytes, bounds.wait))
    }
}

impl Default for SessionMemory {
    fn default() -> Self {
        Self::new(&Limits::default())
    }
}

impl Bounds {
    fn new(limits: &Limits) -> Self {
        Self {
            index_memory: limits.index_memory,
            offload_size: limits.offload_size,
            wait: limits.memory_wait_timeout,
        }
    }
}

impl IndexReservation {
    /// Reserves so many bytes in all.
    ///
    /// # Errors
    /// If there is not that much left.
    pub(super) fn grow_to(&mut self, bytes: usize) -> Result<(), SessionError> {
        let Some(more) = bytes.checked_sub(self.bytes) else {
            return Ok(());
        };
        let (memory, relaxed) = (&self.memory, Ordering::Relaxed);
        let limit = memory.limit();
        let added = memory.used.fetch_update(relaxed, relaxed, |used| {
            used.checked_add(more).filter(|used| *used <= limit)
        });
        match added {
            Ok(_) => {
                self.bytes = bytes;
                Ok(())
            }
            Err(used) => Err(SessionError::IndexMemory(MemoryShortage {
                needed: bytes,
                is_unread: false,
                held: used - self.bytes,
                sessions: 0,
                limit,
            })),
        }
    }
}

impl Drop for IndexReservation {
    fn drop(&mut self) {
        self.memory.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
