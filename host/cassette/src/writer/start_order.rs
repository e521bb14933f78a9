//! The order in which the requests of a run began.
//!
//! Exchanges are appended when they end. For each request that is still open, this keeps the number
//! of the written exchange that it comes directly before. So the memory is bounded by the requests
//! in progress, whatever the length of the recording.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

/// The requests of a run that are in progress, in the order in which they began.
#[derive(Debug, Default)]
pub struct StartOrder(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    last: u64,
    open: BTreeMap<u64, Option<Follower>>,
    is_unordered: bool,
    is_ended: bool,
}

/// The first of the written exchanges whose requests began later.
#[derive(Clone, Copy, Debug)]
struct Follower {
    numbering: Numbering,
    start: u64,
    number: u64,
}

/// Numbers of exchanges can be compared if they have the same numbering: the cassette was not
/// changed, and no write of it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Numbering(u64);

impl Numbering {
    pub(super) fn next() -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        Self(LAST.fetch_add(1, Ordering::Relaxed))
    }
}

/// The begin of a request.
#[derive(Debug)]
pub struct RequestStart {
    order: Arc<StartOrder>,
    start: u64,
}

impl StartOrder {
    /// A request begins now.
    pub fn begin(self: &Arc<Self>) -> RequestStart {
        let mut state = self.0.lock();
        state.last += 1;
        let start = state.last;
        state.open.insert(start, None);
        RequestStart {
            order: Arc::clone(self),
            start,
        }
    }

    /// The run has ended. Exchanges that end later come after those that have ended.
    pub fn end(&self) {
        self.0.lock().is_ended = true;
    }

    /// True if an exchange was written after one whose request began later.
    pub fn is_unordered(&self) -> bool {
        self.0.lock().is_unordered
    }

    /// True if a request in progress belongs before an exchange that is written.
    pub(super) fn has_early_open(&self) -> bool {
        let state = self.0.lock();
        !state.is_ended && state.open.values().any(Option::is_some)
    }
}

impl RequestStart {
    /// The number of the exchange before which this one belongs; `None` if it comes last.
    pub(super) fn before(&self, numbering: Numbering) -> Option<u64> {
        let state = self.order.0.lock();
        let follower = state.open.get(&self.start).copied().flatten();
        let follower = follower.filter(|it| it.numbering == numbering && !state.is_ended);
        follower.map(|it| it.number)
    }

    /// The exchange is written with this number.
    pub(super) fn written(&self, numbering: Numbering, number: u64) {
        let mut state = self.order.0.lock();
        let follower = state.open.remove(&self.start).flatten();
        state.is_unordered |= follower.is_some_and(|it| it.numbering == numbering);
        let written = Follower {
            numbering,
            start: self.start,
            number,
        };
        for (_, follower) in state.open.range_mut(..self.start).rev() {
            let is_nearer =
                follower.is_some_and(|it| it.numbering == numbering && it.start < self.start);
            if is_nearer {
                // So it is for all that began before.
                break;
            }
            *follower = Some(written);
        }
    }
}

impl Drop for RequestStart {
    fn drop(&mut self) {
        self.order.0.lock().open.remove(&self.start);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Place, start_order};

    /// The starts as they are sorted, if the requests end in this order.
    fn sorted(ends: &[usize]) -> Vec<usize> {
        let (order, numbering) = (Arc::new(StartOrder::default()), Numbering::next());
        let starts: Vec<_> = ends.iter().map(|_| order.begin()).collect();
        let mut places = Vec::new();
        for (number, end) in (1..).zip(ends) {
            let before = starts[*end].before(numbering);
            places.push(Place { number, before });
            starts[*end].written(numbering, number);
        }
        assert_eq!(order.is_unordered(), !ends.is_sorted());
        match start_order(&places) {
            Some(positions) => positions.into_iter().map(|at| ends[at]).collect(),
            None => ends.to_vec(),
        }
    }

    /// Calls `each` with every order of these values.
    fn permute(values: &mut Vec<usize>, from: usize, each: &mut impl FnMut(&[usize])) {
        if from == values.len() {
            return each(values);
        }
        for other in from..values.len() {
            values.swap(from, other);
            permute(values, from + 1, each);
            values.swap(from, other);
        }
    }

    #[test]
    fn any_order_of_ends_gives_the_order_of_starts() {
        let mut count = 0;
        permute(&mut (0..6).collect(), 0, &mut |ends| {
            assert!(sorted(ends).is_sorted(), "{ends:?}");
            count += 1;
        });
        assert_eq!(count, 720);
    }

    #[test]
    fn requests_that_are_not_recorded_leave_nothing() {
        let (order, numbering) = (Arc::new(StartOrder::default()), Numbering::next());
        let (first, skipped, last) = (order.begin(), order.begin(), order.begin());
        drop(skipped);
        last.written(numbering, 1);
        assert_eq!(first.before(numbering), Some(1));
        assert_eq!(first.before(Numbering::next()), None, "another numbering");
        assert!(order.has_early_open());
        order.end();
        assert_eq!(first.before(numbering), None, "the run has ended");
        drop((first, last));
        assert!(order.0.lock().open.is_empty() && !order.has_early_open());
    }
}
