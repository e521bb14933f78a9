//! The exchanges of one key whose responses were selected by the same headers.

use std::sync::Arc;

use super::identity_lists::IdentityLists;
use super::position_list::{ListIds, PositionList};
use ouli_matching::key::{IdentityUse, Variant};
use ouli_message::Fields;

/// The positions of these exchanges, in recorded order.
#[derive(Clone, Debug)]
pub(super) struct KeyGroup {
    /// None if the responses suit every request.
    variant: Option<Arc<Variant>>,
    list: PositionList,
    identities: IdentityLists,
}

impl KeyGroup {
    /// Adds a position to the group of its variant among those of the key. Equal variants are one
    /// object.
    pub(super) fn add(
        groups: &mut Vec<Self>,
        variant: Option<Arc<Variant>>,
        (position, uses): (usize, &[IdentityUse]),
        ids: &mut ListIds,
    ) {
        let group = groups
            .iter()
            .position(|group| group.is_of(variant.as_ref()));
        let group = group.unwrap_or_else(|| {
            groups.push(Self {
                variant,
                list: PositionList::new(ids.next()),
                identities: IdentityLists::default(),
            });
            groups.len() - 1
        });
        let group = &mut groups[group];
        let others = group.list.positions();
        group.identities.add(position, uses, others, ids);
        group.list.push(position);
    }

    /// True if it is the group of a variant.
    pub(super) fn is_of(&self, variant: Option<&Arc<Variant>>) -> bool {
        self.variant.as_ref().map(Arc::as_ptr) == variant.map(Arc::as_ptr)
    }

    /// True if the responses suit a request with these fields.
    pub(super) fn suits(&self, live: &Fields) -> bool {
        let variant = self.variant.as_ref();
        variant.is_none_or(|variant| variant.suits(live))
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
