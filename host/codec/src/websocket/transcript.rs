//! From the bytes that crossed a tunnel in both directions to the turns of a conversation.

use std::ops::ControlFlow;

use bytes::BytesMut;

use super::{Bounds, Decoder, DeflateParams, Violation};
use ouli_message::stream::{Arrival, Ending, Message, MessageKind, Side};

/// Bytes are shown to a decoder in pieces of this size: it takes the masks off in a copy.
const CHUNK_SIZE: usize = 64 << 10;

/// What a conversation was made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transcript {
    /// The turns in the order in which their last bytes came.
    pub messages: Vec<Message>,
    /// How it ended, as far as the frames tell: as the protocol has it where each side closed, or
    /// one closed and the other broke the protocol; else, where one side closed, by the other one
    /// leaving. None where nobody closed: then only the transport knows.
    pub ending: Option<Ending>,
    /// How sides broke the protocol, at most one fault each, in order. What a side said before its
    /// fault is kept, and nothing behind it is read.
    pub violations: Vec<SideViolation>,
}

/// That a side broke the protocol, or went beyond the bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SideViolation {
    /// The side.
    pub side: Side,
    /// When the byte came that shows it, in microseconds from the start of the stream.
    pub at: u64,
    /// What it did.
    pub violation: Violation,
}

/// Reads a whole conversation: all bytes that each side sent behind its head, and how they came.
///
/// A message that is not whole at the end is dropped. Bytes behind the last arrival of their side
/// are not read. All turns together may take `most` bytes of memory: few bytes on the wire can be
/// many turns, or long ones. With the turn that would take more both sides end, and the fault of
/// its side has the code 1009.
pub fn read_transcript(
    client: &[u8],
    server: &[u8],
    arrivals: &[Arrival],
    deflate: Option<DeflateParams>,
    bounds: Bounds,
    most: u64,
) -> Transcript {
    let mut told = Transcript::default();
    let mut sides = [
        Reader::new(Side::Client, client, deflate, bounds),
        Reader::new(Side::Server, server, deflate, bounds),
    ];
    let mut room = most;
    for arrival in arrivals {
        let [of_client, of_server] = &mut sides;
        let reader = match arrival.side {
            Side::Client => of_client,
            Side::Server => of_server,
        };
        if reader.take(arrival, &mut told, &mut room).is_break() {
            break;
        }
    }
    let [client, server] = sides.map(|reader| reader.end());
    told.ending = ending(client, server);
    told
}

/// One side of a conversation while it is read.
struct Reader<'a> {
    side: Side,
    bytes: &'a [u8],
    read: usize,
    input: BytesMut,
    decoder: Decoder,
    broken: bool,
}

/// How one side left off.
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

    /// Reads the bytes of one arrival; a break where there is no room for more turns.
    fn take(
        &mut self,
        arrival: &Arrival,
        told: &mut Transcript,
        room: &mut u64,
    ) -> ControlFlow<()> {
        let end = usize::try_from(arrival.end).map_or(self.bytes.len(), |end| {
            end.clamp(self.read, self.bytes.len())
        });
        let bytes = &self.bytes[self.read..end];
        self.read = end;
        for piece in bytes.chunks(CHUNK_SIZE) {
            if self.broken || self.decoder.is_closed() {
                break;
            }
            self.input.extend_from_slice(piece);
            self.decode_buffered(arrival, told, room)?;
        }
        ControlFlow::Continue(())
    }

    /// Tells what is whole.
    fn decode_buffered(
        &mut self,
        arrival: &Arrival,
        told: &mut Transcript,
        room: &mut u64,
    ) -> ControlFlow<()> {
        let (side, at) = (self.side, arrival.at);
        loop {
            let said = match self.decoder.decode(&mut self.input) {
                Ok(None) => return ControlFlow::Continue(()),
                Ok(Some(heard)) => MessageKind::from(heard),
                Err(violation) => {
                    self.fail(violation, at, told);
                    return ControlFlow::Continue(());
                }
            };
            let Some(left) = room.checked_sub(memory(&said)) else {
                let violation = Violation::too_large("the conversation is too large");
                self.fail(violation, at, told);
                return ControlFlow::Break(());
            };
            *room = left;
            told.messages.push(Message {
                side,
                at,
                kind: said,
            });
        }
    }

    fn fail(&mut self, violation: Violation, at: u64, told: &mut Transcript) {
        self.broken = true;
        told.violations.push(SideViolation {
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

/// How many bytes of memory a turn takes.
fn memory(said: &MessageKind) -> u64 {
    (said.inline_bytes().len() + size_of::<Message>()) as u64
}
