//! Collects the edits of a body, with 12 bytes for each: a body may repeat a short value often.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

/// A range of a body and its new bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Edit {
    start: u32,
    len: u32,
    /// The place of the new bytes among the different ones, and who found the range.
    new: u32,
}

/// Who found a range: of two edits with one start the first one applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Finder {
    /// A place of the document.
    Place = 0,
    /// A search in the text.
    Search = 1,
}

/// Edits in any order.
#[derive(Debug, Default)]
pub(crate) struct EditList {
    /// All are full but the last one: a vector that doubles would take three times its size for a
    /// moment.
    segments: Vec<Vec<Edit>>,
    texts: Vec<Arc<[u8]>>,
    by_text: HashMap<Arc<[u8]>, u32>,
    /// False if an edit begins before the end of the one before it.
    is_disordered: bool,
    /// The last range.
    last: Option<(u32, u32)>,
}

const SEGMENT: usize = 1 << 12;

impl EditList {
    /// Adds the replacement of a range. A body has less than 4 GiB, else it is not edited there.
    pub(crate) fn push(&mut self, range: Range<usize>, new: &[u8], finder: Finder) {
        let start = u32::try_from(range.start);
        let (Ok(start), Ok(end)) = (start, u32::try_from(range.end)) else {
            return;
        };
        // A value may be known to the session and to the exchange.
        if self.last == Some((start, end)) {
            return;
        }
        let Some(text) = self.text(new) else {
            return;
        };
        let edit = Edit {
            start,
            len: end.saturating_sub(start),
            new: text << 1 | finder as u32,
        };
        self.is_disordered |= self.last.is_some_and(|(_, last_end)| start < last_end);
        self.last = Some((start, end));
        match self.segments.last_mut() {
            Some(last) if last.len() < SEGMENT => last.push(edit),
            Some(_) => {
                let mut segment = Vec::with_capacity(SEGMENT);
                segment.push(edit);
                self.segments.push(segment);
            }
            None => self.segments.push(vec![edit]),
        }
    }

    /// The place of a text among the different ones.
    fn text(&mut self, new: &[u8]) -> Option<u32> {
        if let Some(known) = self.by_text.get(new) {
            return Some(*known);
        }
        let place = u32::try_from(self.texts.len()).ok();
        let place = place.filter(|place| *place <= u32::MAX >> 1)?;
        let text: Arc<[u8]> = new.into();
        self.texts.push(Arc::clone(&text));
        self.by_text.insert(text, place);
        Some(place)
    }

    /// The edits in order and without overlaps, and the texts. Of edits that overlap the one that
    /// begins first applies; of those with one start, that of a place in the document, then the
    /// longer one.
    pub(crate) fn finish(self) -> (Vec<Vec<Edit>>, Vec<Arc<[u8]>>) {
        let Self {
            mut segments,
            texts,
            is_disordered,
            ..
        } = self;
        if is_disordered {
            let count = segments.iter().map(Vec::len).sum();
            let mut all = Vec::with_capacity(count);
            segments.drain(..).for_each(|segment| all.extend(segment));
            all.sort_unstable_by_key(|edit: &Edit| (edit.start, edit.new & 1, Reverse(edit.len)));
            let mut free_from = 0;
            all.retain(|edit| {
                let is_free = edit.start >= free_from;
                free_from = if is_free {
                    edit.start + edit.len
                } else {
                    free_from
                };
                is_free
            });
            segments.push(all);
        }
        (segments, texts)
    }
}

impl Edit {
    pub(crate) fn range(self) -> Range<usize> {
        let start = self.start as usize;
        start..start + self.len as usize
    }

    /// The place of its text.
    pub(crate) fn text(self) -> usize {
        (self.new >> 1) as usize
    }
}
