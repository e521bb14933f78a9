//! Decodes the bytes of both directions of a WebSocket into the messages of a conversation.

use std::ops::ControlFlow;

use bytes::BytesMut;

use super::{Bounds, Decoder, DeflateParams, Violation};
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
    /// kept; bytes after it are not decoded.
    pub violations: Vec<SideViolation>,
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

/// Decodes a whole conversation: all bytes that each side sent after the handshake, and their
/// arrivals.
///
/// An incomplete message at the end is dropped. Bytes after the last arrival of their side are
/// ignored. All messages together may use `limit` bytes of memory, since few bytes on the wire can
/// be many or long messages. The message that exceeds the limit ends both sides, with a violation
/// of code 1009 for its side.
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
        Self {
            side,
            bytes,
            read: 0,
            input: BytesMut::new(),
            decoder: Decoder::new(side, bounds, deflate),
            broken: false,
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
        for chunk in bytes.chunks(CHUNK_SIZE) {
            if self.broken || self.decoder.is_closed() {
                break;
            }
            self.input.extend_from_slice(chunk);
            self.decode_buffered(arrival, transcript, left)?;
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
            transcript.messages.push(Message { side, at, kind });
        }
    }

    fn fail(&mut self, violation: Violation, at: u64, transcript: &mut Transcript) {
        self.broken = true;
        transcript.violations.push(SideViolation {
            side: self.side,
            at,
            violation,
        });
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
