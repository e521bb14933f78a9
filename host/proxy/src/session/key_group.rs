//! The exchanges of one key whose responses were selected by the same headers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::claimed_entry::ClaimedEntry;
use super::entry::Entry;
use ouli_matching::key::{Key, Variant};
use ouli_message::Fields;

/// The positions of these exchanges, in recorded order.
#[derive(Default)]
pub(super) struct KeyGroup {
    /// None if the responses suit every request.
    variant: Option<Arc<Variant>>,
    positions: Vec<usize>,
    /// Those before this one are claimed, except for those that were returned.
    next: AtomicUsize,
    /// The same for all groups of a key.
    returned: Arc<AtomicUsize>,
}

/// An exchange that is not claimed yet.
#[derive(Clone, Copy)]
pub(super) struct Unused {
    /// Its place in the group.
    place: usize,
    /// Its position in the index.
    pub(super) position: usize,
}

impl KeyGroup {
    /// Adds a position to the group of its variant among those of the key. Equal variants are one
    /// object.
    pub(super) fn add(groups: &mut Vec<Self>, variant: Option<Arc<Variant>>, position: usize) {
        let own = variant.as_ref().map(Arc::as_ptr);
        let is_own = |group: &Self| group.variant.as_ref().map(Arc::as_ptr) == own;
        let group = groups.iter().position(is_own);
        let group = group.unwrap_or_else(|| {
            let returned = groups.first().map(|first| Arc::clone(&first.returned));
            groups.push(Self {
                variant,
                returned: returned.unwrap_or_default(),
                ..Self::default()
            });
            groups.len() - 1
        });
        groups[group].positions.push(position);
    }

    /// The same groups of a key in another run, in which nothing is claimed.
    pub(super) fn rewound(groups: &[Self]) -> Vec<Self> {
        let returned: Arc<AtomicUsize> = Arc::default();
        let rewound = groups.iter().map(|group| Self {
            variant: group.variant.clone(),
            positions: group.positions.clone(),
            next: AtomicUsize::default(),
            returned: Arc::clone(&returned),
        });
        rewound.collect()
    }

    /// True if the responses suit a request with these fields.
    pub(super) fn suits(&self, live: &Fields) -> bool {
        let variant = self.variant.as_ref();
        variant.is_none_or(|variant| variant.suits(live))
    }

    pub(super) fn positions(&self) -> &[usize] {
        &self.positions
    }

    /// The positions of these groups, in recorded order.
    pub(super) fn all_positions<'a>(groups: impl Iterator<Item = &'a Self>) -> Vec<usize> {
        let mut positions: Vec<_> = groups.flat_map(Self::positions).copied().collect();
        positions.sort_unstable();
        positions
    }

    /// The number of exchanges of the key that were returned.
    pub(super) fn returned(&self) -> &Arc<AtomicUsize> {
        &self.returned
    }

    /// The first place that may not be claimed.
    pub(super) fn first_unclaimed(&self, entries: &[(Arc<Entry>, Option<Key>)]) -> usize {
        if self.returned.load(Ordering::Relaxed) > 0 {
            return 0;
        }
        let from = self.next.load(Ordering::Relaxed);
        let rest = self.positions.get(from..).unwrap_or_default().iter();
        let claimed = rest.take_while(|position| entries[**position].0.is_used());
        let from = from + claimed.count();
        self.next.fetch_max(from, Ordering::Relaxed);
        from
    }

    /// The first exchange that is not claimed.
    pub(super) fn next_unused(&self, entries: &[(Arc<Entry>, Option<Key>)]) -> Option<Unused> {
        let has_returned = self.returned.load(Ordering::Relaxed) > 0;
        let from = match has_returned {
            true => 0,
            false => self.next.load(Ordering::Relaxed),
        };
        let positions = self.positions.iter().copied().enumerate().skip(from);
        let mut unused = positions.filter(|(_, position)| !entries[*position].0.is_used());
        let (place, position) = unused.next()?;
        Some(Unused { place, position })
    }

    /// Claims an exchange. None if another request took it first.
    pub(super) fn claim(&self, unused: Unused, entry: &Arc<Entry>) -> Option<ClaimedEntry> {
        if !entry.claim_first() {
            return None;
        }
        let relaxed = Ordering::Relaxed;
        if unused.place < self.next.load(relaxed) {
            let one_less = |count: usize| count.checked_sub(1);
            // The one that returned it may not have counted it yet.
            let _ = self.returned.fetch_update(relaxed, relaxed, one_less);
        }
        self.next.fetch_max(unused.place + 1, relaxed);
        Some(ClaimedEntry::of_list(entry, &self.returned))
    }
}
