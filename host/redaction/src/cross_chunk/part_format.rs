//! The formats of the parts of a stream.

/// What the parts of a stream are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartFormat {
    /// Events of an event stream.
    Events,
    /// Lines.
    Lines,
    /// Messages.
    Messages,
}
