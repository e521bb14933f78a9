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
use connection_state::Agreed;
use frame_rate_limiter::Floods;
pub(super) use synthetic_handshake::Handshake;

/// What a connection of HTTP/2 begins with (RFC 9113, section 3.4).
pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Bytes of the head of a frame (RFC 9113, section 4.1).
pub(super) const HEAD: usize = 9;

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
const WITH_PRIORITY: u8 = 0x20;
pub(super) const ACK: u8 = 1;

/// A code of an error (RFC 9113, section 7).
const ENHANCE_YOUR_CALM: u32 = 0xb;

/// Bytes of a piece of DATA for which a buffer has to make room: with its head, all of the buffer
/// that h2 begins with.
const PIECE: usize = (8 << 10) - HEAD;

/// Where there is less room than this, a piece waits for more.
const LEAST: usize = 2 << 10;

/// Requests that a client may begin before others have their turn.
const TURN: usize = 4;

/// The head of a frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    pub(super) length: usize,
    pub(super) kind: u8,
    pub(super) flags: u8,
    stream: u32,
}

impl Head {
    pub(super) fn of(bytes: [u8; HEAD]) -> Self {
        let [high, middle, low, kind, flags, stream @ ..] = bytes;
        Self {
            length: usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low),
            kind,
            flags,
            stream: u32::from_be_bytes(stream) & (u32::MAX >> 1),
        }
    }

    #[cfg(test)]
    pub(super) fn stream(&self) -> u32 {
        self.stream
    }

    /// True where its payload may be cut.
    fn is_cut(&self) -> bool {
        self.kind == DATA && self.flags & PADDED == 0
    }
}

/// What a client sends on one connection.
#[derive(Debug)]
pub(super) struct Frames {
    /// The head that comes, or that is handed on.
    head: [u8; HEAD],
    /// So many bytes of a head came.
    known: usize,
    /// So many bytes of a head were not handed on yet.
    owed: usize,
    /// Bytes that follow and are handed on as they are; the first ones are the preface.
    plain: usize,
    /// Bytes of the frame that follow in further pieces.
    left: usize,
    /// The flags of the frame, which its last piece has.
    flags: u8,
    /// A head of a request goes on in the next frame.
    open: bool,
    /// The last stream that was opened.
    stream: u32,
    /// Requests that were begun in this turn.
    begun: usize,
    /// Bytes of a frame that follow and are not handed on.
    dropped: usize,
    /// The streams up to this one ended under an h2 that was given up.
    ended: u32,
    floods: Floods,
    agreed: Agreed,
}

impl Frames {
    pub(super) fn new(bounds: &Bounds) -> Self {
        Self {
            head: [0; HEAD],
            known: 0,
            owed: 0,
            plain: PREFACE.len(),
            left: 0,
            flags: 0,
            open: false,
            stream: 0,
            begun: 0,
            dropped: 0,
            ended: 0,
            floods: Floods::new(bounds),
            agreed: Agreed::new(),
        }
    }

    /// Hands on as much of these bytes, which follow those before, as there is room for, and says
    /// how many of them it took. Nothing is handed on where all that came is part of a head.
    ///
    /// # Errors
    /// The limit that the client is above.
    pub(super) fn hand_on(
        &mut self,
        bytes: &[u8],
        target: &mut ReadBuf<'_>,
    ) -> Result<usize, &'static str> {
        let (mut rest, before) = (bytes, target.filled().len());
        loop {
            let is_first = target.filled().len() == before;
            if self.owed > 0 && !self.hand_on_head(is_first, target) {
                break;
            }
            if self.dropped > 0 {
                let most = self.dropped.min(rest.len());
                (self.dropped, rest) = (self.dropped - most, &rest[most..]);
                if self.dropped > 0 {
                    break;
                }
            } else if self.plain > 0 {
                let most = self.plain.min(rest.len()).min(target.remaining());
                target.put_slice(&rest[..most]);
                self.agreed.payload(&rest[..most]);
                (self.plain, rest) = (self.plain - most, &rest[most..]);
                if self.plain > 0 {
                    break;
                }
            } else if self.left > 0 {
                if rest.is_empty() || !self.begin_piece(is_first, target.remaining()) {
                    break;
                }
            } else {
                if self.begun == TURN {
                    break;
                }
                let most = (HEAD - self.known).min(rest.len());
                self.head[self.known..][..most].copy_from_slice(&rest[..most]);
                (self.known, rest) = (self.known + most, &rest[most..]);
                if self.known < HEAD {
                    break;
                }
                self.begin()?;
            }
        }
        Ok(bytes.len() - rest.len())
    }

    /// True where something is handed on although nothing more came.
    pub(super) fn owes(&self) -> bool {
        self.owed > 0
    }

    /// True once so many requests were begun that others have their turn: the next one begins then.
    pub(super) fn is_others_turn(&mut self) -> bool {
        let is_over = self.begun == TURN && self.owed == 0 && self.plain == 0;
        if is_over {
            self.begun = 0;
        }
        is_over
    }

    /// True amid a frame or a head, which the client has to bring to its end.
    pub(super) fn is_amid(&self) -> bool {
        self.known + self.plain + self.left + self.dropped > 0 || self.open
    }

    /// These bytes were sent to the client.
    pub(super) fn sent(&mut self, bytes: &[u8]) {
        self.floods.sent(bytes.len());
        self.agreed.sent(bytes);
    }

    /// True where h2 may be given up for a while: another one can be told all that it has to know
    /// of the client, which may send so many bytes on the connection.
    pub(super) fn may_rest(&self, window: u32) -> bool {
        !self.is_amid() && !self.owes() && self.agreed.is_whole(window)
    }

    /// Bytes that the client is owed before another h2 takes over: that it may send so many.
    pub(super) fn owed(&mut self, window: u32) -> Vec<u8> {
        self.agreed.owed(window)
    }

    /// Another h2 takes over.
    pub(super) fn take_over(&mut self) -> Handshake {
        self.ended = self.agreed.last();
        Handshake::new(self.agreed.told())
    }

    /// A head that came whole.
    fn begin(&mut self) -> Result<(), &'static str> {
        let head = Head::of(self.head);
        self.known = 0;
        if matches!(head.kind, HEADERS | CONTINUATION) {
            self.open = head.flags & END_HEADERS == 0;
        }
        if head.kind == HEADERS {
            self.stream = head.stream;
            self.begun += 1;
        }
        self.floods.count(&head)?;
        self.agreed.received(&head);
        if self.is_late(&head) {
            self.dropped = head.length;
        } else if head.is_cut() && head.length > 0 {
            (self.left, self.flags) = (head.length, head.flags);
        } else {
            (self.owed, self.plain) = (HEAD, head.length);
        }
        Ok(())
    }

    /// True for what is said of a stream that ended: the client may say it, and h2 only takes it of
    /// streams that it knows (RFC 9113, section 5.1).
    fn is_late(&self, head: &Head) -> bool {
        let kinds = [PRIORITY, RST_STREAM, WINDOW_UPDATE];
        (1..=self.ended).contains(&head.stream) && kinds.contains(&head.kind)
    }

    /// Begins the next piece of a frame, if there is enough room for it; the first one that is
    /// handed on has room made for it by its head.
    fn begin_piece(&mut self, is_first: bool, room: usize) -> bool {
        let size = match room {
            room if room >= LEAST.min(HEAD + self.left) => self.left.min(room - HEAD),
            _ if is_first => self.left.min(PIECE),
            _ => return false,
        };
        self.left -= size;
        let length = u32::try_from(size).unwrap_or_default().to_be_bytes();
        self.head[..3].copy_from_slice(&length[1..]);
        self.head[4] = match self.left {
            0 => self.flags,
            _ => self.flags & !END_STREAM,
        };
        (self.owed, self.plain) = (HEAD, size);
        true
    }

    /// Hands on a head, and says whether its payload may follow at once.
    fn hand_on_head(&mut self, is_first: bool, target: &mut ReadBuf<'_>) -> bool {
        if !is_first && self.owed + self.plain > target.remaining() {
            return false;
        }
        let most = self.owed.min(target.remaining());
        target.put_slice(&self.head[HEAD - self.owed..][..most]);
        self.owed -= most;
        self.owed == 0 && self.plain <= target.remaining()
    }

    /// The end of the connection, with its reason.
    pub(super) fn goaway(&self, key: &str) -> Vec<u8> {
        goaway(self.stream, &format!("limits.{key}"))
    }
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
pub(super) fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len())
        .unwrap_or_default()
        .to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, 0, 0, 0, 0, 0]);
    frame.extend(payload);
    frame
}
