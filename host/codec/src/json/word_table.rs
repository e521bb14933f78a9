//! A table of 32-bit words that grows without a copy of what it has: a vector that doubles would
//! take three times its size for a moment.

/// Words of one segment, as a power of two.
const SEGMENT_BITS: u32 = 16;
const SEGMENT: usize = 1 << SEGMENT_BITS;

/// A table of words.
#[derive(Clone, Debug, Default)]
pub(super) struct WordTable {
    /// All are full but the last one, and only the first one grows.
    segments: Vec<Vec<u32>>,
}

impl WordTable {
    pub(super) fn push(&mut self, word: u32) {
        match self.segments.last_mut() {
            Some(last) if last.len() < SEGMENT => last.push(word),
            Some(_) => {
                let mut segment = Vec::with_capacity(SEGMENT);
                segment.push(word);
                self.segments.push(segment);
            }
            None => self.segments.push(vec![word]),
        }
    }

    pub(super) fn get(&self, at: usize) -> Option<u32> {
        let segment = self.segments.get(at >> SEGMENT_BITS)?;
        segment.get(at & (SEGMENT - 1)).copied()
    }

    /// Changes a word that is there.
    pub(super) fn set(&mut self, at: usize, word: u32) {
        let segment = self.segments.get_mut(at >> SEGMENT_BITS);
        if let Some(old) = segment.and_then(|segment| segment.get_mut(at & (SEGMENT - 1))) {
            *old = word;
        }
    }

    /// The number of words.
    pub(super) fn len(&self) -> usize {
        let last = self.segments.last().map_or(0, Vec::len);
        self.segments.len().saturating_sub(1) * SEGMENT + last
    }

    /// The size in bytes.
    pub(super) fn size(&self) -> usize {
        self.len() * size_of::<u32>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_across_segments() {
        let mut table = WordTable::default();
        assert_eq!((table.len(), table.get(0)), (0, None));
        let count = 2 * SEGMENT + 3;
        (0..count).for_each(|word| table.push(word as u32));
        for at in [0, 1, SEGMENT - 1, SEGMENT, 2 * SEGMENT, count - 1] {
            assert_eq!(table.get(at), Some(at as u32));
            table.set(at, 7);
            assert_eq!(table.get(at), Some(7));
        }
        table.set(count, 7);
        assert_eq!((table.len(), table.get(count)), (count, None));
        assert_eq!(table.size(), 4 * count);
    }
}
