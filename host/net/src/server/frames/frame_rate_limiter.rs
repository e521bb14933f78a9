//! Counts the frames of HTTP/2 that cost a client nothing: whoever sends too many in a while is
//! shown out.
//!
//! What a client may send in any number is what brings the exchange on: requests, bytes of their
//! bodies, and room for the bytes that it was sent.

use std::time::Duration;

use tokio::time::Instant;

use super::{DATA, END_STREAM, HEADERS, Head, RST_STREAM, WINDOW_UPDATE};
use crate::server::Bounds;

/// How long frames are counted before a new count begins.
const WINDOW: Duration = Duration::from_secs(10);

/// For so many bytes that a client was sent it may widen a window once: a connection and a stream
/// for each frame, however short.
const BYTES_OF_AN_UPDATE: usize = 4;

/// What a client sent on one connection in a while.
#[derive(Debug)]
pub(super) struct Floods {
    since: Instant,
    idle: usize,
    resets: usize,
    updates: usize,
    /// Bytes that the client was sent.
    sent: usize,
    most_idle: usize,
    most_resets: usize,
}

impl Floods {
    pub(super) fn new(bounds: &Bounds) -> Self {
        Self {
            since: Instant::now(),
            idle: 0,
            resets: 0,
            updates: 0,
            sent: 0,
            most_idle: bounds.http2_idle_frames,
            most_resets: bounds.http2_cancelled,
        }
    }

    /// So many bytes were sent to the client.
    pub(super) fn sent(&mut self, count: usize) {
        self.sent = self.sent.saturating_add(count);
    }

    /// Counts a frame that came.
    ///
    /// # Errors
    /// The limit that the client is above.
    pub(super) fn count(&mut self, head: &Head) -> Result<(), &'static str> {
        match head.kind {
            HEADERS => {}
            DATA if head.length > 0 || head.flags & END_STREAM != 0 => {}
            RST_STREAM => self.resets += 1,
            WINDOW_UPDATE => self.updates += 1,
            _ => self.idle += 1,
        }
        let unasked = self.updates.saturating_sub(self.sent / BYTES_OF_AN_UPDATE);
        let idle = self.idle + unasked > self.most_idle;
        if !idle && self.resets <= self.most_resets {
            return Ok(());
        }
        // The clock is only looked at where a count is full.
        if self.since.elapsed() >= WINDOW {
            self.since = Instant::now();
            (self.idle, self.resets, self.updates, self.sent) = (0, 0, 0, 0);
            return Ok(());
        }
        Err(if idle {
            "http2_idle_frames"
        } else {
            "http2_cancelled"
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::frames::{HEAD, PING};
    use ouli_config::Limits;

    fn floods() -> Floods {
        Floods::new(&Bounds {
            http2_idle_frames: 5,
            http2_cancelled: 3,
            ..Bounds::from(&Limits::default())
        })
    }

    fn head(kind: u8, flags: u8, length: u8) -> Head {
        let mut bytes = [0; HEAD];
        (bytes[2], bytes[3], bytes[4]) = (length, kind, flags);
        Head::of(bytes)
    }

    fn all(floods: &mut Floods, head: &Head, count: usize) -> Result<(), &'static str> {
        (0..count).try_for_each(|_| floods.count(head))
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
        counted.sent(100 * BYTES_OF_AN_UPDATE);
        all(&mut counted, &update, 105).unwrap();
        assert_eq!(counted.count(&update), Err("http2_idle_frames"));
    }

    #[test]
    fn streams_may_be_cancelled_but_not_all_the_time() {
        let reset = head(RST_STREAM, 0, 4);
        let mut counted = floods();
        all(&mut counted, &reset, 3).unwrap();
        assert_eq!(counted.count(&reset), Err("http2_cancelled"));
    }

    #[test]
    fn a_new_count_begins_after_a_while() {
        let ping = head(PING, 0, 8);
        let mut counted = floods();
        for _ in 0..3 {
            all(&mut counted, &ping, 5).unwrap();
            counted.since -= WINDOW;
        }
        assert!(all(&mut counted, &ping, 12).is_err());
    }
}
