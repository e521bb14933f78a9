//! The anchor of an encoded secret: six bytes near its end, where tokens differ most.

use std::ops::Range;

use crate::common_values::MIN_SEARCHABLE_LEN;

/// Length of an anchor in bytes. No searchable secret is shorter.
pub(super) const LEN: usize = MIN_SEARCHABLE_LEN;

/// The golden ratio as a 64-bit number (Fibonacci hashing): the upper bits of the product depend on
/// all bits of the word.
pub(super) const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;

/// Offset of the anchor in an encoded secret of this length.
pub(super) fn offset(len: usize) -> usize {
    (len - LEN) * 7 / 8
}

/// The range of an encoded secret of this length whose anchor is at a position. None if the text is
/// too short for it.
pub(super) fn range(text: &[u8], at: usize, len: usize) -> Option<Range<usize>> {
    let start = at.checked_sub(offset(len))?;
    (start + len <= text.len()).then_some(start..start + len)
}

/// The bytes around the anchor at a position, for an encoded secret of this length. None if the
/// text is too short for it.
pub(super) fn surroundings(text: &[u8], at: usize, len: usize) -> Option<&[u8]> {
    let offset = offset(len);
    let start = at.checked_sub(offset.min(RADIUS))?;
    let end = at + (len - offset).min(RADIUS);
    text.get(start..end)
}

/// The range of these bytes in an encoded secret of this length, and the offset of the anchor in
/// it.
pub(super) fn window(len: usize) -> (Range<usize>, usize) {
    let offset = offset(len);
    let before = offset.min(RADIUS);
    (offset - before..offset + (len - offset).min(RADIUS), before)
}

/// Bytes before and after the start of the anchor that tell secrets with equal anchors apart.
const RADIUS: usize = 64;

/// The six bytes at a position as a number. The text must be long enough.
pub(super) fn word(text: &[u8], at: usize) -> u64 {
    let mut bytes = [0; 8];
    if let Some(eight) = text.get(at..at + 8) {
        bytes.copy_from_slice(eight);
    } else {
        bytes[..LEN].copy_from_slice(&text[at..at + LEN]);
    }
    u64::from_le_bytes(bytes) & MASK
}

/// Mask for six of eight bytes.
pub(super) const MASK: u64 = u64::MAX >> 16;

/// True if a range does not begin or end within a word.
pub(super) fn is_whole_word(text: &[u8], range: &Range<usize>) -> bool {
    let before = range.start.checked_sub(1).and_then(|at| text.get(at));
    let after = text.get(range.end);
    let part_of_word = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    !part_of_word(before) && !part_of_word(after)
}
