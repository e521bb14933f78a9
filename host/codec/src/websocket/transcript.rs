//! Decodes the bytes of both directions of a WebSocket into the messages of a conversation.

use std::ops::ControlFlow;

use bytes::BytesMut;

use super::{Bounds, Decoder, DeflateParams, ReceivedMessage, Violation};
use ouli_message::stream::{Arrival, Ending, Message, MessageKind, Side};

/// Size of the chunks for the decoder, which unmasks a copy.
const CHUNK_SIZE: usize = 64 << 10;

/// The messages and the ending of a conversation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transcript {
    /// The messages in the order in which their last bytes arrived.
    pub messages: Vec<Message>,
    /// The ending by the close frames. Complete if both sides closed, or one closed and the other
    /// violated the protocol. Aborted by the other side if only one side closed. None if no side
    /// closed: then only the transport knows.
    pub ending: Option<Ending>,
    /// Protocol violations in order, at most one for each side. Messages before a violation are
    /// kept; bytes after it are not decoded. One of the client is also a message.
    pub violations: Vec<SideViolation>,
    /// Messages whose ends never came, at most one for each side.
    pub half_messages: Vec<HalfMessage>,
    /// The number of messages before the client's stream ended; none if its end was not seen.
    pub client_ended: Option<usize>,
    /// The server sent a message after further bytes of a client that had violated the protocol. It
    /// may be an answer to them.
    pub has_unread_turns: bool,
    /// A side that was within a message when the other one closed because of an error. The error
    /// may be in the part of the message that had been sent.
    pub failed_within: Option<Side>,
    /// The messages of the server during which messages of the client ended.
    overlaps: Vec<Overlap>,
    /// Further bytes came of a client that had violated the protocol.
    bytes_after_violation: bool,
}

/// A message whose end never came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HalfMessage {
    /// The side that began it.
    pub side: Side,
    /// The number of messages before it began.
    pub position: usize,
}

/// A message of the server that began before and ended after messages of the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Overlap {
    /// The index of the message.
    index: usize,
    /// Where and when it began.
    begun: Begin,
}

/// The begin of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Begin {
    /// The number of messages that ended before.
    position: usize,
    /// Arrival time of the first byte, in microseconds from the start of the stream.
    at: u64,
}

/// A violation of the protocol or of the limits by one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SideViolation {
    /// The side.
    pub side: Side,
    /// Arrival time of the offending byte, in microseconds from the start of the stream.
    pub at: u64,
    /// The violation.
    pub violation: Violation,
}

impl Transcript {
    /// The messages in the order of a replay: a message of the server stands where it began, one of
    /// the client where it ended.
    ///
    /// A side that answers a part of a message, which few libraries show, then still gets what it
    /// waits for. The other side cannot tell the difference: intermediaries may change the
    /// fragments of a message (RFC 6455, section 5.4).
    pub fn into_replay_order(self) -> Vec<Message> {
        let mut messages = self.messages;
        for Overlap { index, begun } in self.overlaps {
            messages[index].at = begun.at;
            messages[begun.position..=index].rotate_right(1);
        }
        messages
    }
}

/// Decodes a whole conversation: all bytes that each side sent after the handshake, and their
/// arrivals.
///
/// The client's bytes are checked as a server checks them. What a server sends is read as far as a
/// message can be told: text that is not UTF-8 and codes that must not be sent are messages too. A
/// form of a frame that the encoder does not write, and a message after the close frame, are
/// violations. What a client sends after its close frame is discarded, as servers discard it.
/// Bytes after the last arrival of their side are ignored. All messages together may use `limit`
/// bytes of memory, since few bytes on the wire can be many or long messages. The message that
/// exceeds the limit ends both sides, with a violation of code 1009 for its side.
pub fn read_transcript(
    client: &[u8],
    server: &[u8],
    arrivals: &[Arrival],
    deflate: Option<DeflateParams>,
    bounds: Bounds,
    limit: u64,
) -> Transcript {
    let mut transcript = Transcript::default();
    let mut sides = [
        Reader::new(Side::Client, client, deflate, bounds),
        Reader::new(Side::Server, server, deflate, bounds),
    ];
    let mut left = limit;
    for arrival in arrivals {
        let [client_reader, server_reader] = &mut sides;
        let reader = match arrival.side {
            Side::Client => client_reader,
            Side::Server => server_reader,
        };
        if reader.take(arrival, &mut transcript, &mut left).is_break() {
            break;
        }
    }
    for side in &sides {
        side.check_failure(&mut transcript);
    }
    transcript.half_messages = sides.iter().filter_map(Reader::half_message).collect();
    let [client, server] = sides.map(|reader| reader.end());
    transcript.ending = ending(client, server);
    transcript
}

/// The decoding state of one side.
struct Reader<'a> {
    side: Side,
    bytes: &'a [u8],
    read: usize,
    input: BytesMut,
    decoder: Decoder,
    broken: bool,
    /// Where the incomplete message began.
    begun: Option<Begin>,
    /// Decodes what follows the close frame.
    late_decoder: Decoder,
    late_input: BytesMut,
}

/// How one side ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum SideEnd {
    Closed,
    Broken,
    Open,
}

impl<'a> Reader<'a> {
    fn new(side: Side, bytes: &'a [u8], deflate: Option<DeflateParams>, bounds: Bounds) -> Self {
        let decoder = Decoder::new(side, bounds, deflate);
        Self {
            side,
            bytes,
            read: 0,
            input: BytesMut::new(),
            decoder: match side {
                Side::Client => decoder,
                Side::Server => decoder.without_content_checks().with_length_checks(),
            },
            broken: false,
            begun: None,
            late_decoder: Decoder::new(side, bounds, None),
            late_input: BytesMut::new(),
        }
    }

    /// Decodes the bytes of one arrival. Breaks if the memory limit is reached.
    fn take(
        &mut self,
        arrival: &Arrival,
        transcript: &mut Transcript,
        left: &mut u64,
    ) -> ControlFlow<()> {
        let end = usize::try_from(arrival.end).map_or(self.bytes.len(), |end| {
            end.clamp(self.read, self.bytes.len())
        });
        let bytes = &self.bytes[self.read..end];
        self.read = end;
        let is_client = self.side == Side::Client;
        if is_client && bytes.is_empty() {
            transcript
                .client_ended
                .get_or_insert(transcript.messages.len());
        }
        if is_client && self.broken && !bytes.is_empty() {
            transcript.bytes_after_violation = true;
        }
        for chunk in bytes.chunks(CHUNK_SIZE) {
            if self.broken {
                break;
            }
            if self.decoder.is_closed() {
                self.late_input.extend_from_slice(chunk);
            } else {
                self.input.extend_from_slice(chunk);
                self.decode_buffered(arrival, transcript, left)?;
            }
            self.check_late(arrival.at, transcript);
        }
        let is_within = !self.input.is_empty() || self.decoder.is_within_message();
        if self.broken || !is_within {
            self.begun = None;
        } else if self.begun.is_none() {
            self.begun = Some(Begin {
                position: transcript.messages.len(),
                at: arrival.at,
            });
        }
        ControlFlow::Continue(())
    }

    /// Adds the complete messages in the buffer to the transcript.
    fn decode_buffered(
        &mut self,
        arrival: &Arrival,
        transcript: &mut Transcript,
        left: &mut u64,
    ) -> ControlFlow<()> {
        let (side, at) = (self.side, arrival.at);
        loop {
            let kind = match self.decoder.decode(&mut self.input) {
                Ok(None) => return ControlFlow::Continue(()),
                Ok(Some(message)) => MessageKind::from(message),
                Err(violation) => {
                    self.fail(violation, at, transcript);
                    return ControlFlow::Continue(());
                }
            };
            let Some(rest) = left.checked_sub(memory(&kind)) else {
                let violation = Violation::too_large("the conversation is too large");
                self.fail(violation, at, transcript);
                return ControlFlow::Break(());
            };
            *left = rest;
            let is_data = side == Side::Server && kind.payload().is_some();
            transcript.has_unread_turns |= is_data && transcript.bytes_after_violation;
            if kind.payload().is_some() {
                self.check_failure(transcript);
                let begun = self.begun.take();
                if let Some(begun) = begun.filter(|begun| self.overlaps(begun, transcript)) {
                    let index = transcript.messages.len();
                    transcript.overlaps.push(Overlap { index, begun });
                }
            } else if !self.decoder.is_within_message() {
                self.begun = None;
            }
            transcript.messages.push(Message { side, at, kind });
            if self.decoder.is_closed() {
                self.late_input = std::mem::take(&mut self.input);
                return ControlFlow::Continue(());
            }
        }
    }

    /// Checks that a server sends no message after its close frame (RFC 6455, section 5.5.1).
    /// Control frames change nothing then; some libraries send a second close frame.
    fn check_late(&mut self, at: u64, transcript: &mut Transcript) {
        if self.side == Side::Client {
            self.late_input.clear();
            return;
        }
        while !self.late_input.is_empty() {
            match self.late_decoder.decode(&mut self.late_input) {
                Ok(Some(message)) if !matches!(message, ReceivedMessage::Data { .. }) => {}
                Ok(None) if !self.late_decoder.is_within_message() => return,
                Ok(_) | Err(_) => {
                    let violation = Violation::protocol("a frame follows the close frame");
                    self.fail(violation, at, transcript);
                    return;
                }
            }
        }
    }

    /// True if messages of the client ended since a message of the server began.
    fn overlaps(&self, begun: &Begin, transcript: &Transcript) -> bool {
        let mut meanwhile = transcript.messages[begun.position..].iter();
        self.side == Side::Server && meanwhile.any(|message| message.side == Side::Client)
    }

    /// Notices if the other side closed because of an error since the message has begun.
    fn check_failure(&self, transcript: &mut Transcript) {
        let since = self
            .begun
            .and_then(|begun| transcript.messages.get(begun.position..));
        let mut since = since.unwrap_or_default().iter();
        if since.any(|message| message.side != self.side && is_error(&message.kind)) {
            transcript.failed_within = Some(self.side);
        }
    }

    fn fail(&mut self, violation: Violation, at: u64, transcript: &mut Transcript) {
        self.broken = true;
        let side = self.side;
        if side == Side::Client {
            let Violation { code, reason } = violation;
            let reason = reason.to_owned();
            let kind = MessageKind::Invalid { code, reason };
            transcript.messages.push(Message { side, at, kind });
        }
        transcript.violations.push(SideViolation {
            side,
            at,
            violation,
        });
    }

    /// The message that has begun and not ended.
    fn half_message(&self) -> Option<HalfMessage> {
        let position = self.begun?.position;
        let side = self.side;
        Some(HalfMessage { side, position })
    }

    fn end(&self) -> SideEnd {
        if self.broken {
            SideEnd::Broken
        } else if self.decoder.is_closed() {
            SideEnd::Closed
        } else {
            SideEnd::Open
        }
    }
}

/// True for a close frame by which a library reports an error (RFC 6455, section 7.4.1).
fn is_error(kind: &MessageKind) -> bool {
    matches!(
        kind,
        MessageKind::Close {
            code: Some(1002..=1014),
            ..
        }
    )
}

fn ending(client: SideEnd, server: SideEnd) -> Option<Ending> {
    match (client, server) {
        (SideEnd::Closed, SideEnd::Closed | SideEnd::Broken)
        | (SideEnd::Broken, SideEnd::Closed) => Some(Ending::Complete),
        (SideEnd::Closed, SideEnd::Open) => Some(Ending::ServerAborted),
        (SideEnd::Open, SideEnd::Closed) => Some(Ending::ClientAborted),
        (SideEnd::Open | SideEnd::Broken, SideEnd::Open | SideEnd::Broken) => None,
    }
}

/// Memory of a message in bytes.
fn memory(kind: &MessageKind) -> u64 {
    (kind.inline_bytes().len() + size_of::<Message>()) as u64
}
