//! The formats of the parts of a stream.

/// The format of the parts of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartFormat {
    /// Events of an event stream.
    Events,
    /// Lines.
    Lines,
    /// Messages.
    Messages,
}
