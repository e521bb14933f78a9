//! What a `body` part leaves out, on the way down a document.

use ouli_codec::json::{Pointer, Step};

/// The rests of those pointers that fit the way from the root to here.
#[derive(Clone, Default)]
pub(super) struct Exclusions<'a>(Vec<&'a [Step]>);

impl<'a> Exclusions<'a> {
    pub(super) fn new(pointers: &'a [Pointer]) -> Self {
        Self(pointers.iter().map(Pointer::steps).collect())
    }

    /// True where a pointer ends here.
    pub(super) fn excludes_all(&self) -> bool {
        self.0.iter().any(|rest| rest.is_empty())
    }

    /// What is left out below a member; none where the member itself is left out.
    pub(super) fn member(&self, name: &str) -> Option<Self> {
        self.below(|step| step.is_member(name))
    }

    /// What is left out below an element of an array; none where the element itself is left out.
    pub(super) fn element(&self, index: usize) -> Option<Self> {
        self.below(|step| step.is_element(index))
    }

    fn below(&self, fits: impl Fn(&Step) -> bool) -> Option<Self> {
        let mut rests = Vec::new();
        for steps in &self.0 {
            match steps.split_first() {
                Some((first, [])) if fits(first) => return None,
                Some((first, rest)) if fits(first) => rests.push(rest),
                Some(_) | None => {}
            }
        }
        Some(Self(rests))
    }
}
