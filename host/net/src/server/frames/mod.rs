//! The frames that HTTP/2 clients send: they are inspected, counted and forwarded to h2.

mod connection_state;
mod frame;
mod frame_rate_limiter;
mod frame_scanner;
pub(super) mod hpack;
mod inspector;
pub(super) mod stream_marker;
mod synthetic_handshake;
#[cfg(test)]
mod tests;

#[cfg(test)]
pub(super) use connection_state::announces_window;
pub(super) use frame::{ACK, PING, PREFACE, encode_frame, rejection_frames};
pub(crate) use frame::{
    DATA, END_HEADERS, END_STREAM, FRAME_HEADER_LEN, FrameHeader, HEADERS, PADDED, PRIORITY_FLAG,
};
#[cfg(test)]
pub(super) use frame::{GOAWAY, RST_STREAM, SETTINGS, WINDOW_UPDATE};
pub(super) use inspector::FrameInspector;
pub(super) use synthetic_handshake::SyntheticHandshake;
