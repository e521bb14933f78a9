//! Reads the cassette of a session within `limits.index_memory`.

use std::sync::Arc;

use super::error::{MemoryShortage, SessionError};
use super::exchange_memory::exchange_bytes;
use super::session_memory::IndexReservation;
use super::session_state::Session;
use ouli_cassette::{CassetteDir, CassetteError, ChangePolicy, FileStamp, LoadedCassette};
use ouli_message::error_chain::error_chain;

/// A cassette that was read.
pub(super) struct ReadCassette {
    pub(super) loaded: LoadedCassette,
    pub(super) stamp: FileStamp,
    /// The memory of its exchanges.
    pub(super) memory: Arc<IndexReservation>,
}

/// Why a cassette was not read.
pub(super) enum ReadError {
    /// There is not enough memory.
    Memory(SessionError),
    /// It cannot be used.
    Cassette(CassetteError),
}

impl ReadError {
    pub(super) fn reason(&self) -> String {
        match self {
            Self::Memory(error) => error.to_string(),
            Self::Cassette(error) => error_chain(error),
        }
    }
}

impl Session {
    /// Reads the cassette; `None` if there is none. One that does not fit is not read, as far as
    /// its size or an earlier attempt tells.
    pub(super) fn read_within_memory(
        &self,
        folder: &CassetteDir,
    ) -> Result<Option<ReadCassette>, ReadError> {
        let found = folder.stamp(self.name());
        let known = *self.all_runs.memory_needed.lock();
        let known = known.filter(|(stamp, _)| Some(*stamp) == found);
        let size = found.map_or(0, |stamp| in_memory(stamp.size()));
        let needed = known.map_or(size, |(_, needed)| needed);
        let memory = self.all_runs.memory.reserve(needed);
        let mut memory = memory.map_err(|error| match error {
            SessionError::IndexMemory(shortage) => {
                let is_unread = known.is_none();
                ReadError::Memory(SessionError::IndexMemory(MemoryShortage {
                    is_unread,
                    ..shortage
                }))
            }
            other => ReadError::Memory(other),
        })?;
        let read = folder.load_stamped(self.name(), ChangePolicy::Mark);
        let Some((loaded, stamp)) = read.map_err(ReadError::Cassette)? else {
            return Ok(None);
        };
        // Bodies that are stored as they are share the memory of the file.
        let exchanges = loaded
            .exchanges
            .iter()
            .map(|it| exchange_bytes(&it.exchange));
        let needed = in_memory(stamp.size()).saturating_add(exchanges.sum());
        *self.all_runs.memory_needed.lock() = Some((stamp, needed));
        memory.grow_to(needed).map_err(ReadError::Memory)?;
        Ok(Some(ReadCassette {
            loaded,
            stamp,
            memory: Arc::new(memory),
        }))
    }
}

fn in_memory(size: u64) -> usize {
    usize::try_from(size).unwrap_or(usize::MAX)
}
