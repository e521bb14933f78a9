//! The memory that the recorder takes for one exchange beside its captured bytes.

use super::memory_budget::MemoryReservation;
use super::unwritten_bytes::AcquiredBytes;
use ouli_message::Exchange;
use ouli_message::stream::StreamContent;

/// Bytes of memory for each byte of an exchange while it is decoded, redacted and checked: the
/// bytes themselves, their redacted copy, and the positions of their JSON values.
const WORK_MEMORY: usize = 4;

/// Bytes of memory for each chunk or message of a stream meanwhile.
const PART_MEMORY: usize = 128;

/// The memory of one exchange from its capture until it is written.
pub(super) struct JobMemory {
    /// The captured bytes, in the budget of all requests.
    reservations: Vec<MemoryReservation>,
    /// The bytes that the recorder and the writer hold together.
    unwritten: AcquiredBytes,
    /// Memory for work that is in the budget as far as there was room.
    counted: usize,
    limit: usize,
    /// Work on fewer bytes is not counted.
    counted_from: usize,
}

impl JobMemory {
    pub(super) fn new(
        reservations: Vec<MemoryReservation>,
        unwritten: AcquiredBytes,
        (limit, counted_from): (usize, usize),
    ) -> Self {
        Self {
            reservations,
            unwritten,
            counted: 0,
            limit,
            counted_from,
        }
    }

    /// Counts the memory for work on so many bytes. Waits while the writer holds so much that both
    /// exceed the limit; an exchange over the limit is worked on alone. In the budget it counts as
    /// far as there is room: captures wait for what is left, and what is queued already is only
    /// released by the recorder.
    pub(super) fn begin_work(&mut self, size: usize, parts: usize) {
        if size < self.counted_from {
            return;
        }
        let bytes = size
            .saturating_mul(WORK_MEMORY)
            .saturating_add(parts.saturating_mul(PART_MEMORY));
        self.unwritten.resize(bytes, self.limit);
        if let Some(first) = self.reservations.first_mut() {
            first.grow_as_far_as_free(bytes.saturating_sub(self.counted));
        }
        self.counted = self.counted.max(bytes);
    }

    /// Counts the memory of an exchange that waits to be written. The first reservation stands for
    /// all.
    pub(super) fn settle(mut self, size: usize) -> (Option<MemoryReservation>, AcquiredBytes) {
        self.unwritten.resize(size, self.limit);
        let mut first = self.reservations.into_iter().next();
        if let Some(first) = &mut first {
            first.resize(size);
        }
        (first, self.unwritten)
    }
}

/// The size in bytes of all bodies and messages in memory.
pub(super) fn inline_size(exchange: &Exchange) -> usize {
    let sizes = exchange.contents().map(|content| content.inline().len());
    sizes.sum()
}

/// The number of chunks or messages.
pub(super) fn parts(exchange: &Exchange) -> usize {
    match exchange.stream.as_ref().map(|stream| &stream.content) {
        Some(StreamContent::Chunks(_, chunks)) => chunks.len(),
        Some(StreamContent::Messages(_, messages)) => messages.len(),
        None => 0,
    }
}
