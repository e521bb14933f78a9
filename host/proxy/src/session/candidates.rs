//! The exchanges among which one is chosen, in recorded order.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::cursors::Cursors;
use super::identity_lists::{IdentityList, Narrowed};
use super::key_group::KeyGroup;
use super::position_list::PositionList;
use ouli_codec::identity::Identity;

/// Where they are found.
pub(super) struct Sources<'a> {
    /// The groups of a key.
    pub(super) groups: Vec<&'a KeyGroup>,
    /// Exchanges of other keys, or of several ones.
    pub(super) others: PositionList,
}

impl<'a> Sources<'a> {
    pub(super) fn of_key(groups: Vec<&'a KeyGroup>) -> Self {
        Self {
            groups,
            others: PositionList::default(),
        }
    }

    /// These positions, in recorded order.
    pub(super) fn of_positions(positions: Vec<usize>) -> Self {
        Self {
            groups: Vec::new(),
            others: PositionList::of(positions),
        }
    }

    /// The first position.
    pub(super) fn first(&self) -> Option<usize> {
        let groups = self.groups.iter().map(|group| group.list());
        let lists = groups.chain([&self.others]);
        let first = lists.filter_map(|list| list.positions().first());
        first.copied().min()
    }
}

/// The positions of several lists in recorded order. A list is opened when its turn comes, so that
/// the first positions of many lists cost little.
pub(super) struct Candidates<'a> {
    /// Lists that are not open yet, each of these in the order of the first positions.
    closed: Vec<&'a [IdentityList]>,
    is_free: &'a dyn Fn(&Identity) -> bool,
    open: Vec<&'a [usize]>,
    /// The next position of each open list.
    next: BinaryHeap<Reverse<(usize, usize)>>,
    /// Used positions are left out.
    unused: Option<(&'a mut Cursors, &'a dyn Fn(usize) -> bool)>,
}

impl<'a> Candidates<'a> {
    /// The positions of these lists, without those of identities that are not free.
    pub(super) fn new(
        narrowed: &[Narrowed<'a>],
        is_free: &'a dyn Fn(&Identity) -> bool,
        unused: Option<(&'a mut Cursors, &'a dyn Fn(usize) -> bool)>,
    ) -> Self {
        let mut candidates = Self {
            closed: narrowed.iter().map(|it| it.free).collect(),
            is_free,
            open: Vec::new(),
            next: BinaryHeap::new(),
            unused,
        };
        for list in narrowed.iter().flat_map(|it| &it.known) {
            candidates.open(list);
        }
        candidates
    }

    /// The same positions, the last one first.
    pub(super) fn latest_first(
        narrowed: &'a [Narrowed<'a>],
        is_free: &'a dyn Fn(&Identity) -> bool,
    ) -> impl Iterator<Item = usize> {
        let known = narrowed.iter().flat_map(|it| it.known.iter().copied());
        let free = narrowed.iter().flat_map(|it| it.free);
        let free = free.filter(|it| is_free(&it.identity)).map(|it| &it.list);
        let lists = known.chain(free).map(PositionList::positions);
        let lists = lists.filter_map(|list| Some((*list.last()?, list)));
        let mut open: BinaryHeap<(usize, &[usize])> = lists.collect();
        std::iter::from_fn(move || {
            let (position, list) = open.pop()?;
            let rest = &list[..list.len() - 1];
            open.extend(rest.last().map(|last| (*last, rest)));
            Some(position)
        })
    }

    fn open(&mut self, list: &'a PositionList) {
        let start = self
            .unused
            .as_mut()
            .map(|(cursors, is_used)| cursors.start(list, *is_used));
        let rest = list.positions().get(start.unwrap_or_default()..);
        self.open.push(rest.unwrap_or_default());
        self.advance(self.open.len() - 1);
    }

    /// Shows the next position of an open list.
    fn advance(&mut self, at: usize) {
        while let [first, rest @ ..] = self.open[at] {
            self.open[at] = rest;
            if !self
                .unused
                .as_ref()
                .is_some_and(|(_, is_used)| is_used(*first))
            {
                self.next.push(Reverse((*first, at)));
                return;
            }
        }
    }

    /// Opens the lists that begin before the next position.
    fn open_next(&mut self) {
        for at in 0..self.closed.len() {
            while let [first, rest @ ..] = self.closed[at] {
                let next = self.next.peek().map(|Reverse((next, _))| *next);
                let begin = first.list.positions().first().copied();
                if next.is_some_and(|next| begin > Some(next)) {
                    break;
                }
                self.closed[at] = rest;
                if (self.is_free)(&first.identity) {
                    self.open(&first.list);
                }
            }
        }
    }
}

impl Iterator for Candidates<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        self.open_next();
        let Reverse((position, at)) = self.next.pop()?;
        self.advance(at);
        Some(position)
    }
}
