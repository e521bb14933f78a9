//! The exchanges of one key whose responses were selected by the same headers.

use super::identity_lists::IdentityLists;
use super::position_list::{ListIds, PositionList};
use ouli_matching::key::IdentityUse;

/// The positions of these exchanges, in recorded order.
#[derive(Clone, Debug)]
pub(super) struct KeyGroup {
    list: PositionList,
    identities: IdentityLists,
}

impl KeyGroup {
    pub(super) fn new(ids: &mut ListIds) -> Self {
        Self {
            list: PositionList::new(ids.next()),
            identities: IdentityLists::default(),
        }
    }

    /// Adds a position, and the identities in its request.
    pub(super) fn add(&mut self, (position, uses): (usize, &[IdentityUse]), ids: &mut ListIds) {
        let others = self.list.positions();
        self.identities.add(position, uses, others, ids);
        self.list.push(position);
    }

    pub(super) fn positions(&self) -> &[usize] {
        self.list.positions()
    }

    /// All of them.
    pub(super) fn list(&self) -> &PositionList {
        &self.list
    }

    /// The same by the identities in the requests.
    pub(super) fn identities(&self) -> &IdentityLists {
        &self.identities
    }

    /// The positions of these groups, in recorded order.
    pub(super) fn all_positions<'a>(groups: impl Iterator<Item = &'a Self>) -> Vec<usize> {
        let mut positions: Vec<_> = groups.flat_map(Self::positions).copied().collect();
        positions.sort_unstable();
        positions
    }
}
