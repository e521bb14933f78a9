//! Bytes whose memory is counted as long as one of their slices lives.

use bytes::Bytes;

use crate::session::MemoryReservation;

/// Bytes with their memory reservation.
struct CountedBytes {
    bytes: Bytes,
    _memory: MemoryReservation,
}

impl AsRef<[u8]> for CountedBytes {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// The same bytes. The reservation is dropped with their last slice.
pub(super) fn counted(bytes: Bytes, memory: MemoryReservation) -> Bytes {
    let _memory = memory;
    Bytes::from_owner(CountedBytes { bytes, _memory })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::MemoryBudget;

    #[test]
    fn memory_is_counted_until_the_last_slice_is_dropped() {
        let budget = MemoryBudget::new(100, 75);
        let mut memory = budget.request_reservation();
        assert!(memory.try_grow(3));
        let bytes = counted(Bytes::from_static(b"abc"), memory);
        let slice = bytes.slice(1..);
        drop(bytes);
        assert_eq!((&*slice, budget.used()), (&b"bc"[..], 3));
        drop(slice);
        assert_eq!(budget.used(), 0);
    }
}
