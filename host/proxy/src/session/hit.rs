//! How a recorded exchange was found for a request.

/// How a recorded exchange was found for a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hit {
    pub(super) found_by: FoundBy,
    /// All exchanges of its key were replayed, and the last one is replayed again.
    pub(super) is_repeated: bool,
}

/// What made the request and the recorded one count as equal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum FoundBy {
    /// Their keys are equal.
    #[default]
    Key,
    /// The recorded request is truncated, and the part of the live one of that length has its key.
    TruncatedRequest,
    /// The response is made from the recorded one for the whole resource: its head, a part of it,
    /// or the answer to a condition.
    WholeResource,
}

impl FoundBy {
    /// The word in reports; none for equal keys.
    pub(super) fn name(self) -> Option<&'static str> {
        match self {
            Self::Key => None,
            Self::TruncatedRequest => Some("truncated-request"),
            Self::WholeResource => Some("whole-resource"),
        }
    }
}

impl Hit {
    /// The exchange of the whole resource.
    pub(crate) const WHOLE_RESOURCE: Self = Self {
        found_by: FoundBy::WholeResource,
        is_repeated: false,
    };

    /// True if the exchange is replayed again because all of its key were replayed.
    pub(crate) fn is_repeated(self) -> bool {
        self.is_repeated
    }
}
