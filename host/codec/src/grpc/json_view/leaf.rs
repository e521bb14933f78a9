//! The values of a mapped message and their locations on the wire.

use std::ops::Range;

/// What a reading is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::grpc) enum MappingMode {
    /// To be shown: the JSON mapping of proto3.
    Display,
    /// To be searched: all that is on the wire, also what a later field overrules. Enums are
    /// numbers, times are their members, bytes are text where they are UTF-8, and numbers that are
    /// their default are `null`, for nothing is left to be taken out of them.
    Search,
}

/// One value, and where it stands.
#[derive(Debug)]
pub(super) struct Leaf {
    pub(super) replaceable: Replaceable,
    pub(super) range: Range<usize>,
    /// The innermost of what encloses it.
    pub(super) enclosing: usize,
}

/// What can come in the place of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Replaceable {
    /// Nothing: it stands nowhere.
    No,
    /// A text, with its length.
    WithText,
    /// Only these bytes, which mean the default: the value cannot hold a text.
    WithDefault(&'static [u8]),
}

/// A field with a length around others. The first one is the message itself, which has none.
#[derive(Debug)]
pub(super) struct EnclosingField {
    pub(super) parent: usize,
    pub(super) length: Range<usize>,
    pub(super) size: usize,
}
