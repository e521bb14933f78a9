//! From the bytes that crossed a tunnel in both directions to the turns of a conversation.

use std::ops::ControlFlow;

use bytes::BytesMut;

use super::{Bounds, Decoder, Deflate, Violation};
use ouli_message::stream::{Arrival, Ending, Said, Side, Turn};

/// Bytes are shown to a decoder in pieces of this size: it takes the masks off in a copy.
const PIECE: usize = 64 << 10;

/// What a conversation was made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transcript {
    /// The turns in the order in which their last bytes came.
    pub turns: Vec<Turn>,
    /// How it ended, as far as the frames tell: as the protocol has it where each side closed, or
    /// one closed and the other broke the protocol; else, where one side closed, by the other one
    /// leaving. None where nobody closed: then only the transport knows.
    pub ending: Option<Ending>,
    /// How sides broke the protocol, at most one fault each, in order. What a side said before its
    /// fault is kept, and nothing behind it is read.
    pub faults: Vec<Fault>,
}

/// That a side broke the protocol, or went beyond the bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
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
pub fn transcript(
    client: &[u8],
    server: &[u8],
    arrivals: &[Arrival],
    deflate: Option<Deflate>,
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
    let [client, server] = sides.map(|reader| reader.how());
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
enum How {
    Closed,
    Broken,
    Silent,
}

impl<'a> Reader<'a> {
    fn new(side: Side, bytes: &'a [u8], deflate: Option<Deflate>, bounds: Bounds) -> Self {
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
        for piece in bytes.chunks(PIECE) {
            if self.broken || self.decoder.is_closed() {
                break;
            }
            self.input.extend_from_slice(piece);
            self.tell(arrival, told, room)?;
        }
        ControlFlow::Continue(())
    }

    /// Tells what is whole.
    fn tell(
        &mut self,
        arrival: &Arrival,
        told: &mut Transcript,
        room: &mut u64,
    ) -> ControlFlow<()> {
        let (side, at) = (self.side, arrival.at);
        loop {
            let said = match self.decoder.decode(&mut self.input) {
                Ok(None) => return ControlFlow::Continue(()),
                Ok(Some(heard)) => Said::from(heard),
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
            told.turns.push(Turn { side, at, said });
        }
    }

    fn fail(&mut self, violation: Violation, at: u64, told: &mut Transcript) {
        self.broken = true;
        told.faults.push(Fault {
            side: self.side,
            at,
            violation,
        });
    }

    fn how(&self) -> How {
        if self.broken {
            How::Broken
        } else if self.decoder.is_closed() {
            How::Closed
        } else {
            How::Silent
        }
    }
}

fn ending(client: How, server: How) -> Option<Ending> {
    match (client, server) {
        (How::Closed, How::Closed | How::Broken) | (How::Broken, How::Closed) => {
            Some(Ending::Complete)
        }
        (How::Closed, How::Silent) => Some(Ending::Server),
        (How::Silent, How::Closed) => Some(Ending::Client),
        (How::Silent | How::Broken, How::Silent | How::Broken) => None,
    }
}

/// How many bytes of memory a turn takes.
fn memory(said: &Said) -> u64 {
    (said.bytes().len() + size_of::<Turn>()) as u64
}
