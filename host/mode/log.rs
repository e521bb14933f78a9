//! When the bytes of a stream came, on both sides.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use crate::exchange::stream::{Arrival, Side};
use crate::session::{Budget, Hold};

/// The arrivals of one exchange in order.
#[derive(Debug)]
pub(super) struct Log {
    started: Instant,
    arrivals: Vec<Arrival>,
    hold: Hold,
}

/// A log that both sides of an exchange write to.
pub(super) type SharedLog = Arc<Mutex<Log>>;

impl Log {
    /// A log that begins now.
    pub(super) fn new(budget: &Budget) -> Self {
        Self {
            started: Instant::now(),
            arrivals: Vec::new(),
            hold: budget.hold(),
        }
    }

    pub(super) fn shared(self) -> SharedLog {
        Arc::new(Mutex::new(self))
    }

    /// Notes that one side has sent `end` bytes by now.
    pub(super) fn note(&mut self, side: Side, end: u64) {
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
        self.hold
            .set(self.arrivals.capacity() * size_of::<Arrival>());
    }

    /// The arrivals, and their share of the budget.
    pub(super) fn take(&mut self) -> (Vec<Arrival>, Hold) {
        let rest = self.hold.empty();
        let hold = std::mem::replace(&mut self.hold, rest);
        (std::mem::take(&mut self.arrivals), hold)
    }
}
