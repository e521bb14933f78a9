//! JSON documents (RFC 8259) with the span of each value, and JSON pointers (RFC 6901).

mod document;
mod pointer;
#[cfg(test)]
mod tests;
mod word_table;

pub use document::{Document, Elements, Found, Kind, MAX_DEPTH, Member, Members, Node};
pub use pointer::{Pointer, PointerError, Step, escape};
