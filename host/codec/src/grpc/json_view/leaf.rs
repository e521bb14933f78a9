//! The values of a mapped message and their locations on the wire.

use std::ops::Range;

/// The purpose of a mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::grpc) enum MappingMode {
    /// For display: ProtoJSON.
    Display,
    /// For search and replacement: every value on the wire, including values that a later field
    /// overrides. Enums are numbers, timestamps are objects, UTF-8 bytes are text, and default
    /// numbers are `null`, since there is nothing to replace in them.
    Search,
}

/// A value that is neither an object nor an array, with its location on the wire.
#[derive(Debug)]
pub(super) struct Leaf {
    pub(super) replaceable: Replaceable,
    pub(super) range: Range<usize>,
    /// Index of the innermost enclosing field.
    pub(super) enclosing: usize,
}

/// How a value can be replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Replaceable {
    /// Not at all: it is not on the wire.
    No,
    /// With a text and its length.
    WithText,
    /// With these bytes of the default value only: the type cannot hold a text.
    WithDefault(&'static [u8]),
}

/// A length-delimited field that contains others. The first one is the message itself, which has no
/// length on the wire.
#[derive(Debug)]
pub(super) struct EnclosingField {
    pub(super) parent: usize,
    pub(super) length: Range<usize>,
    pub(super) size: usize,
}
