//! When the bytes of a stream came, on both sides.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use crate::session::{MemoryBudget, MemoryReservation};
use ouli_message::stream::{Arrival, Side};

/// The arrivals of one exchange in order.
#[derive(Debug)]
pub(crate) struct ArrivalLog {
    started: Instant,
    arrivals: Vec<Arrival>,
    reservation: MemoryReservation,
}

/// A log that both sides of an exchange write to.
pub(crate) type SharedArrivalLog = Arc<Mutex<ArrivalLog>>;

impl ArrivalLog {
    /// A log that begins now.
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

    /// Notes that one side has sent `end` bytes by now.
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
        // Whether there is room is looked at when the bytes themselves are copied.
        self.reservation
            .resize(self.arrivals.capacity() * size_of::<Arrival>());
    }

    /// The arrivals, and their share of the budget.
    pub(crate) fn take(&mut self) -> (Vec<Arrival>, MemoryReservation) {
        let rest = self.reservation.new_empty();
        let hold = std::mem::replace(&mut self.reservation, rest);
        (std::mem::take(&mut self.arrivals), hold)
    }
}
