//! The JSON pointers that a `body` part excludes, and those of values that the client made up,
//! followed down a document.

use super::minted_rules::Spots;
use ouli_codec::json::{Pointer, Step};

/// The remaining steps of the pointers whose first steps match the path to the current value.
#[derive(Clone, Default)]
pub(super) struct Exclusions<'a> {
    excluded: Vec<&'a [Step]>,
    minted: Vec<&'a [Step]>,
}

impl<'a> Exclusions<'a> {
    pub(super) fn new(pointers: &'a [Pointer]) -> Self {
        Self {
            excluded: pointers.iter().map(Pointer::steps).collect(),
            minted: Vec::new(),
        }
    }

    /// The same, with the places of values that the client made up.
    pub(super) fn with_spots(pointers: &'a [Pointer], spots: &'a Spots<'_>) -> Self {
        let own = spots.own.iter().map(|(_, pointer)| pointer);
        let minted = spots.followed.iter().chain(own);
        Self {
            minted: minted.map(|pointer| pointer.steps()).collect(),
            ..Self::new(pointers)
        }
    }

    /// True if a pointer ends at the current value.
    pub(super) fn excludes_all(&self) -> bool {
        self.excluded.iter().any(|rest| rest.is_empty())
    }

    /// True if the current value, or one in it, may be one that the client made up.
    pub(super) fn has_spots(&self) -> bool {
        !self.minted.is_empty()
    }

    /// True if the client made up the current value.
    pub(super) fn is_minted(&self) -> bool {
        self.minted.iter().any(|rest| rest.is_empty())
    }

    /// The exclusions below a member. None if the member itself is excluded.
    pub(super) fn member(&self, name: &str) -> Option<Self> {
        self.descend(|step| step.is_member(name))
    }

    /// The exclusions below an element of an array. None if the element itself is excluded.
    pub(super) fn element(&self, index: usize) -> Option<Self> {
        self.descend(|step| step.is_element(index))
    }

    fn descend(&self, matches: impl Fn(&Step) -> bool) -> Option<Self> {
        let (mut excluded, mut minted) = (Vec::new(), Vec::new());
        for steps in &self.excluded {
            match steps.split_first() {
                Some((first, [])) if matches(first) => return None,
                Some((first, rest)) if matches(first) => excluded.push(rest),
                Some(_) | None => {}
            }
        }
        for steps in &self.minted {
            if let Some((_, rest)) = steps.split_first().filter(|(first, _)| matches(first)) {
                minted.push(rest);
            }
        }
        Some(Self { excluded, minted })
    }
}
