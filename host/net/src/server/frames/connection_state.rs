//! What both ends of an HTTP/2 connection know of each other, as far as frames tell: enough for a
//! new h2 to continue where a dropped one stopped.
//!
//! Of h2's state, four things outlive the streams: the client's settings, both connection windows,
//! and the HPACK tables. The client is asked to keep its table empty
//! (`limits.http2_header_table_size`). The gateway's table may start anew at any time, because
//! the client counts its entries from the newest one (RFC 7541, section 2.3.3).

use super::frame::{
    ACK, DATA, END_STREAM, FrameHeader, GOAWAY, HEADERS, PADDED, PREFACE, PRIORITY_FLAG,
    RST_STREAM, SETTINGS, WINDOW_UPDATE, encode_frame,
};
use super::frame_scanner::{FrameEvent, FrameScanner};

/// The initial window of a connection (RFC 9113, section 6.9.2).
const INITIAL_WINDOW: i64 = 65_535;

/// Settings have the identifiers 1 to 8 (RFC 9113, section 6.5.2; RFC 8441).
const KNOWN_SETTINGS: usize = 9;

/// The HPACK instruction that empties the table (RFC 7541, section 6.3).
const HPACK_TABLE_SIZE_ZERO: u8 = 0x20;

/// A connection with more concurrent streams is not tracked.
const MAX_TRACKED_STREAMS: usize = 1_000;

#[derive(Debug)]
pub(super) struct ConnectionState {
    client_settings: [Option<u32>; KNOWN_SETTINGS],
    /// Bytes of DATA that the gateway may send.
    send_window: i64,
    /// Bytes of DATA that the client may send.
    recv_window: i64,
    /// Streams that are not closed.
    streams: Vec<Stream>,
    last_stream_id: u32,
    client_table: ClientTable,
    /// No new h2 could continue.
    not_resumable: bool,
    received_payload: PayloadReader,
    sent_payload: PayloadReader,
    sent_scanner: FrameScanner,
}

/// The HPACK table of the client's encoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ClientTable {
    /// The client does not know the gateway's settings yet.
    Unknown,
    /// The client has acknowledged the settings.
    SettingsAcknowledged,
    /// The client has emptied its table, and keeps it empty.
    Empty,
}

#[derive(Debug)]
struct Stream {
    id: u32,
    request_ended: bool,
    response_ended: bool,
}

/// Reads the payload of a frame in entries of a fixed size.
#[derive(Debug, Default)]
struct PayloadReader {
    kind: u8,
    /// Bytes before the first entry.
    skip: usize,
    /// Bytes of an entry; 0 if the payload is not read.
    entry_size: usize,
    entry: [u8; 6],
    entry_len: usize,
}

impl PayloadReader {
    fn for_frame(header: &FrameHeader) -> Self {
        let padding = usize::from(header.flags & PADDED != 0);
        let priority = usize::from(header.flags & PRIORITY_FLAG != 0) * 5;
        let (skip, entry_size) = match header.kind {
            SETTINGS if header.flags & ACK == 0 => (0, 6),
            WINDOW_UPDATE if header.stream_id == 0 => (0, 4),
            HEADERS => (padding + priority, 1),
            _ => (0, 0),
        };
        Self {
            kind: header.kind,
            skip,
            entry_size,
            ..Self::default()
        }
    }

    /// The next entry. Removes what it consumed from `bytes`.
    fn next_entry(&mut self, bytes: &mut &[u8]) -> Option<[u8; 6]> {
        let skipped = self.skip.min(bytes.len());
        self.skip -= skipped;
        *bytes = &bytes[skipped..];
        let count = (self.entry_size - self.entry_len).min(bytes.len());
        self.entry[self.entry_len..][..count].copy_from_slice(&bytes[..count]);
        self.entry_len += count;
        *bytes = &bytes[count..];
        if self.entry_size == 0 || self.entry_len < self.entry_size {
            return None;
        }
        self.entry_len = 0;
        if self.kind == HEADERS {
            // Only the first byte of a header block is read.
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
            client_table: ClientTable::Unknown,
            not_resumable: false,
            received_payload: PayloadReader::default(),
            sent_payload: PayloadReader::default(),
            sent_scanner: FrameScanner::default(),
        }
    }

    /// A frame header arrived from the client.
    pub(super) fn on_frame_received(&mut self, header: &FrameHeader) {
        if self.not_resumable {
            return;
        }
        let ends_stream = header.flags & END_STREAM != 0;
        match header.kind {
            HEADERS if header.stream_id > self.last_stream_id => {
                self.open_stream(header.stream_id, ends_stream)
            }
            HEADERS if ends_stream => {
                self.half_close(header.stream_id, |stream| stream.request_ended = true)
            }
            DATA => {
                self.recv_window -= flow_control_len(header);
                if ends_stream {
                    self.half_close(header.stream_id, |stream| stream.request_ended = true);
                }
            }
            RST_STREAM => self.streams.retain(|stream| stream.id != header.stream_id),
            SETTINGS if header.flags & ACK != 0 && self.client_table == ClientTable::Unknown => {
                self.client_table = ClientTable::SettingsAcknowledged;
            }
            GOAWAY => self.not_resumable = true,
            _ => {}
        }
        self.received_payload = PayloadReader::for_frame(header);
    }

    /// A part of that frame's payload arrived.
    pub(super) fn on_payload_received(&mut self, mut bytes: &[u8]) {
        while let Some(entry) = self.received_payload.next_entry(&mut bytes) {
            match self.received_payload.kind {
                SETTINGS => {
                    let id = usize::from(u16::from_be_bytes([entry[0], entry[1]]));
                    if let Some(setting) = self.client_settings.get_mut(id) {
                        *setting = entry.last_chunk().copied().map(u32::from_be_bytes);
                    }
                }
                WINDOW_UPDATE => self.send_window += parse_increment(entry),
                _ if self.client_table == ClientTable::SettingsAcknowledged
                    && entry[0] == HPACK_TABLE_SIZE_ZERO =>
                {
                    self.client_table = ClientTable::Empty;
                }
                _ => {}
            }
        }
    }

    /// These bytes were sent to the client.
    pub(super) fn on_bytes_sent(&mut self, mut bytes: &[u8]) {
        while !self.not_resumable
            && let Some(event) = self.sent_scanner.next(&mut bytes)
        {
            match event {
                FrameEvent::Header(header) => self.on_frame_sent(&header),
                FrameEvent::Payload(mut payload) if self.sent_payload.kind == WINDOW_UPDATE => {
                    if let Some(entry) = self.sent_payload.next_entry(&mut payload) {
                        self.recv_window += parse_increment(entry);
                    }
                }
                FrameEvent::Payload(_) => {}
            }
        }
    }

    fn on_frame_sent(&mut self, header: &FrameHeader) {
        self.sent_payload = PayloadReader::for_frame(header);
        if header.kind == DATA {
            self.send_window -= flow_control_len(header);
        }
        match header.kind {
            DATA | HEADERS if header.flags & END_STREAM != 0 => {
                self.half_close(header.stream_id, |stream| stream.response_ended = true);
            }
            // The client may still send frames of a stream that was reset.
            RST_STREAM | GOAWAY => self.not_resumable = true,
            _ => {}
        }
    }

    fn open_stream(&mut self, id: u32, request_ended: bool) {
        self.last_stream_id = id;
        self.streams.push(Stream {
            id,
            request_ended,
            response_ended: false,
        });
        if self.streams.len() > MAX_TRACKED_STREAMS {
            (self.not_resumable, self.streams) = (true, Vec::new());
        }
    }

    fn half_close(&mut self, id: u32, close: impl FnOnce(&mut Stream)) {
        let mut streams = self.streams.iter_mut().enumerate();
        if let Some((index, stream)) = streams.find(|(_, stream)| stream.id == id) {
            close(stream);
            if stream.request_ended && stream.response_ended {
                self.streams.swap_remove(index);
            }
        }
    }

    /// True if a new h2 could continue, with a connection window of `window` bytes for the client.
    pub(super) fn is_resumable(&self, window: u32) -> bool {
        !self.not_resumable
            && self.client_table == ClientTable::Empty
            && self.streams.is_empty()
            && self.sent_scanner.is_at_boundary()
            // A new h2 starts with the initial window. It can be told of more, not of less.
            && self.send_window >= INITIAL_WINDOW
            && announces_window(window)
    }

    /// The last stream that the client opened.
    pub(super) fn last_stream_id(&self) -> u32 {
        self.last_stream_id
    }

    /// The WINDOW_UPDATE that widens the client's connection window to `window` bytes.
    pub(super) fn take_window_update(&mut self, window: u32) -> Vec<u8> {
        let missing = i64::from(window) - self.recv_window;
        self.recv_window += missing;
        self.streams.shrink_to_fit();
        window_update(missing)
    }

    /// What a new h2 has to read of the client: its preface, settings, acknowledgement and window.
    pub(super) fn client_preface(&self) -> Vec<u8> {
        let mut settings = Vec::new();
        for (id, value) in (0_u16..).zip(self.client_settings) {
            if let Some(value) = value {
                settings.extend(id.to_be_bytes());
                settings.extend(value.to_be_bytes());
            }
        }
        [
            PREFACE,
            &encode_frame(SETTINGS, 0, &settings),
            &encode_frame(SETTINGS, ACK, &[]),
            &window_update(self.send_window - INITIAL_WINDOW),
        ]
        .concat()
    }
}

/// The bytes of a DATA frame that count against a window.
fn flow_control_len(header: &FrameHeader) -> i64 {
    i64::try_from(header.length).unwrap_or(i64::MAX)
}

fn parse_increment(entry: [u8; 6]) -> i64 {
    let [first, second, third, fourth, ..] = entry;
    i64::from(u32::from_be_bytes([first, second, third, fourth]) & (u32::MAX >> 1))
}

/// A WINDOW_UPDATE of the connection; empty if there is no increment.
fn window_update(increment: i64) -> Vec<u8> {
    match u32::try_from(increment) {
        Ok(0) | Err(_) => Vec::new(),
        Ok(increment) => encode_frame(WINDOW_UPDATE, 0, &increment.to_be_bytes()),
    }
}

/// True if h2 begins with a WINDOW_UPDATE of the connection. It sends none if the window is wider
/// than the initial one by less than half.
pub(in crate::server) fn announces_window(window: u32) -> bool {
    let increment = i64::from(window) - INITIAL_WINDOW;
    increment >= INITIAL_WINDOW / 2
}
