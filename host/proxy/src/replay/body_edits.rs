//! Replaces ranges of a body, and moves the borders of its chunks.

use std::ops::Range;
use std::sync::Arc;

use super::edit_list::{Edit, EditList};
use ouli_message::stream::Chunk;

/// Edits in order, without overlaps.
#[derive(Clone, Debug, Default)]
pub(crate) struct BodyEdits {
    segments: Vec<Vec<Edit>>,
    texts: Vec<Arc<[u8]>>,
}

impl BodyEdits {
    pub(crate) fn new(edits: EditList) -> Self {
        let (segments, texts) = edits.finish();
        Self { segments, texts }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.segments.iter().all(Vec::is_empty)
    }

    fn iter(&self) -> impl Iterator<Item = (Range<usize>, &[u8])> {
        let edits = self.segments.iter().flatten();
        edits.map(|edit| (edit.range(), &*self.texts[edit.text()]))
    }

    /// Those that keep the length of the body: a part of a resource has the length that its head
    /// names.
    #[must_use]
    pub(crate) fn of_equal_length(mut self) -> Self {
        let texts = &self.texts;
        let keeps_length = |edit: &Edit| texts[edit.text()].len() == edit.range().len();
        for segment in &mut self.segments {
            segment.retain(keeps_length);
        }
        self
    }

    /// The new body.
    pub(crate) fn apply(&self, body: &[u8]) -> Vec<u8> {
        let (mut added, mut removed) = (0_usize, 0_usize);
        for (range, new) in self.iter() {
            added += new.len();
            removed += range.len();
        }
        let mut edited = Vec::with_capacity((body.len() + added).saturating_sub(removed));
        let mut from = 0;
        for (range, new) in self.iter() {
            edited.extend_from_slice(body.get(from..range.start).unwrap_or_default());
            edited.extend_from_slice(new);
            from = range.end;
        }
        edited.extend_from_slice(body.get(from..).unwrap_or_default());
        edited
    }

    /// The chunks of the new body. What replaces a range in two chunks is in the first one.
    pub(crate) fn move_chunks(&self, chunks: &mut [Chunk]) {
        let (mut edits, mut moved_by, mut covered_to) = (self.iter().peekable(), 0_i64, 0);
        let (mut end, mut new_start) = (0_usize, 0_i64);
        for chunk in chunks {
            end += usize::try_from(chunk.size).unwrap_or(usize::MAX - end);
            while let Some((range, new)) = edits.next_if(|(range, _)| range.start < end) {
                moved_by += signed(new.len()) - signed(range.len());
                covered_to = range.end;
            }
            let new_end = signed(end.max(covered_to)) + moved_by;
            chunk.size = u64::try_from(new_end - new_start).unwrap_or(0);
            new_start = new_end;
        }
    }
}

fn signed(size: usize) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::edit_list::Finder;

    fn edits(list: &[(Range<usize>, &str)]) -> BodyEdits {
        let mut edits = EditList::default();
        for (range, new) in list {
            edits.push(range.clone(), new.as_bytes(), Finder::Search);
        }
        BodyEdits::new(edits)
    }

    #[test]
    fn chunks_have_the_bytes_that_replace_theirs() {
        let body = "0123456789";
        for (list, expected) in [
            (vec![], ["012", "345", "6789"]),
            (vec![(1..2, "abc")], ["0abc2", "345", "6789"]),
            (vec![(2..4, "ABCD")], ["01ABCD", "45", "6789"]),
            (vec![(2..7, "x")], ["01x", "", "789"]),
            (vec![(3..4, ""), (8..10, "yz!")], ["012", "45", "67yz!"]),
            (vec![(3..4, "no"), (2..4, "-")], ["01-", "45", "6789"]),
        ] {
            let edits = edits(&list);
            let new = edits.apply(body.as_bytes());
            let mut chunks = [3, 3, 4].map(|size| Chunk { at: 0, size });
            edits.move_chunks(&mut chunks);
            let mut rest = &new[..];
            let found = chunks.map(|chunk| {
                let (chunk, after) = rest.split_at(usize::try_from(chunk.size).unwrap());
                rest = after;
                String::from_utf8(chunk.to_vec()).unwrap()
            });
            assert_eq!(found, expected, "{list:?}");
            assert!(rest.is_empty());
        }
    }

    #[test]
    fn a_part_of_a_resource_keeps_its_length() {
        let edits = edits(&[(0..2, "ab"), (4..5, "long")]).of_equal_length();
        assert_eq!(edits.apply(b"012345"), b"ab2345");
    }

    #[test]
    fn a_place_of_the_document_goes_before_a_search_and_a_longer_text_before_a_shorter_one() {
        let mut list = EditList::default();
        list.push(2..4, b"place", Finder::Place);
        for (range, new) in [
            (2..6, "x"),
            (7..8, "short"),
            (7..9, "long"),
            (0..1, "first"),
        ] {
            list.push(range, new.as_bytes(), Finder::Search);
        }
        let edits = BodyEdits::new(list);
        assert_eq!(edits.apply(b"0123456789"), b"first1place456long9");
    }

    #[test]
    fn many_edits_are_applied_in_order() {
        let body = b"ab".repeat(100_000);
        let mut list = EditList::default();
        for start in (0..body.len()).step_by(2) {
            list.push(start..start + 1, b"xyz", Finder::Place);
        }
        assert!(BodyEdits::new(list).apply(&body) == b"xyzb".repeat(100_000));
    }
}
