//! The secrets of a session in the order in which they are forgotten: those that were never
//! recorded first, and the least recently seen first.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::sync::Arc;

use crate::secret::Secret;

/// Whether a secret was recorded, and when it was seen last. The lowest is forgotten first.
pub(super) type Order = (bool, u64);

/// The secrets that may be forgotten. A secret that is seen again keeps its place until it would be
/// the next one: then its place is corrected, which is a step.
#[derive(Default)]
pub(super) struct ForgettingOrder {
    entries: BinaryHeap<Reverse<Entry>>,
}

impl ForgettingOrder {
    pub(super) fn push(&mut self, secret: &Arc<Secret>) {
        self.entries.push(Reverse(Entry {
            order: order_of(secret),
            secret: Arc::clone(secret),
        }));
    }

    /// No later than the place of the next secret.
    pub(super) fn earliest(&self) -> Option<Order> {
        self.entries.peek().map(|Reverse(entry)| entry.order)
    }

    /// The place of the next secret, or of one that precedes it if so many steps are not enough.
    pub(super) fn next(&mut self, steps: &mut usize) -> Option<Order> {
        self.correct(steps, |_| ());
        self.earliest()
    }

    /// Takes the next secret out. If so many steps are not enough, it is the least recently seen
    /// one of those that were corrected.
    pub(super) fn take(&mut self, steps: &mut usize) -> Option<Arc<Secret>> {
        let mut oldest: Option<Arc<Secret>> = None;
        let is_corrected = self.correct(steps, |secret| {
            let is_older = |other: &Arc<Secret>| order_of(secret) < order_of(other);
            if oldest.as_ref().is_none_or(is_older) {
                oldest = Some(Arc::clone(secret));
            }
        });
        match oldest.filter(|_| !is_corrected) {
            // Its entry is dropped when it is the next one.
            Some(secret) => Some(secret),
            None => self.entries.pop().map(|Reverse(entry)| entry.secret),
        }
    }

    /// Corrects the places of secrets that were seen again, until that of the next one is right.
    /// False if so many steps are not enough.
    fn correct(&mut self, steps: &mut usize, mut seen_again: impl FnMut(&Arc<Secret>)) -> bool {
        while let Some(mut first) = self.entries.peek_mut() {
            if first.0.secret.is_forgotten() {
                PeekMut::pop(first);
                continue;
            }
            let order = order_of(&first.0.secret);
            if first.0.order == order {
                return true;
            }
            if *steps == 0 {
                return false;
            }
            *steps -= 1;
            seen_again(&first.0.secret);
            first.0.order = order;
        }
        true
    }

    pub(super) fn shrink(&mut self) {
        self.entries.shrink_to_fit();
    }
}

fn order_of(secret: &Secret) -> Order {
    (secret.is_recorded(), secret.last_seen())
}

/// A secret at the place that it had when it was last corrected.
struct Entry {
    order: Order,
    secret: Arc<Secret>,
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        self.order.cmp(&other.order)
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.order == other.order
    }
}

impl Eq for Entry {}
