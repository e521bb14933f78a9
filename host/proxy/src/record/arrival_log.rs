//! The arrival times of the bytes of a stream, on both sides.

use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;

use crate::session::{MemoryBudget, MemoryReservation};
use ouli_message::stream::{Arrival, Side};

/// Arrivals that are told apart by the microsecond, and for each further doubling of the
/// resolution.
const EXACT_ARRIVALS: usize = 8192;

/// A resolution of a second.
const MAX_DOUBLINGS: usize = 20;

/// The arrivals of one exchange, in order.
#[derive(Debug)]
pub(crate) struct ArrivalLog {
    started: Instant,
    arrivals: Vec<Arrival>,
    reservation: MemoryReservation,
}

/// An arrival log that both sides of an exchange write to.
pub(crate) type SharedArrivalLog = Arc<Mutex<ArrivalLog>>;

impl ArrivalLog {
    /// An empty log that starts now.
    pub(crate) fn new(budget: &MemoryBudget) -> Self {
        Self {
            started: Instant::now(),
            arrivals: Vec::new(),
            reservation: budget.recording_reservation(),
        }
    }

    pub(crate) fn into_shared(self) -> SharedArrivalLog {
        Arc::new(Mutex::new(self))
    }

    /// Records that one side has sent `end` bytes so far.
    pub(crate) fn record(&mut self, side: Side, end: u64) {
        let at = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.record_at(side, end, at);
    }

    fn record_at(&mut self, side: Side, end: u64, at: u64) {
        let resolution = self.resolution();
        if let Some(last) = self.arrivals.last_mut()
            && last.side == side
            && at.saturating_sub(last.at) < resolution
            && last.end != end
        {
            last.end = end;
            return;
        }
        let capacity = self.arrivals.capacity();
        self.arrivals.push(Arrival { side, end, at });
        // The budget is checked when the bytes themselves are captured.
        if self.arrivals.capacity() > capacity {
            let size = self.arrivals.capacity() * size_of::<Arrival>();
            self.reservation.resize(size);
        }
    }

    /// Arrivals of one side within so many microseconds are one. It doubles as the log grows: bytes
    /// that arrive one by one would take many times their size.
    fn resolution(&self) -> u64 {
        let doublings = self.arrivals.len() / EXACT_ARRIVALS;
        1 << doublings.min(MAX_DOUBLINGS)
    }

    /// Takes the arrivals and their memory reservation.
    pub(crate) fn take(&mut self) -> (Vec<Arrival>, MemoryReservation) {
        let empty = self.reservation.new_empty();
        let reservation = std::mem::replace(&mut self.reservation, empty);
        (std::mem::take(&mut self.arrivals), reservation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_arrive_one_by_one_are_few_arrivals() {
        let budget = MemoryBudget::new(1 << 30, 1 << 30);
        let mut log = ArrivalLog::new(&budget);
        for end in 1..=2_000_000 {
            log.record_at(Side::Server, end, end);
        }
        let (arrivals, reservation) = log.take();
        let is_exact = |it: &Arrival| it.at == it.end;
        // The last of them is the first that takes further bytes.
        assert!(arrivals[..EXACT_ARRIVALS - 1].iter().all(is_exact));
        assert!(arrivals.len() < 9 * EXACT_ARRIVALS, "{}", arrivals.len());
        assert_eq!(arrivals.last().map(|it| it.end), Some(2_000_000));
        assert!(budget.used() < 9 * 2 * EXACT_ARRIVALS * size_of::<Arrival>());
        drop(reservation);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn the_sides_are_told_apart() {
        let mut log = ArrivalLog::new(&MemoryBudget::new(1 << 20, 1 << 20));
        for (side, end) in [(Side::Client, 1), (Side::Server, 1), (Side::Client, 2)] {
            log.record_at(side, end, 7);
        }
        assert_eq!(log.take().0.len(), 3);
    }
}
