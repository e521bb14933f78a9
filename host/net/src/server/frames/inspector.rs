//! Forwards the frames of a client to h2 so that h2's read buffer stays small and one client does
//! not keep the others waiting.
//!
//! h2 doubles its buffer for a frame that does not fit into the rest of it, and never shrinks it.
//! So a frame is only begun if all of it fits, and DATA is split to fit: how DATA is split has no
//! meaning (RFC 9113, section 6.1).

use tokio::io::ReadBuf;

use super::connection_state::ConnectionState;
use super::frame::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, FRAME_HEADER_LEN, FrameHeader, HEADERS, PADDED,
    PREFACE, PRIORITY, RST_STREAM, WINDOW_UPDATE, goaway,
};
use super::frame_rate_limiter::FrameRateLimiter;
use super::stream_marker;
use super::synthetic_handshake::SyntheticHandshake;
use crate::server::bounds::Bounds;

/// Payload bytes of a DATA chunk for which h2 has to make room: with its header, all of the buffer
/// that h2 begins with.
pub(super) const MAX_DATA_CHUNK: usize = (8 << 10) - FRAME_HEADER_LEN;

/// With less room than this, a DATA chunk waits for more.
const MIN_DATA_CHUNK: usize = 2 << 10;

/// Requests that one client may begin before the other tasks of the thread run.
pub(super) const MAX_REQUESTS_PER_TURN: usize = 4;

/// The frames that a client sends on one connection.
#[derive(Debug)]
pub(in crate::server) struct FrameInspector {
    state: State,
    /// The frame header that is being read or forwarded.
    header: [u8; FRAME_HEADER_LEN],
    /// What is forwarded after the payload of the frame: the marker of a stream.
    suffix: Vec<u8>,
    /// SETTINGS_MAX_FRAME_SIZE.
    max_frame_size: usize,
    /// A header block continues in the next frame.
    in_header_block: bool,
    last_stream_id: u32,
    requests_this_turn: usize,
    /// The streams up to this one ended before the current h2 began.
    last_ended_stream_id: u32,
    rate_limiter: FrameRateLimiter,
    connection_state: ConnectionState,
}

/// What the next bytes are.
#[derive(Clone, Copy, Debug)]
enum State {
    /// A frame header, of which `received` bytes arrived.
    ReadHeader { received: usize },
    /// The header was read; its last `unsent` bytes are to be forwarded, then `payload` bytes.
    ForwardHeader {
        unsent: usize,
        payload: usize,
        rest: DataRest,
    },
    /// Payload that is forwarded unchanged.
    ForwardPayload { left: usize, rest: DataRest },
    /// Payload of a DATA frame whose next chunk has not begun.
    SplitData(DataRest),
    /// Payload that is not forwarded.
    Discard { left: usize },
}

/// What follows the current chunk of a DATA frame.
#[derive(Clone, Copy, Debug)]
struct DataRest {
    /// Payload bytes after the chunk.
    length: usize,
    /// The frame's flags, which only its last chunk carries.
    flags: u8,
}

impl DataRest {
    const NONE: Self = Self {
        length: 0,
        flags: 0,
    };
}

impl State {
    const NEXT_FRAME: Self = Self::ReadHeader { received: 0 };

    /// The state after the payload of a frame or chunk.
    fn after_payload(rest: DataRest) -> Self {
        match rest.length {
            0 => Self::NEXT_FRAME,
            _ => Self::SplitData(rest),
        }
    }
}

impl FrameInspector {
    pub(in crate::server) fn new(bounds: &Bounds) -> Self {
        Self {
            state: State::ForwardPayload {
                left: PREFACE.len(),
                rest: DataRest::NONE,
            },
            header: [0; FRAME_HEADER_LEN],
            suffix: Vec::new(),
            max_frame_size: usize::try_from(bounds.http2_max_frame_size).unwrap_or(usize::MAX),
            in_header_block: false,
            last_stream_id: 0,
            requests_this_turn: 0,
            last_ended_stream_id: 0,
            rate_limiter: FrameRateLimiter::new(bounds),
            connection_state: ConnectionState::new(),
        }
    }

    /// Forwards as much of the next bytes as fits into `target`. Returns how many bytes it
    /// consumed. Nothing is forwarded if the bytes end within a frame header.
    ///
    /// # Errors
    /// The key of the limit that the client exceeds.
    pub(in crate::server) fn forward(
        &mut self,
        bytes: &[u8],
        target: &mut ReadBuf<'_>,
    ) -> Result<usize, &'static str> {
        let (mut input, before) = (bytes, target.filled().len());
        loop {
            let is_first = target.filled().len() == before;
            let advanced = match self.state {
                State::ReadHeader { received } => self.read_header(received, &mut input)?,
                State::ForwardHeader {
                    unsent,
                    payload,
                    rest,
                } => self.forward_header(unsent, (payload, rest), is_first, target),
                State::ForwardPayload { left, rest } => {
                    self.forward_payload(left, rest, &mut input, target)
                }
                State::SplitData(rest) => {
                    !input.is_empty() && self.begin_chunk(rest, is_first, target.remaining())
                }
                State::Discard { left } => self.discard(left, &mut input),
            };
            if !advanced {
                return Ok(bytes.len() - input.len());
            }
        }
    }

    /// True if a part of a frame can be forwarded without further input.
    pub(in crate::server) fn has_pending_output(&self) -> bool {
        match self.state {
            State::ForwardHeader { .. } => true,
            State::ForwardPayload { left, .. } => left > 0 && left == self.suffix.len(),
            _ => false,
        }
    }

    /// True once after the client has begun [`MAX_REQUESTS_PER_TURN`] requests.
    pub(in crate::server) fn should_yield(&mut self) -> bool {
        let is_turn_over = self.requests_this_turn == MAX_REQUESTS_PER_TURN
            && matches!(self.state, State::ReadHeader { .. });
        if is_turn_over {
            self.requests_this_turn = 0;
        }
        is_turn_over
    }

    /// True within a frame or a header block that the client has to complete.
    pub(in crate::server) fn is_mid_frame(&self) -> bool {
        let is_incomplete = match self.state {
            State::ReadHeader { received } => received > 0,
            State::ForwardHeader { payload, rest, .. } => payload + rest.length > 0,
            State::ForwardPayload { .. } | State::SplitData(_) | State::Discard { .. } => true,
        };
        is_incomplete || self.in_header_block
    }

    /// These bytes were sent to the client.
    pub(in crate::server) fn on_bytes_sent(&mut self, bytes: &[u8]) {
        self.rate_limiter.on_bytes_sent(bytes.len());
        self.connection_state.on_bytes_sent(bytes);
    }

    /// True if h2 can be dropped for now: a new h2 can be told all that it has to know of the
    /// client, including a connection window of `window` bytes.
    pub(in crate::server) fn can_suspend(&self, window: u32) -> bool {
        !self.is_mid_frame()
            && !self.has_pending_output()
            && self.connection_state.is_resumable(window)
    }

    /// A WINDOW_UPDATE that restores the client's connection window to `window` bytes, which is
    /// what a new h2 assumes. Empty if the window has that size.
    pub(in crate::server) fn take_window_update(&mut self, window: u32) -> Vec<u8> {
        self.connection_state.take_window_update(window)
    }

    /// A new h2 takes over.
    pub(in crate::server) fn resume(&mut self) -> SyntheticHandshake {
        self.last_ended_stream_id = self.connection_state.last_stream_id();
        SyntheticHandshake::new(self.connection_state.client_preface())
    }

    /// The GOAWAY for a client that exceeds a limit.
    pub(in crate::server) fn goaway(&self, key: &str) -> Vec<u8> {
        goaway(self.last_stream_id, key)
    }

    /// Reads a frame header. False if it is incomplete, or if the client's turn is over.
    fn read_header(&mut self, received: usize, input: &mut &[u8]) -> Result<bool, &'static str> {
        if self.requests_this_turn == MAX_REQUESTS_PER_TURN {
            return Ok(false);
        }
        let count = (FRAME_HEADER_LEN - received).min(input.len());
        self.header[received..][..count].copy_from_slice(&input[..count]);
        *input = &input[count..];
        let received = received + count;
        if received < FRAME_HEADER_LEN {
            self.state = State::ReadHeader { received };
            return Ok(false);
        }
        self.begin_frame()?;
        Ok(true)
    }

    fn begin_frame(&mut self) -> Result<(), &'static str> {
        let header = FrameHeader::parse(self.header);
        if matches!(header.kind, HEADERS | CONTINUATION) {
            self.in_header_block = header.flags & END_HEADERS == 0;
        }
        self.suffix.clear();
        if header.kind == HEADERS {
            if header.stream_id > self.last_stream_id {
                self.suffix = stream_marker::for_frame(&header, self.max_frame_size);
            }
            self.last_stream_id = self.last_stream_id.max(header.stream_id);
            self.requests_this_turn += 1;
        }
        self.rate_limiter.on_frame(&header)?;
        self.connection_state.on_frame_received(&header);
        let (length, flags) = (header.length, header.flags);
        self.state = if self.is_for_ended_stream(&header) {
            match length {
                0 => State::NEXT_FRAME,
                left => State::Discard { left },
            }
        } else if self.is_splittable(&header) {
            State::SplitData(DataRest { length, flags })
        } else {
            let payload = length + self.suffix.len();
            self.set_length(payload);
            State::ForwardHeader {
                unsent: FRAME_HEADER_LEN,
                payload,
                rest: DataRest::NONE,
            }
        };
        Ok(())
    }

    /// Sets the length of the frame that is forwarded.
    fn set_length(&mut self, length: usize) {
        let length = u32::try_from(length).unwrap_or_default().to_be_bytes();
        self.header[..3].copy_from_slice(&length[1..]);
    }

    /// True if the frame's payload may be split into several frames. h2 rejects a frame that is too
    /// large (RFC 9113, section 4.2).
    fn is_splittable(&self, header: &FrameHeader) -> bool {
        header.kind == DATA
            && header.flags & PADDED == 0
            && (1..=self.max_frame_size).contains(&header.length)
    }

    /// True for frames that a client may send for a stream that has ended, and that h2 accepts only
    /// for streams that it knows (RFC 9113, section 5.1).
    fn is_for_ended_stream(&self, header: &FrameHeader) -> bool {
        let kinds = [PRIORITY, RST_STREAM, WINDOW_UPDATE];
        (1..=self.last_ended_stream_id).contains(&header.stream_id) && kinds.contains(&header.kind)
    }

    /// Begins the next chunk of a DATA frame. False if there is too little room; h2 makes room for
    /// the first frame of a read once it has its header.
    fn begin_chunk(&mut self, data: DataRest, is_first: bool, room: usize) -> bool {
        let payload = if room >= MIN_DATA_CHUNK.min(FRAME_HEADER_LEN + data.length) {
            data.length.min(room - FRAME_HEADER_LEN)
        } else if is_first {
            data.length.min(MAX_DATA_CHUNK)
        } else {
            return false;
        };
        let rest = DataRest {
            length: data.length - payload,
            flags: data.flags,
        };
        self.set_length(payload);
        self.header[4] = match rest.length {
            0 => data.flags,
            _ => data.flags & !END_STREAM,
        };
        self.state = State::ForwardHeader {
            unsent: FRAME_HEADER_LEN,
            payload,
            rest,
        };
        true
    }

    /// Forwards a header. True if its payload may follow in the same read.
    fn forward_header(
        &mut self,
        unsent: usize,
        (payload, rest): (usize, DataRest),
        is_first: bool,
        target: &mut ReadBuf<'_>,
    ) -> bool {
        if !is_first && unsent + payload > target.remaining() {
            return false;
        }
        let count = unsent.min(target.remaining());
        target.put_slice(&self.header[FRAME_HEADER_LEN - unsent..][..count]);
        self.state = match (unsent - count, payload) {
            (0, 0) => State::after_payload(rest),
            (0, left) => State::ForwardPayload { left, rest },
            (unsent, payload) => State::ForwardHeader {
                unsent,
                payload,
                rest,
            },
        };
        unsent == count && payload <= target.remaining()
    }

    /// Forwards payload. True once all of it was forwarded.
    fn forward_payload(
        &mut self,
        left: usize,
        rest: DataRest,
        input: &mut &[u8],
        target: &mut ReadBuf<'_>,
    ) -> bool {
        let in_input = left - self.suffix.len();
        let count = in_input.min(input.len()).min(target.remaining());
        target.put_slice(&input[..count]);
        self.connection_state.on_payload_received(&input[..count]);
        *input = &input[count..];
        let mut left = left - count;
        if count == in_input {
            let suffix = self.suffix.len().min(target.remaining());
            target.put_slice(&self.suffix[..suffix]);
            self.suffix.drain(..suffix);
            left -= suffix;
        }
        self.state = match left {
            0 => State::after_payload(rest),
            left => State::ForwardPayload { left, rest },
        };
        left == 0
    }

    /// Discards payload. True once all of it was discarded.
    fn discard(&mut self, left: usize, input: &mut &[u8]) -> bool {
        let count = left.min(input.len());
        *input = &input[count..];
        self.state = match left - count {
            0 => State::NEXT_FRAME,
            left => State::Discard { left },
        };
        count == left
    }
}
