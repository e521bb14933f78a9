//! The body of a response with its content codings.

use crate::content::Content;

/// How the body of a response relates to its `content-encoding`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum CodedBody {
    /// The body is decoded. Its coded bytes are made anew where they are needed.
    #[default]
    Derived,
    /// The body is decoded, and these are its coded bytes. Whoever changes the body sets
    /// [`CodedBody::Derived`].
    Exact(Content),
    /// The body is as received: it does not have the codings that its header names.
    Undecoded,
}

impl CodedBody {
    /// The coded bytes, if they are kept.
    pub fn exact(&self) -> Option<&Content> {
        match self {
            Self::Exact(content) => Some(content),
            Self::Derived | Self::Undecoded => None,
        }
    }

    /// [`CodedBody::exact`], mutable.
    pub fn exact_mut(&mut self) -> Option<&mut Content> {
        match self {
            Self::Exact(content) => Some(content),
            Self::Derived | Self::Undecoded => None,
        }
    }

    /// Forgets the coded bytes, because the body changed.
    pub fn forget_exact(&mut self) {
        if matches!(self, Self::Exact(_)) {
            *self = Self::Derived;
        }
    }
}
