//! The JSON pointers that a `body` part excludes, followed down a document.

use ouli_codec::json::{Pointer, Step};

/// The remaining steps of the pointers whose first steps match the path to the current value.
#[derive(Clone, Default)]
pub(super) struct Exclusions<'a>(Vec<&'a [Step]>);

impl<'a> Exclusions<'a> {
    pub(super) fn new(pointers: &'a [Pointer]) -> Self {
        Self(pointers.iter().map(Pointer::steps).collect())
    }

    /// True if a pointer ends at the current value.
    pub(super) fn excludes_all(&self) -> bool {
        self.0.iter().any(|rest| rest.is_empty())
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
        let mut rests = Vec::new();
        for steps in &self.0 {
            match steps.split_first() {
                Some((first, [])) if matches(first) => return None,
                Some((first, rest)) if matches(first) => rests.push(rest),
                Some(_) | None => {}
            }
        }
        Some(Self(rests))
    }
}
