//! Text that waits to be written to a stream, within a bound.

use std::collections::VecDeque;

/// What becomes of a text for which there is no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Priority {
    /// A log line is dropped and counted.
    Log,
    /// The program's own lines, such as the verdict, have room beyond that of the log.
    Own,
}

/// Room for the program's own lines beyond the log, in bytes.
const OWN_ROOM: usize = 256 << 10;

/// Memory of a text beside its bytes.
const TEXT_MEMORY: usize = 32;

/// The texts of one stream.
pub(super) struct OutputQueue {
    texts: VecDeque<String>,
    /// Bytes of the first text that are written already.
    written: usize,
    /// Memory of all texts.
    bytes: usize,
    /// Memory that log lines may take.
    limit: usize,
    /// Lines that were dropped since the last text.
    dropped: u64,
    /// Makes the line that tells how many lines were dropped.
    dropped_line: fn(u64) -> String,
}

impl OutputQueue {
    pub(super) fn new(limit: usize, dropped_line: fn(u64) -> String) -> Self {
        Self {
            texts: VecDeque::new(),
            written: 0,
            bytes: 0,
            limit,
            dropped: 0,
            dropped_line,
        }
    }

    /// Adds a text, or counts it as dropped.
    pub(super) fn push(&mut self, priority: Priority, text: String) {
        let is_free = match priority {
            Priority::Log => self.bytes + text.len() + TEXT_MEMORY <= self.limit,
            // A verdict may be longer than the room: one text fits if anything does.
            Priority::Own => self.bytes <= self.limit + OWN_ROOM,
        };
        if is_free {
            self.tell_dropped();
            self.add(text);
        } else {
            self.dropped += 1;
        }
    }

    /// Adds the line about dropped lines, which come before all that is added later.
    fn tell_dropped(&mut self) {
        let dropped = std::mem::take(&mut self.dropped);
        if dropped > 0 {
            self.add((self.dropped_line)(dropped));
        }
    }

    fn add(&mut self, text: String) {
        self.bytes += text.len() + TEXT_MEMORY;
        self.texts.push_back(text);
    }

    /// True if nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// Copies what is written next: whole texts as far as they fit into `most` bytes, or a part of
    /// a longer one.
    pub(super) fn copy_next(&self, most: usize, out: &mut Vec<u8>) {
        out.clear();
        for (place, text) in self.texts.iter().enumerate() {
            let start = if place == 0 { self.written } else { 0 };
            let rest = &text.as_bytes()[start..];
            if place > 0 && out.len() + rest.len() > most {
                return;
            }
            out.extend_from_slice(&rest[..rest.len().min(most)]);
        }
    }

    /// So many bytes are written.
    pub(super) fn advance(&mut self, count: usize) {
        self.written += count;
        while let Some(first) = self.texts.pop_front_if(|first| first.len() <= self.written) {
            self.written -= first.len();
            self.bytes -= first.len() + TEXT_MEMORY;
        }
        if self.is_empty() {
            self.tell_dropped();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(limit: usize) -> OutputQueue {
        OutputQueue::new(limit, |count| format!("{count} dropped\n"))
    }

    fn written(queue: &mut OutputQueue, most: usize) -> Vec<String> {
        let mut all = Vec::new();
        while !queue.is_empty() {
            let mut bytes = Vec::new();
            queue.copy_next(most, &mut bytes);
            queue.advance(bytes.len());
            all.push(String::from_utf8(bytes).unwrap());
        }
        all
    }

    #[test]
    fn a_long_text_is_written_in_parts_and_short_ones_together() {
        let mut queue = queue(1000);
        for text in ["abcdefg\n", "hi\n", "j\n", "k\n"] {
            queue.push(Priority::Log, text.to_owned());
        }
        assert_eq!(written(&mut queue, 5), ["abcde", "fg\n", "hi\nj\n", "k\n"]);
        assert_eq!(queue.bytes, 0);
    }

    #[test]
    fn lines_without_room_are_counted_where_they_are_missing() {
        let mut queue = queue(2 * (TEXT_MEMORY + 2));
        for text in ["1\n", "2\n", "3\n", "4\n"] {
            queue.push(Priority::Log, text.to_owned());
        }
        queue.push(Priority::Own, "own\n".to_owned());
        queue.push(Priority::Log, "5\n".to_owned());
        let text = written(&mut queue, 1000).concat();
        assert_eq!(text, "1\n2\n2 dropped\nown\n1 dropped\n");
        queue.push(Priority::Log, "6\n".to_owned());
        assert_eq!(written(&mut queue, 100), ["6\n"]);
    }

    #[test]
    fn own_lines_are_bounded_too() {
        let mut queue = queue(0);
        for _ in 0..3 {
            queue.push(Priority::Own, "x".repeat(OWN_ROOM / 2));
        }
        assert_eq!((queue.texts.len(), queue.dropped), (2, 1));
    }
}
