//! Counts the frames of HTTP/2 that cost a client nothing: the heads of frames are looked at while
//! they pass, and whoever sends too many in a while is shown out.
//!
//! What a client may send in any number is what brings the exchange on: requests, bytes of their
//! bodies, and room for the bytes that it was sent.

use std::time::Duration;

use tokio::time::Instant;

use super::Bounds;

/// How long frames are counted before a new count begins.
const WINDOW: Duration = Duration::from_secs(10);

/// What a connection of HTTP/2 begins with (RFC 9113, section 3.4).
pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Bytes of the head of a frame (RFC 9113, section 4.1).
const HEAD: usize = 9;

/// Kinds of frames (RFC 9113, section 6).
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

/// The flags of a frame that ends its stream, and of one that ends a head.
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// For so many bytes that a client was sent it may widen a window once: a connection and a stream
/// for each frame, however short.
const BYTES_OF_AN_UPDATE: usize = 4;

/// A code of an error (RFC 9113, section 7).
const ENHANCE_YOUR_CALM: u32 = 0xb;

/// Bytes of small frames that are handed on together.
const SMALL: usize = 4 << 10;

/// What a client sends on one connection.
#[derive(Debug)]
pub(super) struct Frames {
    /// The head that is on its way; the first bytes are the preface.
    head: [u8; HEAD],
    known: usize,
    /// Bytes that are none of a head.
    skip: usize,
    /// A head goes on in the next frame.
    open: bool,
    /// The last stream that was opened.
    stream: u32,
    since: Instant,
    idle: usize,
    resets: usize,
    updates: usize,
    /// Bytes that the client was sent.
    sent: usize,
    most_idle: usize,
    most_resets: usize,
}

impl Frames {
    pub(super) fn new(bounds: &Bounds) -> Self {
        Self {
            head: [0; HEAD],
            known: 0,
            skip: PREFACE.len(),
            open: false,
            stream: 0,
            since: Instant::now(),
            idle: 0,
            resets: 0,
            updates: 0,
            sent: 0,
            most_idle: bounds.http2_idle_frames,
            most_resets: bounds.http2_cancelled,
        }
    }

    /// Looks at bytes that came.
    ///
    /// # Errors
    /// The limit that the client is above.
    pub(super) fn see(&mut self, mut bytes: &[u8]) -> Result<(), &'static str> {
        while !bytes.is_empty() {
            if self.skip > 0 {
                let most = self.skip.min(bytes.len());
                self.skip -= most;
                bytes = &bytes[most..];
                continue;
            }
            let most = (HEAD - self.known).min(bytes.len());
            self.head[self.known..][..most].copy_from_slice(&bytes[..most]);
            self.known += most;
            bytes = &bytes[most..];
            if self.known == HEAD {
                self.known = 0;
                self.count()?;
            }
        }
        Ok(())
    }

    /// How many of these bytes, which follow those that were looked at, end with a frame: one that
    /// is large, or some that are small. Whoever reads no more at a time needs a buffer for one
    /// frame and no larger one; h2 would double its own for each part of a frame that is left over.
    pub(super) fn whole(&self, bytes: &[u8]) -> usize {
        let mut end = self.skip;
        let mut known = &self.head[..self.known];
        while end < bytes.len() {
            let Some(length) = length(known, &bytes[end..]) else {
                break;
            };
            let next = end + HEAD - known.len() + length;
            if end > 0 && next > SMALL {
                break;
            }
            (end, known) = (next, &[]);
        }
        if end == 0 {
            bytes.len()
        } else {
            end.min(bytes.len())
        }
    }

    /// True amid a frame or a head, which the client has to bring to its end.
    pub(super) fn is_amid(&self) -> bool {
        self.known > 0 || self.skip > 0 || self.open
    }

    /// So many bytes were sent to the client.
    pub(super) fn sent(&mut self, count: usize) {
        self.sent = self.sent.saturating_add(count);
    }

    fn count(&mut self) -> Result<(), &'static str> {
        let [high, middle, low, kind, flags, stream @ ..] = self.head;
        let length = u32::from_be_bytes([0, high, middle, low]);
        self.skip = usize::try_from(length).unwrap_or(usize::MAX);
        if kind == HEADERS || kind == CONTINUATION {
            self.open = flags & END_HEADERS == 0;
        }
        match kind {
            HEADERS => self.stream = u32::from_be_bytes(stream) & (u32::MAX >> 1),
            DATA if length > 0 || flags & END_STREAM != 0 => {}
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

    /// The end of the connection, with its reason.
    pub(super) fn goaway(&self, key: &str) -> Vec<u8> {
        goaway(self.stream, &format!("limits.{key}"))
    }
}

/// The length of the frame whose head begins with `known` and goes on in `bytes`; none where more
/// of it is to come.
fn length(known: &[u8], bytes: &[u8]) -> Option<usize> {
    if known.len() + bytes.len() < HEAD {
        return None;
    }
    let mut bytes = known.iter().chain(bytes);
    let mut next = || bytes.next().map_or(0, |byte| usize::from(*byte));
    Some(next() << 16 | next() << 8 | next())
}

/// All that is said to a client that was not served: no settings of note, and the end (RFC 9113,
/// section 6.8).
pub(super) fn refusal(key: &str) -> Vec<u8> {
    let mut frames = frame(SETTINGS, &[]);
    frames.extend(goaway(0, &format!("limits.{key}")));
    frames
}

fn goaway(stream: u32, reason: &str) -> Vec<u8> {
    let mut payload = stream.to_be_bytes().to_vec();
    payload.extend(ENHANCE_YOUR_CALM.to_be_bytes());
    payload.extend(reason.as_bytes());
    frame(GOAWAY, &payload)
}

/// A frame of the connection itself. Its payload is short.
fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len())
        .unwrap_or_default()
        .to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, 0, 0, 0, 0, 0]);
    frame.extend(payload);
    frame
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Limits;

    const PING: u8 = 6;

    fn frames() -> Frames {
        let bounds = Bounds {
            http2_idle_frames: 5,
            http2_cancelled: 3,
            ..Bounds::from(&Limits::default())
        };
        let mut frames = Frames::new(&bounds);
        frames.see(PREFACE).unwrap();
        frames
    }

    fn many(one: &[u8], count: usize) -> Vec<u8> {
        one.repeat(count)
    }

    #[test]
    fn frames_are_counted_wherever_reads_cut_them() {
        let ping = frame(PING, &[7; 8]);
        for size in [1, 2, 9, 10, 17, 1000] {
            let mut counted = frames();
            let fits = many(&ping, 5);
            for piece in fits.chunks(size) {
                counted.see(piece).unwrap();
            }
            let last: Result<Vec<_>, _> = ping.chunks(size).map(|one| counted.see(one)).collect();
            assert_eq!(last.unwrap_err(), "http2_idle_frames", "{size}");
        }
    }

    #[test]
    fn what_brings_the_exchange_on_is_not_counted() {
        let mut counted = frames();
        let data = frame(DATA, b"some bytes");
        let headers = frame(HEADERS, &[0x82]);
        let mut last = frame(DATA, &[]);
        last[4] = END_STREAM;
        for one in [data, headers, last] {
            counted.see(&many(&one, 1000)).unwrap();
        }
        assert!(counted.see(&many(&frame(DATA, &[]), 6)).is_err());
    }

    #[test]
    fn windows_may_be_widened_for_what_was_sent() {
        let update = frame(WINDOW_UPDATE, &1_u32.to_be_bytes());
        let mut counted = frames();
        counted.sent(100 * BYTES_OF_AN_UPDATE);
        counted.see(&many(&update, 105)).unwrap();
        assert_eq!(counted.see(&update), Err("http2_idle_frames"));
    }

    #[test]
    fn streams_may_be_cancelled_but_not_all_the_time() {
        let reset = frame(RST_STREAM, &8_u32.to_be_bytes());
        let mut counted = frames();
        counted.see(&many(&reset, 3)).unwrap();
        assert_eq!(counted.see(&reset), Err("http2_cancelled"));
    }

    #[test]
    fn a_new_count_begins_after_a_while() {
        let ping = frame(PING, &[7; 8]);
        let mut counted = frames();
        for _ in 0..3 {
            counted.see(&many(&ping, 5)).unwrap();
            counted.since -= WINDOW;
        }
        assert!(counted.see(&many(&ping, 12)).is_err());
    }

    #[test]
    fn a_head_is_amid_until_its_last_frame_is_whole() {
        let mut counted = frames();
        assert!(!counted.is_amid());
        let mut last = frame(CONTINUATION, &[0x82]);
        last[4] = END_HEADERS;
        counted.see(&frame(HEADERS, &[0x82])).unwrap();
        assert!(counted.is_amid());
        for piece in last.chunks(3) {
            assert!(counted.is_amid());
            counted.see(piece).unwrap();
        }
        assert!(!counted.is_amid());
        counted.see(&frame(PING, &[7; 8])[..12]).unwrap();
        assert!(counted.is_amid());
    }

    #[test]
    fn what_is_handed_on_ends_with_a_frame() {
        let (small, large) = (frame(DATA, &[7; 8]), frame(DATA, &[7; 10_000]));
        let counted = frames();
        let both = [&small[..], &small, &large, &small].concat();
        assert_eq!(counted.whole(&both), 2 * small.len());
        assert_eq!(counted.whole(&both[2 * small.len()..]), large.len());
        assert_eq!(counted.whole(&both[2 * small.len()..][..500]), 500);
        assert_eq!(counted.whole(&small[..5]), 5);
        let mut counted = frames();
        for part in [&large[..5], &large[5..20]] {
            counted.see(part).unwrap();
            let rest = [&large[5..], &small].concat();
            if part.len() == 5 {
                assert_eq!(counted.whole(&rest), large.len() - 5);
            }
        }
        let rest = [&large[20..], &large].concat();
        assert_eq!(counted.whole(&rest), large.len() - 20);
        // Read so, it is all there.
        let mut counted = frames();
        let mut bytes = &both.repeat(3)[..];
        while !bytes.is_empty() {
            let whole = counted.whole(bytes);
            counted.see(&bytes[..whole]).unwrap();
            assert!(!counted.is_amid());
            bytes = &bytes[whole..];
        }
    }

    #[test]
    fn the_end_names_the_last_stream_and_the_limit() {
        let mut counted = frames();
        let mut headers = frame(HEADERS, &[]);
        headers[8] = 9;
        counted.see(&headers).unwrap();
        let goaway = counted.goaway("http2_cancelled");
        assert_eq!(goaway[9..17], [0, 0, 0, 9, 0, 0, 0, 0xb]);
        assert!(goaway.ends_with(b"limits.http2_cancelled"));
        assert_eq!(goaway[2] as usize, goaway.len() - HEAD);
    }
}
