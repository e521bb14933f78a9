//! Replaces ranges of a body, and moves the borders of its chunks.

use std::ops::Range;

use ouli_message::stream::Chunk;

/// A range of a body and its new bytes.
#[derive(Clone, Debug)]
pub(crate) struct Edit {
    range: Range<usize>,
    new: Vec<u8>,
}

/// Edits in order, without overlaps.
#[derive(Clone, Debug, Default)]
pub(crate) struct BodyEdits(Vec<Edit>);

impl Edit {
    pub(crate) fn new(range: Range<usize>, new: &[u8]) -> Self {
        let new = new.to_vec();
        Self { range, new }
    }

    fn keeps_length(&self) -> bool {
        self.range.len() == self.new.len()
    }
}

impl BodyEdits {
    /// Of edits that overlap, the first one in the list applies among those of one start, else the
    /// one that begins first.
    pub(crate) fn new(mut edits: Vec<Edit>) -> Self {
        edits.sort_by_key(|edit| edit.range.start);
        let mut free_from = 0;
        edits.retain(|edit| {
            let is_free = edit.range.start >= free_from;
            free_from = if is_free { edit.range.end } else { free_from };
            is_free
        });
        Self(edits)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those that keep the length of the body: a part of a resource has the length that its head
    /// names.
    #[must_use]
    pub(crate) fn of_equal_length(mut self) -> Self {
        self.0.retain(Edit::keeps_length);
        self
    }

    /// The new body.
    pub(crate) fn apply(&self, body: &[u8]) -> Vec<u8> {
        let mut new = Vec::with_capacity(body.len());
        let mut from = 0;
        for edit in &self.0 {
            new.extend_from_slice(body.get(from..edit.range.start).unwrap_or_default());
            new.extend_from_slice(&edit.new);
            from = edit.range.end;
        }
        new.extend_from_slice(body.get(from..).unwrap_or_default());
        new
    }

    /// The chunks of the new body. What replaces a range in two chunks is in the first one.
    pub(crate) fn move_chunks(&self, chunks: &mut [Chunk]) {
        let (mut edits, mut moved_by, mut covered_to) = (self.0.iter().peekable(), 0_i64, 0);
        let (mut end, mut new_start) = (0_usize, 0_i64);
        for chunk in chunks {
            end += usize::try_from(chunk.size).unwrap_or(usize::MAX - end);
            while let Some(edit) = edits.next_if(|edit| edit.range.start < end) {
                moved_by += signed(edit.new.len()) - signed(edit.range.len());
                covered_to = edit.range.end;
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

    fn edits(list: &[(Range<usize>, &str)]) -> BodyEdits {
        let edits = list
            .iter()
            .map(|(range, new)| Edit::new(range.clone(), new.as_bytes()));
        BodyEdits::new(edits.collect())
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
}
