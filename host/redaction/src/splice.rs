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

/// Replaces ranges of a text that come in order, without a list of them.
pub(super) struct TextSplicer<'a> {
    text: &'a str,
    out: String,
    /// The first byte that is not in `out`.
    copied_to: usize,
    is_changed: bool,
}

impl<'a> TextSplicer<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            text,
            out: String::new(),
            copied_to: 0,
            is_changed: false,
        }
    }

    /// Replaces a range that does not begin before those that came earlier. One that overlaps with
    /// an earlier one is left out.
    pub(super) fn replace(&mut self, range: Range<usize>, value: &str) {
        if range.start < self.copied_to {
            return;
        }
        if !self.is_changed {
            self.out.reserve_exact(self.text.len());
            self.is_changed = true;
        }
        self.push(self.copied_to..range.start);
        self.reserve(value.len());
        self.out.push_str(value);
        self.copied_to = range.end;
    }

    /// The new text. None if nothing was replaced.
    pub(super) fn finish(mut self) -> Option<String> {
        if !self.is_changed {
            return None;
        }
        self.push(self.copied_to..self.text.len());
        self.out.shrink_to_fit();
        Some(self.out)
    }

    fn push(&mut self, range: Range<usize>) {
        let unchanged = self.text.get(range).unwrap_or_default();
        self.reserve(unchanged.len());
        self.out.push_str(unchanged);
    }

    /// Grows by less than a string does by itself: a body may have as many bytes as memory allows.
    fn reserve(&mut self, count: usize) {
        if self.out.capacity() - self.out.len() < count {
            self.out.reserve_exact(count.max(self.out.len() / 8));
        }
    }
}

/// Applies all replacements to a text. Of overlapping replacements the first applies, or the
/// longest of those with the same start. None if there are none.
pub(super) fn text(text: &str, replacements: Vec<Replacement<String>>) -> Option<String> {
    let mut out = TextSplicer::new(text);
    for replacement in ordered(replacements)? {
        out.replace(replacement.range, &replacement.value);
    }
    out.finish()
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

/// Sorts replacements and leaves out those that overlap. None if there are none.
pub(super) fn ordered<T>(mut replacements: Vec<Replacement<T>>) -> Option<Vec<Replacement<T>>> {
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
