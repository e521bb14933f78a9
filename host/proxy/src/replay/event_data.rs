//! The data of an event, which is the text of all its lines (WHATWG HTML, section 9.2.6).

use std::ops::Range;

use bytes::Bytes;

use ouli_codec::event_stream;

/// The data of an event.
pub(super) struct EventData {
    /// The lines, each with LF.
    pub(super) text: Bytes,
    /// Where each line begins: in the text, and in the event.
    lines: Vec<(usize, usize)>,
}

impl EventData {
    pub(super) fn of(event: &[u8]) -> Self {
        let (mut text, mut lines) = (Vec::new(), Vec::new());
        for range in event_stream::data_ranges(event) {
            lines.push((text.len(), range.start));
            text.extend_from_slice(&event[range]);
            text.push(b'\n');
        }
        Self {
            text: text.into(),
            lines,
        }
    }

    /// Where a range of one line of the text is in the event. No string and no number of a JSON
    /// text is in two lines.
    pub(super) fn place(&self, at: Range<usize>) -> Range<usize> {
        let next = self.lines.partition_point(|(line, _)| *line <= at.start);
        let line = self.lines.get(next.saturating_sub(1));
        let (line, start) = line.copied().unwrap_or_default();
        start + at.start - line..start + at.end - line
    }
}
