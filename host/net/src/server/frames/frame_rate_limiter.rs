//! Counts the frames of HTTP/2 that cost a client nothing: whoever sends too many in a while is
//! shown out.
//!
//! What a client may send in any number is what brings the exchange on: requests, bytes of their
//! bodies, and room for the bytes that it was sent.

use std::time::Duration;

use tokio::time::Instant;

use super::{DATA, END_STREAM, FrameHeader, HEADERS, RST_STREAM, WINDOW_UPDATE};
use crate::server::Bounds;

/// How long frames are counted before a new count begins.
const WINDOW: Duration = Duration::from_secs(10);

/// For so many bytes that a client was sent it may widen a window once: a connection and a stream
/// for each frame, however short.
const MIN_BYTES_PER_WINDOW_UPDATE: usize = 4;

/// What a client sent on one connection in a while.
#[derive(Debug)]
pub(super) struct FrameRateLimiter {
    window_start: Instant,
    control_frames: usize,
    client_resets: usize,
    window_updates: usize,
    /// Bytes that the client was sent.
    sent_bytes: usize,
    max_control_frames: usize,
    max_client_resets: usize,
}

impl FrameRateLimiter {
    pub(super) fn new(bounds: &Bounds) -> Self {
        Self {
            window_start: Instant::now(),
            control_frames: 0,
            client_resets: 0,
            window_updates: 0,
            sent_bytes: 0,
            max_control_frames: bounds.http2_max_control_frames,
            max_client_resets: bounds.http2_max_client_resets,
        }
    }

    /// So many bytes were sent to the client.
    pub(super) fn on_bytes_sent(&mut self, count: usize) {
        self.sent_bytes = self.sent_bytes.saturating_add(count);
    }

    /// Counts a frame that came.
    ///
    /// # Errors
    /// The limit that the client is above.
    pub(super) fn on_frame(&mut self, head: &FrameHeader) -> Result<(), &'static str> {
        match head.kind {
            HEADERS => {}
            DATA if head.length > 0 || head.flags & END_STREAM != 0 => {}
            RST_STREAM => self.client_resets += 1,
            WINDOW_UPDATE => self.window_updates += 1,
            _ => self.control_frames += 1,
        }
        let unasked = self
            .window_updates
            .saturating_sub(self.sent_bytes / MIN_BYTES_PER_WINDOW_UPDATE);
        let idle = self.control_frames + unasked > self.max_control_frames;
        if !idle && self.client_resets <= self.max_client_resets {
            return Ok(());
        }
        // The clock is only looked at where a count is full.
        if self.window_start.elapsed() >= WINDOW {
            self.window_start = Instant::now();
            (
                self.control_frames,
                self.client_resets,
                self.window_updates,
                self.sent_bytes,
            ) = (0, 0, 0, 0);
            return Ok(());
        }
        Err(if idle {
            "http2_max_control_frames"
        } else {
            "http2_max_client_resets"
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::frames::{FRAME_HEADER_LEN, PING};
    use ouli_config::Limits;

    fn floods() -> FrameRateLimiter {
        FrameRateLimiter::new(&Bounds {
            http2_max_control_frames: 5,
            http2_max_client_resets: 3,
            ..Bounds::from(&Limits::default())
        })
    }

    fn head(kind: u8, flags: u8, length: u8) -> FrameHeader {
        let mut bytes = [0; FRAME_HEADER_LEN];
        (bytes[2], bytes[3], bytes[4]) = (length, kind, flags);
        FrameHeader::parse(bytes)
    }

    fn all(
        floods: &mut FrameRateLimiter,
        head: &FrameHeader,
        count: usize,
    ) -> Result<(), &'static str> {
        (0..count).try_for_each(|_| floods.on_frame(head))
    }

    #[test]
    fn what_brings_the_exchange_on_is_not_counted() {
        let mut counted = floods();
        for one in [
            head(DATA, 0, 10),
            head(HEADERS, 0, 1),
            head(DATA, END_STREAM, 0),
        ] {
            all(&mut counted, &one, 1000).unwrap();
        }
        assert!(all(&mut counted, &head(DATA, 0, 0), 6).is_err());
    }

    #[test]
    fn windows_may_be_widened_for_what_was_sent() {
        let update = head(WINDOW_UPDATE, 0, 4);
        let mut counted = floods();
        counted.on_bytes_sent(100 * MIN_BYTES_PER_WINDOW_UPDATE);
        all(&mut counted, &update, 105).unwrap();
        assert_eq!(counted.on_frame(&update), Err("http2_max_control_frames"));
    }

    #[test]
    fn streams_may_be_cancelled_but_not_all_the_time() {
        let reset = head(RST_STREAM, 0, 4);
        let mut counted = floods();
        all(&mut counted, &reset, 3).unwrap();
        assert_eq!(counted.on_frame(&reset), Err("http2_max_client_resets"));
    }

    #[test]
    fn a_new_count_begins_after_a_while() {
        let ping = head(PING, 0, 8);
        let mut counted = floods();
        for _ in 0..3 {
            all(&mut counted, &ping, 5).unwrap();
            counted.window_start -= WINDOW;
        }
        assert!(all(&mut counted, &ping, 12).is_err());
    }
}
