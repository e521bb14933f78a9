//! Compressing and decompressing messages (RFC 7692, section 7.2).

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use super::{DeflateParams, Violation};
use ouli_message::stream::Side;

/// The end of each compressed message, which is not sent (RFC 7692, section 7.2.1).
const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];
/// A last block without content. Behind the tail it shows that a message ended where a block did.
const LAST_BLOCK: [u8; 2] = [0x03, 0x00];
/// The one byte that says that nothing is compressed (RFC 7692, section 7.2.3.6).
const EMPTY_MESSAGE: u8 = 0x00;
/// Bytes that come out at once.
const CHUNK_SIZE: usize = 8 << 10;
/// The most blocks of a message that may say to be the last: each costs a new start.
const MAX_LAST_BLOCKS: u32 = 4096;
/// zlib has no plain deflate with the smallest window.
const MIN_BITS: u8 = 9;
/// A window of this size reads what any other one wrote.
const MAX_BITS: u8 = 15;

/// What the sender of messages agreed to.
#[derive(Clone, Copy, Debug)]
struct SenderParams {
    no_context_takeover: bool,
    bits: u8,
}

impl SenderParams {
    fn of(sender: Side, deflate: &DeflateParams) -> Self {
        match sender {
            Side::Client => Self {
                no_context_takeover: deflate.client_no_context_takeover,
                bits: deflate.client_max_window_bits,
            },
            Side::Server => Self {
                no_context_takeover: deflate.server_no_context_takeover,
                bits: deflate.server_max_window_bits,
            },
        }
    }
}

/// Decompresses the messages of one side, piece by piece.
#[derive(Debug)]
pub(super) struct Inflater {
    params: SenderParams,
    /// There from the first compressed message on.
    stream: Option<Decompress>,
    /// What came out last, as much as the next bytes may refer to, and up to as much before it.
    window: Vec<u8>,
    chunk: Box<[u8]>,
    /// The last block of a message ended, and no byte came behind it.
    ended: bool,
    /// How often that was so in this message.
    last_blocks: u32,
}

impl Inflater {
    pub(super) fn new(sender: Side, deflate: &DeflateParams) -> Self {
        Self {
            params: SenderParams::of(sender, deflate),
            stream: None,
            window: Vec::new(),
            chunk: Box::default(),
            ended: true,
            last_blocks: 0,
        }
    }

    /// Decompresses more of a message. `take` gets what comes out.
    pub(super) fn push(
        &mut self,
        mut input: &[u8],
        mut take: impl FnMut(&[u8]) -> Result<(), Violation>,
    ) -> Result<(), Violation> {
        while !input.is_empty() {
            if self.ended {
                self.start()?;
            }
            input = self.step(input, &mut take)?;
        }
        Ok(())
    }

    /// Ends a message. One whose last block says that it is the last needs nothing behind it,
    /// though RFC 7692, section 7.2.3.4, asks for a byte: not every sender adds it.
    pub(super) fn finish(
        &mut self,
        mut take: impl FnMut(&[u8]) -> Result<(), Violation>,
    ) -> Result<(), Violation> {
        if !self.ended {
            let mut end = [0; TAIL.len() + LAST_BLOCK.len()];
            end[..TAIL.len()].copy_from_slice(&TAIL);
            end[TAIL.len()..].copy_from_slice(&LAST_BLOCK);
            let mut rest = end.as_slice();
            while !rest.is_empty() && !self.ended {
                rest = self.step(rest, &mut take)?;
            }
            if !rest.is_empty() || !self.ended {
                return Err(corrupt());
            }
        }
        self.last_blocks = 0;
        if self.params.no_context_takeover {
            self.window.clear();
        }
        Ok(())
    }

    /// Begins anew, with the window that the next block may refer to.
    fn start(&mut self) -> Result<(), Violation> {
        if self.chunk.is_empty() {
            self.chunk = vec![0; CHUNK_SIZE].into();
        }
        let stream = self
            .stream
            .get_or_insert_with(|| Decompress::new_with_window_bits(false, MAX_BITS));
        stream.reset(false);
        let size = 1 << self.params.bits;
        let window = &self.window[self.window.len().saturating_sub(size)..];
        if !window.is_empty() {
            stream.set_dictionary(window).map_err(|_| corrupt())?;
        }
        self.ended = false;
        Ok(())
    }

    /// Decompresses until the input is used up or a last block ends, and gives the rest of it.
    fn step<'a>(
        &mut self,
        mut input: &'a [u8],
        take: &mut impl FnMut(&[u8]) -> Result<(), Violation>,
    ) -> Result<&'a [u8], Violation> {
        let Some(stream) = &mut self.stream else {
            return Err(corrupt());
        };
        loop {
            let (read, written) = (stream.total_in(), stream.total_out());
            let status = stream.decompress(input, &mut self.chunk, FlushDecompress::Sync);
            // Neither can be more than there was.
            input = &input[(stream.total_in() - read) as usize..];
            let out = &self.chunk[..(stream.total_out() - written) as usize];
            keep(&mut self.window, out, 1 << self.params.bits);
            // What came out before the bytes that are wrong may be wrong itself, and is told first.
            take(out)?;
            let status = status.map_err(|_| corrupt())?;
            if status == Status::StreamEnd {
                self.ended = true;
                self.last_blocks += 1;
                if self.last_blocks > MAX_LAST_BLOCKS {
                    return Err(Violation::content("a message has too many last blocks"));
                }
                return Ok(input);
            }
            if out.len() < CHUNK_SIZE {
                return if input.is_empty() {
                    Ok(input)
                } else {
                    Err(corrupt())
                };
            }
        }
    }
}

/// Keeps the last `size` bytes of what came out, and moves them only now and then.
fn keep(window: &mut Vec<u8>, out: &[u8], size: usize) {
    window.extend_from_slice(&out[out.len().saturating_sub(size)..]);
    if window.len() > 2 * size {
        window.drain(..window.len() - size);
    }
}

fn corrupt() -> Violation {
    Violation::content("a compressed message is corrupt")
}

/// Compresses the messages of one side.
#[derive(Debug)]
pub(super) struct Deflater {
    params: SenderParams,
    /// There from the first compressed message on.
    stream: Option<Compress>,
}

impl Deflater {
    pub(super) fn new(sender: Side, deflate: &DeflateParams) -> Self {
        let own = SenderParams::of(sender, deflate);
        Self {
            params: own,
            stream: None,
        }
    }

    /// A message without its tail; none where this side cannot compress.
    pub(super) fn message(&mut self, content: &[u8]) -> Option<Vec<u8>> {
        if self.params.bits < MIN_BITS {
            return None;
        }
        // Nothing needs no window, and a second flush in a row would add nothing.
        if content.is_empty() {
            return Some(vec![EMPTY_MESSAGE]);
        }
        let stream = self.stream.get_or_insert_with(|| {
            Compress::new_with_window_bits(Compression::default(), false, self.params.bits)
        });
        if self.params.no_context_takeover {
            stream.reset();
        }
        let mut out = Vec::with_capacity(content.len() / 2 + TAIL.len());
        let start = stream.total_in();
        loop {
            // There has to be room left at the end, or else the flush is not known to be complete.
            out.reserve(CHUNK_SIZE);
            let rest = &content[(stream.total_in() - start) as usize..];
            let done = stream.compress_vec(rest, &mut out, FlushCompress::Sync);
            if done.is_err() {
                // The window is lost on both sides; what follows goes uncompressed.
                self.params.bits = 0;
                return None;
            }
            if out.len() < out.capacity() {
                break;
            }
        }
        out.truncate(out.len() - TAIL.len());
        Some(out)
    }
}
