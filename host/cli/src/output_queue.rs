//! Text that waits to be written to stdout and stderr, in the order in which it was printed.

use std::collections::VecDeque;

/// Where to print.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stream {
    Stdout,
    Stderr,
}

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
const TEXT_MEMORY: usize = 64;

/// The texts of both streams.
pub(super) struct OutputQueue {
    lanes: [Lane; 2],
    /// Number of all texts so far.
    printed: u64,
    /// Bytes of log lines that wait for one stream.
    limit: usize,
    /// Makes the line that tells how many log lines a stream has lost.
    dropped_line: fn(Stream, u64) -> String,
}

/// The texts of one stream.
#[derive(Default)]
struct Lane {
    texts: VecDeque<Text>,
    /// Memory of all texts.
    bytes: usize,
    /// Lines that were dropped since the last text.
    dropped: u64,
}

struct Text {
    /// Its place in the order of both streams.
    number: u64,
    text: String,
    /// Bytes that are written already.
    written: usize,
}

impl Text {
    fn rest(&self) -> &[u8] {
        &self.text.as_bytes()[self.written..]
    }
}

impl OutputQueue {
    pub(super) fn new(limit: usize, dropped_line: fn(Stream, u64) -> String) -> Self {
        Self {
            lanes: Default::default(),
            printed: 0,
            limit,
            dropped_line,
        }
    }

    /// Adds a text, or counts it as dropped.
    pub(super) fn push(&mut self, stream: Stream, priority: Priority, text: String) {
        let lane = &self.lanes[stream as usize];
        let is_free = match priority {
            Priority::Log => lane.bytes + text.len() + TEXT_MEMORY <= self.limit,
            // A verdict may be longer than the room: one text fits if anything does.
            Priority::Own => lane.bytes <= self.limit + OWN_ROOM,
        };
        if is_free {
            self.tell_dropped(stream);
            self.add(stream, text);
        } else {
            self.lanes[stream as usize].dropped += 1;
        }
    }

    /// Adds the line about dropped lines, which come before all that is added later.
    fn tell_dropped(&mut self, stream: Stream) {
        let dropped = std::mem::take(&mut self.lanes[stream as usize].dropped);
        if dropped > 0 {
            self.add(stream, (self.dropped_line)(stream, dropped));
        }
    }

    fn add(&mut self, stream: Stream, text: String) {
        let lane = &mut self.lanes[stream as usize];
        lane.bytes += text.len() + TEXT_MEMORY;
        lane.texts.push_back(Text {
            number: self.printed,
            text,
            written: 0,
        });
        self.printed += 1;
    }

    /// True if nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.lanes.iter().all(|lane| lane.texts.is_empty())
    }

    /// True if something waits for this stream.
    pub(super) fn is_waiting(&self, stream: Stream) -> bool {
        !self.lanes[stream as usize].texts.is_empty()
    }

    /// Of these streams the one whose text was printed first.
    pub(super) fn first_of(&self, streams: &[Stream]) -> Option<Stream> {
        let numbers = streams.iter().filter_map(|stream| {
            let first = self.lanes[*stream as usize].texts.front()?;
            Some((first.number, *stream))
        });
        numbers.min_by_key(|(number, _)| *number).map(|it| it.1)
    }

    /// Copies the next texts of a stream, whole ones as far as they fit into `most` bytes. Those
    /// that were printed after a text of the other stream wait for it.
    pub(super) fn copy_next(&self, stream: Stream, most: usize, out: &mut Vec<u8>) {
        out.clear();
        let [stdout, stderr] = &self.lanes;
        let (own, other) = match stream {
            Stream::Stdout => (stdout, stderr),
            Stream::Stderr => (stderr, stdout),
        };
        let other = other.texts.front().map_or(u64::MAX, |text| text.number);
        for (place, text) in own.texts.iter().enumerate() {
            let rest = text.rest();
            if place == 0 {
                out.extend_from_slice(&rest[..rest.len().min(most)]);
            } else if text.number < other && out.len() + rest.len() <= most {
                out.extend_from_slice(rest);
            } else {
                return;
            }
        }
    }

    /// So many bytes of a stream are written.
    pub(super) fn advance(&mut self, stream: Stream, mut count: usize) {
        let lane = &mut self.lanes[stream as usize];
        while let Some(first) = lane.texts.front_mut() {
            let rest = first.rest().len();
            if rest > count {
                first.written += count;
                return;
            }
            count -= rest;
            lane.bytes -= first.text.len() + TEXT_MEMORY;
            lane.texts.pop_front();
        }
        self.tell_dropped(stream);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(limit: usize) -> OutputQueue {
        OutputQueue::new(limit, |_, count| format!("{count} dropped\n"))
    }

    fn next(queue: &mut OutputQueue, most: usize) -> Option<(Stream, String)> {
        let stream = queue.first_of(&[Stream::Stdout, Stream::Stderr])?;
        let mut bytes = Vec::new();
        queue.copy_next(stream, most, &mut bytes);
        queue.advance(stream, bytes.len());
        Some((stream, String::from_utf8(bytes).unwrap()))
    }

    #[test]
    fn both_streams_are_written_in_the_order_of_printing() {
        let mut queue = queue(1000);
        for (stream, text) in [
            (Stream::Stderr, "a\n"),
            (Stream::Stderr, "b\n"),
            (Stream::Stdout, "c\n"),
            (Stream::Stderr, "d\n"),
        ] {
            queue.push(stream, Priority::Own, text.to_owned());
        }
        let all: Vec<_> = std::iter::from_fn(|| next(&mut queue, 100)).collect();
        let expected = [
            (Stream::Stderr, "a\nb\n"),
            (Stream::Stdout, "c\n"),
            (Stream::Stderr, "d\n"),
        ];
        assert_eq!(
            all,
            expected.map(|(stream, text)| (stream, text.to_owned()))
        );
        assert!(queue.is_empty());
    }

    #[test]
    fn a_stream_that_nobody_reads_holds_up_no_other() {
        let mut queue = queue(1000);
        queue.push(Stream::Stdout, Priority::Own, "a\n".to_owned());
        queue.push(Stream::Stderr, Priority::Log, "b\n".to_owned());
        assert_eq!(queue.first_of(&[Stream::Stderr]), Some(Stream::Stderr));
    }

    #[test]
    fn a_long_text_is_written_in_parts() {
        let mut queue = queue(1000);
        queue.push(Stream::Stderr, Priority::Log, "abcde\n".to_owned());
        queue.push(Stream::Stderr, Priority::Log, "fg\n".to_owned());
        let all: Vec<_> = std::iter::from_fn(|| next(&mut queue, 4)).collect();
        let texts: Vec<_> = all.into_iter().map(|(_, text)| text).collect();
        assert_eq!(texts, ["abcd", "e\n", "fg\n"]);
    }

    #[test]
    fn lines_without_room_are_counted_where_they_are_missing() {
        let mut queue = queue(2 * (TEXT_MEMORY + 2));
        for text in ["1\n", "2\n", "3\n", "4\n"] {
            queue.push(Stream::Stderr, Priority::Log, text.to_owned());
        }
        queue.push(Stream::Stderr, Priority::Own, "own\n".to_owned());
        queue.push(Stream::Stderr, Priority::Log, "5\n".to_owned());
        let all: Vec<_> = std::iter::from_fn(|| next(&mut queue, 1000)).collect();
        let text: String = all.into_iter().map(|(_, text)| text).collect();
        assert_eq!(text, "1\n2\n2 dropped\nown\n1 dropped\n");
        queue.push(Stream::Stderr, Priority::Log, "6\n".to_owned());
        assert_eq!(next(&mut queue, 100).unwrap().1, "6\n");
    }

    #[test]
    fn own_lines_are_bounded_too() {
        let mut queue = queue(0);
        for _ in 0..3 {
            queue.push(Stream::Stderr, Priority::Own, "x".repeat(OWN_ROOM));
        }
        assert_eq!(queue.lanes[1].texts.len(), 2);
        assert_eq!(queue.lanes[1].dropped, 1);
    }
}
