//! Limits the HTTP/2 frames that cost a client nothing. A client that sends too many of them within
//! ten seconds is disconnected.
//!
//! A client may send any number of frames that carry an exchange forward: requests, body data, and
//! window updates for the bytes that it was sent.

use std::time::Duration;

use tokio::time::Instant;

use super::frame::{DATA, END_STREAM, FrameHeader, HEADERS, RST_STREAM, WINDOW_UPDATE};
use crate::server::bounds::Bounds;

/// How long frames are counted before the counters restart.
const WINDOW: Duration = Duration::from_secs(10);

/// A client may send one WINDOW_UPDATE for this many bytes that it was sent: one of the connection
/// and one of the stream for each frame, however short.
const MIN_BYTES_PER_WINDOW_UPDATE: usize = 4;

/// Counts the frames of one connection.
#[derive(Debug)]
pub(super) struct FrameRateLimiter {
    window_start: Instant,
    counts: Counts,
    max_control_frames: usize,
    max_client_resets: usize,
}

/// What was counted since the window started.
#[derive(Debug, Default)]
struct Counts {
    control_frames: usize,
    client_resets: usize,
    window_updates: usize,
    /// Bytes that the client was sent.
    sent_bytes: usize,
}

impl FrameRateLimiter {
    pub(super) fn new(bounds: &Bounds) -> Self {
        Self {
            window_start: Instant::now(),
            counts: Counts::default(),
            max_control_frames: bounds.http2_max_control_frames,
            max_client_resets: bounds.http2_max_client_resets,
        }
    }

    /// Bytes were sent to the client.
    pub(super) fn on_bytes_sent(&mut self, count: usize) {
        self.counts.sent_bytes = self.counts.sent_bytes.saturating_add(count);
    }

    /// Counts a frame from the client.
    ///
    /// # Errors
    /// The key of the limit that the client exceeds.
    pub(super) fn on_frame(&mut self, header: &FrameHeader) -> Result<(), &'static str> {
        let counts = &mut self.counts;
        match header.kind {
            HEADERS => {}
            DATA if header.length > 0 || header.flags & END_STREAM != 0 => {}
            RST_STREAM => counts.client_resets += 1,
            WINDOW_UPDATE => counts.window_updates += 1,
            _ => counts.control_frames += 1,
        }
        let excess_updates = counts
            .window_updates
            .saturating_sub(counts.sent_bytes / MIN_BYTES_PER_WINDOW_UPDATE);
        let exceeded = if counts.control_frames + excess_updates > self.max_control_frames {
            "http2_max_control_frames"
        } else if counts.client_resets > self.max_client_resets {
            "http2_max_client_resets"
        } else {
            return Ok(());
        };
        // The clock is only read once a counter is full.
        if self.window_start.elapsed() >= WINDOW {
            self.window_start = Instant::now();
            self.counts = Counts::default();
            return Ok(());
        }
        Err(exceeded)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::frames::{FRAME_HEADER_LEN, PING};

    fn limiter() -> FrameRateLimiter {
        FrameRateLimiter::new(&Bounds {
            http2_max_control_frames: 5,
            http2_max_client_resets: 3,
            ..Bounds::default()
        })
    }

    fn header(kind: u8, flags: u8, length: u8) -> FrameHeader {
        let mut bytes = [0; FRAME_HEADER_LEN];
        (bytes[2], bytes[3], bytes[4]) = (length, kind, flags);
        FrameHeader::parse(bytes)
    }

    fn repeat(
        limiter: &mut FrameRateLimiter,
        header: &FrameHeader,
        count: usize,
    ) -> Result<(), &'static str> {
        (0..count).try_for_each(|_| limiter.on_frame(header))
    }

    #[test]
    fn does_not_count_frames_that_carry_an_exchange_forward() {
        let mut limiter = limiter();
        for frame in [
            header(DATA, 0, 10),
            header(HEADERS, 0, 1),
            header(DATA, END_STREAM, 0),
        ] {
            repeat(&mut limiter, &frame, 1000).unwrap();
        }
        assert!(repeat(&mut limiter, &header(DATA, 0, 0), 6).is_err());
    }

    #[test]
    fn allows_window_updates_for_the_bytes_that_were_sent() {
        let update = header(WINDOW_UPDATE, 0, 4);
        let mut limiter = limiter();
        limiter.on_bytes_sent(100 * MIN_BYTES_PER_WINDOW_UPDATE);
        repeat(&mut limiter, &update, 105).unwrap();
        assert_eq!(limiter.on_frame(&update), Err("http2_max_control_frames"));
    }

    #[test]
    fn limits_the_streams_that_the_client_resets() {
        let reset = header(RST_STREAM, 0, 4);
        let mut limiter = limiter();
        repeat(&mut limiter, &reset, 3).unwrap();
        assert_eq!(limiter.on_frame(&reset), Err("http2_max_client_resets"));
    }

    #[test]
    fn restarts_the_counters_after_the_window() {
        let ping = header(PING, 0, 8);
        let mut limiter = limiter();
        for _ in 0..3 {
            repeat(&mut limiter, &ping, 5).unwrap();
            limiter.window_start -= WINDOW;
        }
        assert!(repeat(&mut limiter, &ping, 12).is_err());
    }
}
