//! What both ends of a connection of HTTP/2 know of each other, as far as frames tell: enough for
//! another h2 to go on where one that was given up has stopped.
//!
//! Of what h2 keeps, four things outlive the streams: the settings of the client, both windows of
//! the connection, and the tables of HPACK. The client's table is asked to be empty
//! (`limits.http2_header_table_size`), so there is nothing to know of it. The table of the gateway may
//! begin anew at any time, as the client finds fields by counting from the newest one (RFC 7541,
//! section 2.3.3).

use super::frame_scanner::{FrameEvent, FrameScanner};
use super::{
    ACK, DATA, END_STREAM, FrameHeader, GOAWAY, HEADERS, PADDED, PREFACE, PRIORITY_FLAG,
    RST_STREAM, SETTINGS, WINDOW_UPDATE, encode_frame,
};

/// The window of a connection at its beginning (RFC 9113, section 6.9.2).
const INITIAL_WINDOW: i64 = 65_535;

/// Settings that are known by number, of which 0 is none (RFC 9113, section 6.5.2; RFC 8441).
const KNOWN_SETTINGS: usize = 9;

/// A change of the table of HPACK to no bytes (RFC 7541, section 6.3).
const HPACK_TABLE_SIZE_ZERO: u8 = 0x20;

/// More streams than this at one time are not kept track of.
const MAX_TRACKED_STREAMS: usize = 1_000;

#[derive(Debug)]
pub(super) struct ConnectionState {
    client_settings: [Option<u32>; KNOWN_SETTINGS],
    /// Bytes of DATA that the gateway may send, and those that the client may.
    send_window: i64,
    recv_window: i64,
    /// Streams that were opened and that did not end yet.
    streams: Vec<Stream>,
    last_stream_id: u32,
    /// The client knows the settings of the gateway.
    settings_acknowledged: bool,
    /// The client has emptied its table, and uses none from then on.
    hpack_table_empty: bool,
    /// No other h2 could go on.
    not_resumable: bool,
    received_payload: PayloadReader,
    sent_payload: PayloadReader,
    sent_scanner: FrameScanner,
}

#[derive(Debug)]
struct Stream {
    id: u32,
    request_ended: bool,
    response_ended: bool,
}

/// What is read of the payload of a frame: entries of some bytes each.
#[derive(Debug, Default)]
struct PayloadReader {
    kind: u8,
    skip: usize,
    /// Bytes of an entry; 0 where nothing is read.
    entry_size: usize,
    entry: [u8; 6],
    entry_len: usize,
}

impl PayloadReader {
    fn for_frame(head: &FrameHeader) -> Self {
        let padding = usize::from(head.flags & PADDED != 0);
        let priority = usize::from(head.flags & PRIORITY_FLAG != 0) * 5;
        let (skip, size) = match head.kind {
            SETTINGS if head.flags & ACK == 0 => (0, 6),
            WINDOW_UPDATE if head.stream_id == 0 => (0, 4),
            HEADERS => (padding + priority, 1),
            _ => (0, 0),
        };
        Self {
            kind: head.kind,
            skip,
            entry_size: size,
            ..Self::default()
        }
    }

    /// The next entry, and what follows it.
    fn next_entry(&mut self, bytes: &mut &[u8]) -> Option<[u8; 6]> {
        let skipped = self.skip.min(bytes.len());
        self.skip -= skipped;
        *bytes = &bytes[skipped..];
        let most = (self.entry_size - self.entry_len).min(bytes.len());
        self.entry[self.entry_len..][..most].copy_from_slice(&bytes[..most]);
        self.entry_len += most;
        *bytes = &bytes[most..];
        if self.entry_size == 0 || self.entry_len < self.entry_size {
            return None;
        }
        self.entry_len = 0;
        if self.kind == HEADERS {
            // Only the first byte of a head is of interest.
            self.entry_size = 0;
        }
        Some(self.entry)
    }
}

impl ConnectionState {
    pub(super) fn new() -> Self {
        Self {
            client_settings: [None; KNOWN_SETTINGS],
            send_window: INITIAL_WINDOW,
            recv_window: INITIAL_WINDOW,
            streams: Vec::new(),
            last_stream_id: 0,
            settings_acknowledged: false,
            hpack_table_empty: false,
            not_resumable: false,
            received_payload: PayloadReader::default(),
            sent_payload: PayloadReader::default(),
            sent_scanner: FrameScanner::default(),
        }
    }

    /// The head of a frame came from the client.
    pub(super) fn on_frame_received(&mut self, head: &FrameHeader) {
        if self.not_resumable {
            return;
        }
        let ends = head.flags & END_STREAM != 0;
        match head.kind {
            HEADERS if head.stream_id > self.last_stream_id => {
                self.open_stream(head.stream_id, ends)
            }
            HEADERS if ends => {
                self.half_close(head.stream_id, |stream| stream.request_ended = true)
            }
            DATA => {
                self.recv_window -= flow_control_len(head);
                if ends {
                    self.half_close(head.stream_id, |stream| stream.request_ended = true);
                }
            }
            RST_STREAM => self.streams.retain(|stream| stream.id != head.stream_id),
            SETTINGS if head.flags & ACK != 0 => self.settings_acknowledged = true,
            GOAWAY => self.not_resumable = true,
            _ => {}
        }
        self.received_payload = PayloadReader::for_frame(head);
    }

    /// So much of the payload of that frame came.
    pub(super) fn on_payload_received(&mut self, mut bytes: &[u8]) {
        while let Some(entry) = self.received_payload.next_entry(&mut bytes) {
            match self.received_payload.kind {
                SETTINGS => {
                    let number = usize::from(u16::from_be_bytes([entry[0], entry[1]]));
                    if let Some(setting) = self.client_settings.get_mut(number) {
                        *setting = entry.last_chunk().copied().map(u32::from_be_bytes);
                    }
                }
                WINDOW_UPDATE => self.send_window += parse_increment(entry),
                _ => {
                    self.hpack_table_empty |=
                        self.settings_acknowledged && entry[0] == HPACK_TABLE_SIZE_ZERO
                }
            }
        }
    }

    /// These bytes were sent to the client.
    pub(super) fn on_bytes_sent(&mut self, mut bytes: &[u8]) {
        while !self.not_resumable
            && let Some(step) = self.sent_scanner.next(&mut bytes)
        {
            match step {
                FrameEvent::Header(head) => self.on_frame_sent(&head),
                FrameEvent::Payload(mut payload) if self.sent_payload.kind == WINDOW_UPDATE => {
                    if let Some(entry) = self.sent_payload.next_entry(&mut payload) {
                        self.recv_window += parse_increment(entry);
                    }
                }
                FrameEvent::Payload(_) => {}
            }
        }
    }

    fn on_frame_sent(&mut self, head: &FrameHeader) {
        self.sent_payload = PayloadReader::for_frame(head);
        if head.kind == DATA {
            self.send_window -= flow_control_len(head);
        }
        match head.kind {
            DATA | HEADERS if head.flags & END_STREAM != 0 => {
                self.half_close(head.stream_id, |stream| stream.response_ended = true);
            }
            // Whether the client still sends on it is not known.
            RST_STREAM | GOAWAY => self.not_resumable = true,
            _ => {}
        }
    }

    fn open_stream(&mut self, number: u32, is_asked: bool) {
        self.last_stream_id = number;
        self.streams.push(Stream {
            id: number,
            request_ended: is_asked,
            response_ended: false,
        });
        if self.streams.len() > MAX_TRACKED_STREAMS {
            (self.not_resumable, self.streams) = (true, Vec::new());
        }
    }

    fn half_close(&mut self, number: u32, half: impl FnOnce(&mut Stream)) {
        let mut streams = self.streams.iter_mut().enumerate();
        if let Some((place, stream)) = streams.find(|(_, stream)| stream.id == number) {
            half(stream);
            if stream.request_ended && stream.response_ended {
                self.streams.swap_remove(place);
            }
        }
    }

    /// True where another h2 could go on from here, for which the client may send so many bytes.
    pub(super) fn is_resumable(&self, window: u32) -> bool {
        !self.not_resumable
            && self.hpack_table_empty
            && self.streams.is_empty()
            && self.sent_scanner.is_at_boundary()
            // h2 cannot be told of less.
            && self.send_window >= INITIAL_WINDOW
            && announces_window(window)
    }

    /// The last stream that the client opened.
    pub(super) fn last_stream_id(&self) -> u32 {
        self.last_stream_id
    }

    /// What the client is to be told, so that it may send so many bytes as another h2 believes.
    pub(super) fn take_window_update(&mut self, window: u32) -> Vec<u8> {
        let missing = i64::from(window) - self.recv_window;
        self.recv_window += missing;
        self.streams.shrink_to_fit();
        window_update(missing)
    }

    /// All that another h2 has to hear of the client.
    pub(super) fn client_preface(&self) -> Vec<u8> {
        let mut settings = Vec::new();
        for (number, value) in (0_u16..).zip(self.client_settings) {
            if let Some(value) = value {
                settings.extend(number.to_be_bytes());
                settings.extend(value.to_be_bytes());
            }
        }
        let mut acknowledged = encode_frame(SETTINGS, &[]);
        acknowledged[4] = ACK;
        let room = window_update(self.send_window - INITIAL_WINDOW);
        [
            PREFACE,
            &encode_frame(SETTINGS, &settings),
            &acknowledged,
            &room,
        ]
        .concat()
    }
}

/// Bytes of a frame that a window has to have room for.
fn flow_control_len(head: &FrameHeader) -> i64 {
    i64::try_from(head.length).unwrap_or(i64::MAX)
}

fn parse_increment(entry: [u8; 6]) -> i64 {
    let [first, second, third, fourth, ..] = entry;
    i64::from(u32::from_be_bytes([first, second, third, fourth]) & (u32::MAX >> 1))
}

/// A frame that makes the window of the connection so much wider; none where it stays as it is.
fn window_update(increment: i64) -> Vec<u8> {
    match u32::try_from(increment) {
        Ok(0) | Err(_) => Vec::new(),
        Ok(increment) => encode_frame(WINDOW_UPDATE, &increment.to_be_bytes()),
    }
}

/// True where h2 says at its beginning how large the window of a connection is: it stays silent
/// where the initial one is wider by less than half.
fn announces_window(window: u32) -> bool {
    let wider = i64::from(window) - INITIAL_WINDOW;
    wider > INITIAL_WINDOW / 2
}
