//! When the bytes of a stream came, on both sides.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use crate::session::{Budget, Hold};
use ouli_message::stream::{Arrival, Side};

/// The arrivals of one exchange in order.
#[derive(Debug)]
pub(crate) struct Log {
    started: Instant,
    arrivals: Vec<Arrival>,
    hold: Hold,
}

/// A log that both sides of an exchange write to.
pub(crate) type SharedLog = Arc<Mutex<Log>>;

impl Log {
    /// A log that begins now.
    pub(crate) fn new(budget: &Budget) -> Self {
        Self {
            started: Instant::now(),
            arrivals: Vec::new(),
            hold: budget.hold(),
        }
    }

    pub(crate) fn shared(self) -> SharedLog {
        Arc::new(Mutex::new(self))
    }

    /// Notes that one side has sent `end` bytes by now.
    pub(crate) fn note(&mut self, side: Side, end: u64) {
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
    pub(crate) fn take(&mut self) -> (Vec<Arrival>, Hold) {
        let rest = self.hold.empty();
        let hold = std::mem::replace(&mut self.hold, rest);
        (std::mem::take(&mut self.arrivals), hold)
    }
}
