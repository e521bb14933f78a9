//! The frames of HTTP/2 (RFC 9113): their types, flags and headers.

/// The client's connection preface (section 3.4).
pub(in crate::server) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Bytes of a frame header (section 4.1).
pub(crate) const FRAME_HEADER_LEN: usize = 9;

/// Frame types (section 6).
pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(super) const PRIORITY: u8 = 2;
pub(in crate::server) const RST_STREAM: u8 = 3;
pub(in crate::server) const SETTINGS: u8 = 4;
pub(in crate::server) const PING: u8 = 6;
pub(in crate::server) const GOAWAY: u8 = 7;
pub(in crate::server) const WINDOW_UPDATE: u8 = 8;
pub(super) const CONTINUATION: u8 = 9;

/// Frame flags (section 6). ACK belongs to SETTINGS and PING, END_STREAM to DATA and HEADERS.
pub(in crate::server) const ACK: u8 = 1;
pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;
pub(crate) const PADDED: u8 = 8;
pub(crate) const PRIORITY_FLAG: u8 = 0x20;

/// An error code (section 7).
const ENHANCE_YOUR_CALM: u32 = 0xb;

/// The header of a frame.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FrameHeader {
    pub(crate) length: usize,
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream_id: u32,
}

impl FrameHeader {
    pub(crate) fn parse(bytes: [u8; FRAME_HEADER_LEN]) -> Self {
        let [high, middle, low, kind, flags, stream_id @ ..] = bytes;
        Self {
            length: usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low),
            kind,
            flags,
            // The highest bit is reserved.
            stream_id: u32::from_be_bytes(stream_id) & (u32::MAX >> 1),
        }
    }
}

/// A frame of the connection itself (stream 0), with a short payload.
pub(in crate::server) fn encode_frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len())
        .unwrap_or_default()
        .to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags, 0, 0, 0, 0]);
    frame.extend(payload);
    frame
}

/// What the server sends to a connection that it does not serve: its preface, empty SETTINGS, and
/// the GOAWAY that ends the connection (section 6.8).
pub(in crate::server) fn rejection_frames(key: &str) -> Vec<u8> {
    let mut frames = encode_frame(SETTINGS, 0, &[]);
    frames.extend(goaway(0, key));
    frames
}

/// A GOAWAY that names the limit which the client exceeds.
pub(super) fn goaway(last_stream_id: u32, key: &str) -> Vec<u8> {
    let mut payload = last_stream_id.to_be_bytes().to_vec();
    payload.extend(ENHANCE_YOUR_CALM.to_be_bytes());
    payload.extend(format!("limits.{key}").as_bytes());
    encode_frame(GOAWAY, 0, &payload)
}
