//! Compression and decompression of messages (RFC 7692, section 7.2).

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use super::{DeflateParams, Violation};
use ouli_message::stream::Side;

/// The end of a compressed message, which is removed before it is sent (RFC 7692, section 7.2.1).
const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];
/// An empty final block. After the tail it proves that a message ended at the end of a block.
const FINAL_BLOCK: [u8; 2] = [0x03, 0x00];
/// A compressed empty message (RFC 7692, section 7.2.3.6).
const EMPTY_MESSAGE: u8 = 0x00;
/// Size of the output buffer in bytes.
const CHUNK_SIZE: usize = 8 << 10;
/// Maximum number of final blocks in a message: each one costs a reset.
const MAX_FINAL_BLOCKS: u32 = 4096;
/// zlib does not support raw deflate with a window of 8 bits.
const MIN_BITS: u8 = 9;
/// A window of this size decompresses data of any window size.
const MAX_BITS: u8 = 15;

/// The negotiated parameters of the sender.
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

/// Decompresses the messages of one side chunk by chunk.
#[derive(Debug)]
pub(super) struct Inflater {
    params: SenderParams,
    /// Created with the first compressed message.
    stream: Option<Decompress>,
    /// The last output: the sliding window, and up to as many bytes before it.
    window: Vec<u8>,
    chunk: Box<[u8]>,
    /// The stream is at the end of a final block.
    ended: bool,
    /// Number of final blocks in this message.
    final_blocks: u32,
}

impl Inflater {
    pub(super) fn new(sender: Side, deflate: &DeflateParams) -> Self {
        Self {
            params: SenderParams::of(sender, deflate),
            stream: None,
            window: Vec::new(),
            chunk: Box::default(),
            ended: true,
            final_blocks: 0,
        }
    }

    /// Decompresses more of a message and passes the output to `take`.
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

    /// Ends a message. After a final block, RFC 7692, section 7.2.3.4, requires another byte; its
    /// absence is accepted, since not every sender adds it.
    pub(super) fn finish(
        &mut self,
        mut take: impl FnMut(&[u8]) -> Result<(), Violation>,
    ) -> Result<(), Violation> {
        if !self.ended {
            let mut end = [0; TAIL.len() + FINAL_BLOCK.len()];
            end[..TAIL.len()].copy_from_slice(&TAIL);
            end[TAIL.len()..].copy_from_slice(&FINAL_BLOCK);
            let mut rest = end.as_slice();
            while !rest.is_empty() && !self.ended {
                rest = self.step(rest, &mut take)?;
            }
            if !rest.is_empty() || !self.ended {
                return Err(corrupt());
            }
        }
        self.final_blocks = 0;
        if self.params.no_context_takeover {
            self.window.clear();
        }
        Ok(())
    }

    /// Resets the stream and restores the window that the next block may refer to.
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

    /// Decompresses until the end of the input or of a final block. Returns the rest of the input.
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
            // Neither exceeds the length of its buffer.
            input = &input[(stream.total_in() - read) as usize..];
            let out = &self.chunk[..(stream.total_out() - written) as usize];
            slide(&mut self.window, out, 1 << self.params.bits);
            // Output before the invalid bytes may itself violate a limit, which is reported first.
            take(out)?;
            let status = status.map_err(|_| corrupt())?;
            if status == Status::StreamEnd {
                self.ended = true;
                self.final_blocks += 1;
                if self.final_blocks > MAX_FINAL_BLOCKS {
                    return Err(Violation::content(
                        "a message has too many final deflate blocks",
                    ));
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

/// Appends output to the window and trims it to `size` bytes once it has twice as many.
fn slide(window: &mut Vec<u8>, out: &[u8], size: usize) {
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
    /// Created with the first compressed message.
    stream: Option<Compress>,
}

impl Deflater {
    pub(super) fn new(sender: Side, deflate: &DeflateParams) -> Self {
        Self {
            params: SenderParams::of(sender, deflate),
            stream: None,
        }
    }

    /// Compresses a message, without the tail. None if this side cannot compress.
    pub(super) fn message(&mut self, content: &[u8]) -> Option<Vec<u8>> {
        if self.params.bits < MIN_BITS {
            return None;
        }
        // zlib writes nothing for a second flush without input in between.
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
            // The flush is complete only if the output buffer has space left.
            out.reserve(CHUNK_SIZE);
            let rest = &content[(stream.total_in() - start) as usize..];
            let status = stream.compress_vec(rest, &mut out, FlushCompress::Sync);
            if status.is_err() {
                // The window is lost, so all further messages are sent uncompressed.
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
