//! Pieces of a text replaced in one go.

use std::ops::Range;

/// A piece and what comes in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Replacement<T> {
    pub(super) range: Range<usize>,
    pub(super) value: T,
}

impl<T> Replacement<T> {
    pub(super) fn new(range: Range<usize>, new: T) -> Self {
        Self { range, value: new }
    }
}

/// The text with all pieces replaced. Of pieces that overlap the first and longest counts. None
/// where there is nothing to replace.
pub(super) fn text(text: &str, pieces: Vec<Replacement<String>>) -> Option<String> {
    let pieces = ordered(pieces)?;
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for piece in pieces {
        out.push_str(text.get(done..piece.range.start).unwrap_or_default());
        out.push_str(&piece.value);
        done = piece.range.end;
    }
    out.push_str(text.get(done..).unwrap_or_default());
    Some(out)
}

/// The same for bytes.
pub(super) fn bytes(bytes: &[u8], pieces: Vec<Replacement<Vec<u8>>>) -> Option<Vec<u8>> {
    in_order(bytes, &ordered(pieces)?)
}

/// The same for pieces that are sorted and do not overlap.
pub(super) fn in_order(bytes: &[u8], pieces: &[Replacement<Vec<u8>>]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut done = 0;
    for piece in pieces {
        out.extend_from_slice(bytes.get(done..piece.range.start).unwrap_or_default());
        out.extend_from_slice(&piece.value);
        done = piece.range.end;
    }
    out.extend_from_slice(bytes.get(done..).unwrap_or_default());
    (!pieces.is_empty()).then_some(out)
}

fn ordered<T>(mut pieces: Vec<Replacement<T>>) -> Option<Vec<Replacement<T>>> {
    if pieces.is_empty() {
        return None;
    }
    pieces.sort_by_key(|piece| (piece.range.start, usize::MAX - piece.range.end));
    let mut end = 0;
    pieces.retain(|piece| {
        let free = piece.range.start >= end;
        end = if free { piece.range.end } else { end };
        free
    });
    Some(pieces)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_replaced_once() {
        let piece = |range: Range<usize>, new: &str| Replacement::new(range, new.to_owned());
        let pieces = vec![
            piece(4..5, "E"),
            piece(0..1, "aa"),
            piece(0..3, "abc"),
            piece(2..4, "no"),
        ];
        assert_eq!(text("012345", pieces).as_deref(), Some("abc3E5"));
        assert_eq!(text("012345", Vec::new()), None);
        let pieces = vec![Replacement::new(1..2, b"\xff\xfe".to_vec())];
        assert_eq!(bytes(b"abc", pieces).unwrap(), b"a\xff\xfec");
    }
}
