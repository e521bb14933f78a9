//! What both ends of a connection of HTTP/2 know of each other, as far as frames tell: enough for
//! another h2 to go on where one that was given up has stopped.
//!
//! Of what h2 keeps, four things outlive the streams: the settings of the client, both windows of
//! the connection, and the tables of HPACK. The client's table is asked to be empty
//! (`limits.http2_header_table`), so there is nothing to know of it. The table of the gateway may
//! begin anew at any time, as the client finds fields by counting from the newest one (RFC 7541,
//! section 2.3.3).

use super::frame_scanner::{Step, Walk};
use super::{
    ACK, DATA, END_STREAM, GOAWAY, HEADERS, Head, PADDED, PREFACE, RST_STREAM, SETTINGS,
    WINDOW_UPDATE, WITH_PRIORITY, frame,
};

/// The window of a connection at its beginning (RFC 9113, section 6.9.2).
const INITIAL_WINDOW: i64 = 65_535;

/// Settings that are known by number, of which 0 is none (RFC 9113, section 6.5.2; RFC 8441).
const KNOWN_SETTINGS: usize = 9;

/// A change of the table of HPACK to no bytes (RFC 7541, section 6.3).
const EMPTY_TABLE: u8 = 0x20;

/// More streams than this at one time are not kept track of.
const MOST_STREAMS: usize = 1_000;

#[derive(Debug)]
pub(super) struct Agreed {
    settings: [Option<u32>; KNOWN_SETTINGS],
    /// Bytes of DATA that the gateway may send, and those that the client may.
    own_window: i64,
    window: i64,
    /// Streams that were opened and that did not end yet.
    streams: Vec<Stream>,
    last: u32,
    /// The client knows the settings of the gateway.
    has_acknowledged: bool,
    /// The client has emptied its table, and uses none from then on.
    is_empty: bool,
    /// No other h2 could go on.
    is_lost: bool,
    received: Noted,
    sent: Noted,
    walk: Walk,
}

#[derive(Debug)]
struct Stream {
    number: u32,
    is_asked: bool,
    is_answered: bool,
}

/// What is read of the payload of a frame: entries of some bytes each.
#[derive(Debug, Default)]
struct Noted {
    kind: u8,
    skip: usize,
    /// Bytes of an entry; 0 where nothing is read.
    size: usize,
    entry: [u8; 6],
    known: usize,
}

impl Noted {
    fn of(head: &Head) -> Self {
        let padding = usize::from(head.flags & PADDED != 0);
        let priority = usize::from(head.flags & WITH_PRIORITY != 0) * 5;
        let (skip, size) = match head.kind {
            SETTINGS if head.flags & ACK == 0 => (0, 6),
            WINDOW_UPDATE if head.stream == 0 => (0, 4),
            HEADERS => (padding + priority, 1),
            _ => (0, 0),
        };
        Self {
            kind: head.kind,
            skip,
            size,
            ..Self::default()
        }
    }

    /// The next entry, and what follows it.
    fn next(&mut self, bytes: &mut &[u8]) -> Option<[u8; 6]> {
        let skipped = self.skip.min(bytes.len());
        self.skip -= skipped;
        *bytes = &bytes[skipped..];
        let most = (self.size - self.known).min(bytes.len());
        self.entry[self.known..][..most].copy_from_slice(&bytes[..most]);
        self.known += most;
        *bytes = &bytes[most..];
        if self.size == 0 || self.known < self.size {
            return None;
        }
        self.known = 0;
        if self.kind == HEADERS {
            // Only the first byte of a head is of interest.
            self.size = 0;
        }
        Some(self.entry)
    }
}

impl Agreed {
    pub(super) fn new() -> Self {
        Self {
            settings: [None; KNOWN_SETTINGS],
            own_window: INITIAL_WINDOW,
            window: INITIAL_WINDOW,
            streams: Vec::new(),
            last: 0,
            has_acknowledged: false,
            is_empty: false,
            is_lost: false,
            received: Noted::default(),
            sent: Noted::default(),
            walk: Walk::default(),
        }
    }

    /// The head of a frame came from the client.
    pub(super) fn received(&mut self, head: &Head) {
        if self.is_lost {
            return;
        }
        let ends = head.flags & END_STREAM != 0;
        match head.kind {
            HEADERS if head.stream > self.last => self.open(head.stream, ends),
            HEADERS if ends => self.end(head.stream, |stream| stream.is_asked = true),
            DATA => {
                self.window -= length(head);
                if ends {
                    self.end(head.stream, |stream| stream.is_asked = true);
                }
            }
            RST_STREAM => self.streams.retain(|stream| stream.number != head.stream),
            SETTINGS if head.flags & ACK != 0 => self.has_acknowledged = true,
            GOAWAY => self.is_lost = true,
            _ => {}
        }
        self.received = Noted::of(head);
    }

    /// So much of the payload of that frame came.
    pub(super) fn payload(&mut self, mut bytes: &[u8]) {
        while let Some(entry) = self.received.next(&mut bytes) {
            match self.received.kind {
                SETTINGS => {
                    let number = usize::from(u16::from_be_bytes([entry[0], entry[1]]));
                    if let Some(setting) = self.settings.get_mut(number) {
                        *setting = entry.last_chunk().copied().map(u32::from_be_bytes);
                    }
                }
                WINDOW_UPDATE => self.own_window += increment(entry),
                _ => self.is_empty |= self.has_acknowledged && entry[0] == EMPTY_TABLE,
            }
        }
    }

    /// These bytes were sent to the client.
    pub(super) fn sent(&mut self, mut bytes: &[u8]) {
        while !self.is_lost
            && let Some(step) = self.walk.next(&mut bytes)
        {
            match step {
                Step::Head(head) => self.answered(&head),
                Step::Payload(mut payload) if self.sent.kind == WINDOW_UPDATE => {
                    if let Some(entry) = self.sent.next(&mut payload) {
                        self.window += increment(entry);
                    }
                }
                Step::Payload(_) => {}
            }
        }
    }

    fn answered(&mut self, head: &Head) {
        self.sent = Noted::of(head);
        if head.kind == DATA {
            self.own_window -= length(head);
        }
        match head.kind {
            DATA | HEADERS if head.flags & END_STREAM != 0 => {
                self.end(head.stream, |stream| stream.is_answered = true);
            }
            // Whether the client still sends on it is not known.
            RST_STREAM | GOAWAY => self.is_lost = true,
            _ => {}
        }
    }

    fn open(&mut self, number: u32, is_asked: bool) {
        self.last = number;
        self.streams.push(Stream {
            number,
            is_asked,
            is_answered: false,
        });
        if self.streams.len() > MOST_STREAMS {
            (self.is_lost, self.streams) = (true, Vec::new());
        }
    }

    fn end(&mut self, number: u32, half: impl FnOnce(&mut Stream)) {
        let mut streams = self.streams.iter_mut().enumerate();
        if let Some((place, stream)) = streams.find(|(_, stream)| stream.number == number) {
            half(stream);
            if stream.is_asked && stream.is_answered {
                self.streams.swap_remove(place);
            }
        }
    }

    /// True where another h2 could go on from here, for which the client may send so many bytes.
    pub(super) fn is_whole(&self, window: u32) -> bool {
        !self.is_lost
            && self.is_empty
            && self.streams.is_empty()
            && self.walk.is_between()
            // h2 cannot be told of less.
            && self.own_window >= INITIAL_WINDOW
            && is_certain(window)
    }

    /// The last stream that the client opened.
    pub(super) fn last(&self) -> u32 {
        self.last
    }

    /// What the client is to be told, so that it may send so many bytes as another h2 believes.
    pub(super) fn owed(&mut self, window: u32) -> Vec<u8> {
        let missing = i64::from(window) - self.window;
        self.window += missing;
        self.streams.shrink_to_fit();
        update(missing)
    }

    /// All that another h2 has to hear of the client.
    pub(super) fn told(&self) -> Vec<u8> {
        let mut settings = Vec::new();
        for (number, value) in (0_u16..).zip(self.settings) {
            if let Some(value) = value {
                settings.extend(number.to_be_bytes());
                settings.extend(value.to_be_bytes());
            }
        }
        let mut acknowledged = frame(SETTINGS, &[]);
        acknowledged[4] = ACK;
        let room = update(self.own_window - INITIAL_WINDOW);
        [PREFACE, &frame(SETTINGS, &settings), &acknowledged, &room].concat()
    }
}

/// Bytes of a frame that a window has to have room for.
fn length(head: &Head) -> i64 {
    i64::try_from(head.length).unwrap_or(i64::MAX)
}

fn increment(entry: [u8; 6]) -> i64 {
    let [first, second, third, fourth, ..] = entry;
    i64::from(u32::from_be_bytes([first, second, third, fourth]) & (u32::MAX >> 1))
}

/// A frame that makes the window of the connection so much wider; none where it stays as it is.
fn update(increment: i64) -> Vec<u8> {
    match u32::try_from(increment) {
        Ok(0) | Err(_) => Vec::new(),
        Ok(increment) => frame(WINDOW_UPDATE, &increment.to_be_bytes()),
    }
}

/// True where h2 says at its beginning how large the window of a connection is: it stays silent
/// where the initial one is wider by less than half.
fn is_certain(window: u32) -> bool {
    let wider = i64::from(window) - INITIAL_WINDOW;
    wider > INITIAL_WINDOW / 2
}
