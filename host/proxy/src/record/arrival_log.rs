//! The arrival times of the bytes of a stream, on both sides.

use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;

use crate::session::{MemoryBudget, MemoryReservation};
use ouli_message::stream::{Arrival, Side};

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
        if let Some(last) = self.arrivals.last_mut()
            && last.side == side
            && last.at == at
            && last.end != end
        {
            last.end = end;
            return;
        }
        self.arrivals.push(Arrival { side, end, at });
        // The budget is checked when the bytes themselves are captured.
        self.reservation
            .resize(self.arrivals.capacity() * size_of::<Arrival>());
    }

    /// Takes the arrivals and their memory reservation.
    pub(crate) fn take(&mut self) -> (Vec<Arrival>, MemoryReservation) {
        let empty = self.reservation.new_empty();
        let reservation = std::mem::replace(&mut self.reservation, empty);
        (std::mem::take(&mut self.arrivals), reservation)
    }
}
