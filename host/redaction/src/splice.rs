//! Replaces several ranges of a text at once.

use std::ops::Range;

/// A range and its new content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Replacement<T> {
    pub(super) range: Range<usize>,
    pub(super) value: T,
}

impl<T> Replacement<T> {
    pub(super) fn new(range: Range<usize>, value: T) -> Self {
        Self { range, value }
    }
}

/// Applies all replacements to a text. Of overlapping replacements the first applies, or the
/// longest of those with the same start. None if there are none.
pub(super) fn text(text: &str, replacements: Vec<Replacement<String>>) -> Option<String> {
    let replacements = ordered(replacements)?;
    let mut out = String::with_capacity(text.len());
    let mut copied_to = 0;
    for replacement in replacements {
        out.push_str(
            text.get(copied_to..replacement.range.start)
                .unwrap_or_default(),
        );
        out.push_str(&replacement.value);
        copied_to = replacement.range.end;
    }
    out.push_str(text.get(copied_to..).unwrap_or_default());
    Some(out)
}

/// Like `text`, for bytes.
pub(super) fn bytes(bytes: &[u8], replacements: Vec<Replacement<Vec<u8>>>) -> Option<Vec<u8>> {
    in_order(bytes, &ordered(replacements)?)
}

/// Like `bytes`, for replacements that are sorted and do not overlap.
pub(super) fn in_order(bytes: &[u8], replacements: &[Replacement<Vec<u8>>]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut copied_to = 0;
    for replacement in replacements {
        out.extend_from_slice(
            bytes
                .get(copied_to..replacement.range.start)
                .unwrap_or_default(),
        );
        out.extend_from_slice(&replacement.value);
        copied_to = replacement.range.end;
    }
    out.extend_from_slice(bytes.get(copied_to..).unwrap_or_default());
    (!replacements.is_empty()).then_some(out)
}

fn ordered<T>(mut replacements: Vec<Replacement<T>>) -> Option<Vec<Replacement<T>>> {
    if replacements.is_empty() {
        return None;
    }
    replacements
        .sort_by_key(|replacement| (replacement.range.start, usize::MAX - replacement.range.end));
    let mut end = 0;
    replacements.retain(|replacement| {
        let is_free = replacement.range.start >= end;
        end = if is_free { replacement.range.end } else { end };
        is_free
    });
    Some(replacements)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlapping_ranges_are_replaced_once() {
        let replacement = |range: Range<usize>, new: &str| Replacement::new(range, new.to_owned());
        let replacements = vec![
            replacement(4..5, "E"),
            replacement(0..1, "aa"),
            replacement(0..3, "abc"),
            replacement(2..4, "no"),
        ];
        assert_eq!(text("012345", replacements).as_deref(), Some("abc3E5"));
        assert_eq!(text("012345", Vec::new()), None);
        let replacements = vec![Replacement::new(1..2, b"\xff\xfe".to_vec())];
        assert_eq!(bytes(b"abc", replacements).unwrap(), b"a\xff\xfec");
    }
}
