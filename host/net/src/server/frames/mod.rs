//! Frames of HTTP/2 on their way from a client to h2: what they ask for is counted, and they are
//! handed on so that the buffer of h2 stays small, and so that no client keeps all others waiting.
//!
//! h2 doubles its buffer for a frame that the rest of it has no room for, and never gives that
//! back. So a frame is only begun where there is room for all of it, and DATA is cut to the room
//! that there is: where DATA is cut means nothing (RFC 9113, section 6.1).

mod connection_state;
mod frame_rate_limiter;
mod frame_scanner;
mod synthetic_handshake;
#[cfg(test)]
mod tests;

use tokio::io::ReadBuf;

use super::Bounds;
use connection_state::ConnectionState;
use frame_rate_limiter::FrameRateLimiter;
pub(super) use synthetic_handshake::SyntheticHandshake;

/// What a connection of HTTP/2 begins with (RFC 9113, section 3.4).
pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Bytes of the head of a frame (RFC 9113, section 4.1).
pub(super) const FRAME_HEADER_LEN: usize = 9;

/// Kinds of frames (RFC 9113, section 6).
pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
const PRIORITY: u8 = 2;
pub(super) const RST_STREAM: u8 = 3;
pub(super) const SETTINGS: u8 = 4;
pub(super) const PING: u8 = 6;
pub(super) const GOAWAY: u8 = 7;
pub(super) const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

/// The flags of a frame that ends its stream, of one that ends a head, of one with padding, of one
/// with a priority, and of one that only says that its like was heard.
pub(super) const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;
const PRIORITY_FLAG: u8 = 0x20;
pub(super) const ACK: u8 = 1;

/// A code of an error (RFC 9113, section 7).
const ENHANCE_YOUR_CALM: u32 = 0xb;

/// Bytes of a piece of DATA for which a buffer has to make room: with its head, all of the buffer
/// that h2 begins with.
const MAX_DATA_CHUNK: usize = (8 << 10) - FRAME_HEADER_LEN;

/// Where there is less room than this, a piece waits for more.
const MIN_DATA_CHUNK: usize = 2 << 10;

/// Requests that a client may begin before others have their turn.
const MAX_REQUESTS_PER_TURN: usize = 4;

/// The head of a frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct FrameHeader {
    pub(super) length: usize,
    pub(super) kind: u8,
    pub(super) flags: u8,
    stream_id: u32,
}

impl FrameHeader {
    pub(super) fn parse(bytes: [u8; FRAME_HEADER_LEN]) -> Self {
        let [high, middle, low, kind, flags, stream @ ..] = bytes;
        Self {
            length: usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low),
            kind,
            flags,
            stream_id: u32::from_be_bytes(stream) & (u32::MAX >> 1),
        }
    }

    #[cfg(test)]
    pub(super) fn stream_id(&self) -> u32 {
        self.stream_id
    }

    /// True where its payload may be cut.
    fn is_splittable(&self) -> bool {
        self.kind == DATA && self.flags & PADDED == 0
    }
}

/// What a client sends on one connection.
#[derive(Debug)]
pub(super) struct FrameInspector {
    /// The head that comes, or that is handed on.
    head: [u8; FRAME_HEADER_LEN],
    /// So many bytes of a head came.
    head_len: usize,
    /// So many bytes of a head were not handed on yet.
    pending_head: usize,
    /// Bytes that follow and are handed on as they are; the first ones are the preface.
    passthrough_left: usize,
    /// Bytes of the frame that follow in further pieces.
    data_left: usize,
    /// The flags of the frame, which its last piece has.
    data_flags: u8,
    /// A head of a request goes on in the next frame.
    in_header_block: bool,
    /// The last stream that was opened.
    last_stream_id: u32,
    /// Requests that were begun in this turn.
    requests_this_turn: usize,
    /// Bytes of a frame that follow and are not handed on.
    discard_left: usize,
    /// The streams up to this one ended under an h2 that was given up.
    last_ended_stream_id: u32,
    rate_limiter: FrameRateLimiter,
    connection_state: ConnectionState,
}

impl FrameInspector {
    pub(super) fn new(bounds: &Bounds) -> Self {
        Self {
            head: [0; FRAME_HEADER_LEN],
            head_len: 0,
            pending_head: 0,
            passthrough_left: PREFACE.len(),
            data_left: 0,
            data_flags: 0,
            in_header_block: false,
            last_stream_id: 0,
            requests_this_turn: 0,
            discard_left: 0,
            last_ended_stream_id: 0,
            rate_limiter: FrameRateLimiter::new(bounds),
            connection_state: ConnectionState::new(),
        }
    }

    /// Hands on as much of these bytes, which follow those before, as there is room for, and says
    /// how many of them it took. Nothing is handed on where all that came is part of a head.
    ///
    /// # Errors
    /// The limit that the client is above.
    pub(super) fn forward(
        &mut self,
        bytes: &[u8],
        target: &mut ReadBuf<'_>,
    ) -> Result<usize, &'static str> {
        let (mut rest, before) = (bytes, target.filled().len());
        loop {
            let is_first = target.filled().len() == before;
            if self.pending_head > 0 && !self.forward_head(is_first, target) {
                break;
            }
            if self.discard_left > 0 {
                let most = self.discard_left.min(rest.len());
                (self.discard_left, rest) = (self.discard_left - most, &rest[most..]);
                if self.discard_left > 0 {
                    break;
                }
            } else if self.passthrough_left > 0 {
                let most = self
                    .passthrough_left
                    .min(rest.len())
                    .min(target.remaining());
                target.put_slice(&rest[..most]);
                self.connection_state.on_payload_received(&rest[..most]);
                (self.passthrough_left, rest) = (self.passthrough_left - most, &rest[most..]);
                if self.passthrough_left > 0 {
                    break;
                }
            } else if self.data_left > 0 {
                if rest.is_empty() || !self.begin_chunk(is_first, target.remaining()) {
                    break;
                }
            } else {
                if self.requests_this_turn == MAX_REQUESTS_PER_TURN {
                    break;
                }
                let most = (FRAME_HEADER_LEN - self.head_len).min(rest.len());
                self.head[self.head_len..][..most].copy_from_slice(&rest[..most]);
                (self.head_len, rest) = (self.head_len + most, &rest[most..]);
                if self.head_len < FRAME_HEADER_LEN {
                    break;
                }
                self.begin_frame()?;
            }
        }
        Ok(bytes.len() - rest.len())
    }

    /// True where something is handed on although nothing more came.
    pub(super) fn has_pending_head(&self) -> bool {
        self.pending_head > 0
    }

    /// True once so many requests were begun that others have their turn: the next one begins then.
    pub(super) fn should_yield(&mut self) -> bool {
        let is_over = self.requests_this_turn == MAX_REQUESTS_PER_TURN
            && self.pending_head == 0
            && self.passthrough_left == 0;
        if is_over {
            self.requests_this_turn = 0;
        }
        is_over
    }

    /// True amid a frame or a head, which the client has to bring to its end.
    pub(super) fn is_mid_frame(&self) -> bool {
        self.head_len + self.passthrough_left + self.data_left + self.discard_left > 0
            || self.in_header_block
    }

    /// These bytes were sent to the client.
    pub(super) fn on_bytes_sent(&mut self, bytes: &[u8]) {
        self.rate_limiter.on_bytes_sent(bytes.len());
        self.connection_state.on_bytes_sent(bytes);
    }

    /// True where h2 may be given up for a while: another one can be told all that it has to know
    /// of the client, which may send so many bytes on the connection.
    pub(super) fn can_suspend(&self, window: u32) -> bool {
        !self.is_mid_frame()
            && !self.has_pending_head()
            && self.connection_state.is_resumable(window)
    }

    /// Bytes that the client is owed before another h2 takes over: that it may send so many.
    pub(super) fn take_window_update(&mut self, window: u32) -> Vec<u8> {
        self.connection_state.take_window_update(window)
    }

    /// Another h2 takes over.
    pub(super) fn resume(&mut self) -> SyntheticHandshake {
        self.last_ended_stream_id = self.connection_state.last_stream_id();
        SyntheticHandshake::new(self.connection_state.client_preface())
    }

    /// A head that came whole.
    fn begin_frame(&mut self) -> Result<(), &'static str> {
        let head = FrameHeader::parse(self.head);
        self.head_len = 0;
        if matches!(head.kind, HEADERS | CONTINUATION) {
            self.in_header_block = head.flags & END_HEADERS == 0;
        }
        if head.kind == HEADERS {
            self.last_stream_id = head.stream_id;
            self.requests_this_turn += 1;
        }
        self.rate_limiter.on_frame(&head)?;
        self.connection_state.on_frame_received(&head);
        if self.is_for_ended_stream(&head) {
            self.discard_left = head.length;
        } else if head.is_splittable() && head.length > 0 {
            (self.data_left, self.data_flags) = (head.length, head.flags);
        } else {
            (self.pending_head, self.passthrough_left) = (FRAME_HEADER_LEN, head.length);
        }
        Ok(())
    }

    /// True for what is said of a stream that ended: the client may say it, and h2 only takes it of
    /// streams that it knows (RFC 9113, section 5.1).
    fn is_for_ended_stream(&self, head: &FrameHeader) -> bool {
        let kinds = [PRIORITY, RST_STREAM, WINDOW_UPDATE];
        (1..=self.last_ended_stream_id).contains(&head.stream_id) && kinds.contains(&head.kind)
    }

    /// Begins the next piece of a frame, if there is enough room for it; the first one that is
    /// handed on has room made for it by its head.
    fn begin_chunk(&mut self, is_first: bool, room: usize) -> bool {
        let size = match room {
            room if room >= MIN_DATA_CHUNK.min(FRAME_HEADER_LEN + self.data_left) => {
                self.data_left.min(room - FRAME_HEADER_LEN)
            }
            _ if is_first => self.data_left.min(MAX_DATA_CHUNK),
            _ => return false,
        };
        self.data_left -= size;
        let length = u32::try_from(size).unwrap_or_default().to_be_bytes();
        self.head[..3].copy_from_slice(&length[1..]);
        self.head[4] = match self.data_left {
            0 => self.data_flags,
            _ => self.data_flags & !END_STREAM,
        };
        (self.pending_head, self.passthrough_left) = (FRAME_HEADER_LEN, size);
        true
    }

    /// Hands on a head, and says whether its payload may follow at once.
    fn forward_head(&mut self, is_first: bool, target: &mut ReadBuf<'_>) -> bool {
        if !is_first && self.pending_head + self.passthrough_left > target.remaining() {
            return false;
        }
        let most = self.pending_head.min(target.remaining());
        target.put_slice(&self.head[FRAME_HEADER_LEN - self.pending_head..][..most]);
        self.pending_head -= most;
        self.pending_head == 0 && self.passthrough_left <= target.remaining()
    }

    /// The end of the connection, with its reason.
    pub(super) fn goaway(&self, key: &str) -> Vec<u8> {
        goaway(self.last_stream_id, &format!("limits.{key}"))
    }
}

/// All that is said to a client that was not served: no settings of note, and the end (RFC 9113,
/// section 6.8).
pub(super) fn rejection_frames(key: &str) -> Vec<u8> {
    let mut frames = encode_frame(SETTINGS, &[]);
    frames.extend(goaway(0, &format!("limits.{key}")));
    frames
}

fn goaway(stream: u32, reason: &str) -> Vec<u8> {
    let mut payload = stream.to_be_bytes().to_vec();
    payload.extend(ENHANCE_YOUR_CALM.to_be_bytes());
    payload.extend(reason.as_bytes());
    encode_frame(GOAWAY, &payload)
}

/// A frame of the connection itself. Its payload is short.
pub(super) fn encode_frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len())
        .unwrap_or_default()
        .to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, 0, 0, 0, 0, 0]);
    frame.extend(payload);
    frame
}
