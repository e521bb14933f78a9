//! Where the lists of an index go on in one run: after the exchanges that were replayed. So the
//! replay of a whole list takes linear time, in whatever order requests find its exchanges.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use parking_lot::Mutex;

use super::position_list::{ListId, PositionList};

/// Where each list goes on.
#[derive(Debug, Default)]
pub(super) struct Cursors {
    by_list: HashMap<ListId, Cursor>,
    /// The first identity of a place that may be free, by the list of those without one there.
    free: HashMap<ListId, FreeCursor>,
}

/// The positions of exchanges that were claimed and not replayed after all.
#[derive(Debug, Default)]
pub(super) struct Returned(Mutex<Vec<usize>>);

/// Where one list goes on.
#[derive(Debug, Default)]
struct Cursor {
    /// The places before this one are used, except for those that were returned.
    next: usize,
    returned: BTreeSet<usize>,
}

#[derive(Clone, Copy, Debug, Default)]
struct FreeCursor {
    /// The number of bindings that had been undone then.
    undone: u64,
    next: usize,
}

impl Returned {
    pub(super) fn add(&self, position: usize) {
        self.0.lock().push(position);
    }

    /// Takes all positions.
    pub(super) fn take(&self) -> Vec<usize> {
        std::mem::take(&mut *self.0.lock())
    }
}

impl Cursors {
    /// The first place of a list that is not used; the length of the list if there is none.
    pub(super) fn start(&mut self, list: &PositionList, is_used: impl Fn(usize) -> bool) -> usize {
        if !list.is_indexed() {
            return 0;
        }
        let positions = list.positions();
        let cursor = self.by_list.entry(list.id()).or_default();
        while let Some(first) = cursor.returned.first() {
            if !is_used(positions[*first]) {
                return *first;
            }
            cursor.returned.pop_first();
        }
        let rest = positions.get(cursor.next..).unwrap_or_default();
        cursor.next += rest.iter().take_while(|it| is_used(**it)).count();
        cursor.next
    }

    /// An exchange of a list was returned.
    pub(super) fn give_back(&mut self, list: &PositionList, position: usize) {
        if let Some(cursor) = self.by_list.get_mut(&list.id())
            && let Some(place) = list.place_of(position)
            && place < cursor.next
        {
            cursor.returned.insert(place);
        }
    }

    /// The first of the `count` identities of a place that may be free. `undone` counts bindings
    /// that were undone: those identities are free again.
    pub(super) fn first_free(
        &mut self,
        place: &PositionList,
        (count, undone): (usize, u64),
        is_free: impl Fn(usize) -> bool,
    ) -> usize {
        let cursor = self.free.entry(place.id()).or_default();
        if cursor.undone != undone {
            *cursor = FreeCursor { undone, next: 0 };
        }
        while cursor.next < count && !is_free(cursor.next) {
            cursor.next += 1;
        }
        cursor.next
    }
}

/// The exchange at a position, which is claimed.
#[derive(Clone, Debug)]
pub(super) struct ClaimedPosition {
    pub(super) position: usize,
    pub(super) returned: Arc<Returned>,
}

impl ClaimedPosition {
    /// It is not replayed after all.
    pub(super) fn give_back(&self) {
        self.returned.add(self.position);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::HashSet;

    use super::*;
    use crate::session::position_list::ListIds;

    #[test]
    fn a_list_goes_on_after_what_is_used_and_with_what_was_returned() {
        let list = PositionList::with(ListIds::default().next(), vec![2, 3, 5, 8]);
        let used = RefCell::new(HashSet::new());
        let mut cursors = Cursors::default();
        let mut start = || {
            let start = cursors.start(&list, |it| used.borrow().contains(&it));
            let position = list.positions().get(start).copied();
            used.borrow_mut().extend(position);
            position
        };
        assert_eq!((start(), start(), start()), (Some(2), Some(3), Some(5)));
        used.borrow_mut().remove(&3);
        cursors.give_back(&list, 3);
        cursors.give_back(&list, 4);
        let mut start = || {
            let start = cursors.start(&list, |it| used.borrow().contains(&it));
            let position = list.positions().get(start).copied();
            used.borrow_mut().extend(position);
            position
        };
        assert_eq!((start(), start(), start()), (Some(3), Some(8), None));
    }

    #[test]
    fn identities_are_passed_until_a_binding_is_undone() {
        let list = PositionList::new(ListIds::default().next());
        let mut cursors = Cursors::default();
        assert_eq!(cursors.first_free(&list, (4, 0), |it| it > 1), 2);
        assert_eq!(cursors.first_free(&list, (4, 0), |_| true), 2);
        assert_eq!(cursors.first_free(&list, (4, 1), |it| it > 0), 1);
        assert_eq!(cursors.first_free(&list, (4, 1), |_| false), 4);
    }
}
