//! Decodes and encodes bodies chunk by chunk.

use std::cell::RefCell;
use std::io::{self, Write};
use std::rc::Rc;

use bytes::Bytes;
use flate2::{Compression, write};

use super::aws_chunked;
use super::aws_chunked_stream::{ChunkWriter, RangeWriter};
use super::bounds::{Bounds, CHUNK_SIZE, RATIO_FROM};
use super::coding::Coding;
use super::decode::decode;
use super::encode::{BROTLI_QUALITY, BROTLI_WINDOW};
use super::error::{CodingError, invalid};

/// Decodes a body and maps encoded offsets to decoded offsets. `ends` must be ascending.
///
/// # Errors
/// See [`decode`].
pub fn decode_with_offsets(
    raw: &Bytes,
    ends: &[u64],
    codings: &[Coding],
    bounds: Bounds,
) -> Result<(Bytes, Vec<u64>), CodingError> {
    let decoded = decode(raw.clone(), codings, bounds)?;
    let decoded_ends = decoded_offsets(raw, ends, codings, decoded.len() as u64);
    Ok((decoded, decoded_ends))
}

/// Maps encoded offsets of a valid body to decoded offsets. `ends` must be ascending, and `total`
/// is the decoded size.
pub fn decoded_offsets(raw: &Bytes, ends: &[u64], codings: &[Coding], total: u64) -> Vec<u64> {
    let counted = Rc::new(RefCell::new(0));
    let mut chain = decoder_chain(raw, codings, Box::new(ByteCounter(Rc::clone(&counted))));
    let mut from = 0;
    let mut decoded_ends = Vec::with_capacity(ends.len());
    for end in ends {
        let end = usize::try_from(*end).unwrap_or(usize::MAX).min(raw.len());
        // The whole body was decoded before. An error here only means that the stream ended before
        // the last byte.
        let _ = chain
            .write_all(raw.get(from..end).unwrap_or_default())
            .and_then(|()| chain.flush());
        from = end.max(from);
        let is_end = end == raw.len();
        decoded_ends.push(if is_end { total } else { *counted.borrow() });
    }
    decoded_ends
}

/// Splits a valid coded body so that each part completes the decoded chunk of the same index. The
/// last part takes the rest. `sizes` are those of the decoded chunks.
pub fn split_coded(raw: &Bytes, sizes: &[u64], codings: &[Coding]) -> Vec<Bytes> {
    let counted = Rc::new(RefCell::new(0));
    let mut chain = decoder_chain(raw, codings, Box::new(ByteCounter(Rc::clone(&counted))));
    let step = raw.len() / MAX_SPLIT_STEPS + 1;
    let (mut start, mut at, mut due) = (0, 0, 0_u64);
    let mut parts = Vec::with_capacity(sizes.len());
    for (index, size) in sizes.iter().enumerate() {
        due = due.saturating_add(*size);
        while at < raw.len() && *counted.borrow() < due {
            let end = raw.len().min(at + step);
            let written = chain
                .write_all(raw.get(at..end).unwrap_or_default())
                .and_then(|()| chain.flush());
            // After the end of the stream, everything belongs to this chunk.
            at = if written.is_ok() { end } else { raw.len() };
        }
        if index + 1 == sizes.len() {
            at = raw.len();
        }
        parts.push(raw.slice(start..at));
        start = at;
    }
    parts
}

/// Maximum number of places at which a coded body can be split. Larger bodies are split less
/// exactly, so that the work is bounded.
const MAX_SPLIT_STEPS: usize = 128 << 10;

/// Decodes a truncated body as far as possible, and maps offsets like [`decode_with_offsets`].
///
/// # Errors
/// If the body is malformed or exceeds the limits.
pub fn decode_partial(
    raw: &Bytes,
    ends: &[u64],
    codings: &[Coding],
    bounds: Bounds,
) -> Result<(Bytes, Vec<u64>), CodingError> {
    let decoded = Rc::new(RefCell::new(Vec::new()));
    let sink = BoundedWriter {
        out: Rc::clone(&decoded),
        input: raw.len() as u64,
        bounds,
        error: Rc::default(),
    };
    let error = Rc::clone(&sink.error);
    let mut chain = decoder_chain(raw, codings, Box::new(sink));
    let mut from = 0;
    let mut decoded_ends = Vec::with_capacity(ends.len());
    for end in ends.iter().copied().chain([raw.len() as u64]) {
        let end = usize::try_from(end).unwrap_or(usize::MAX).min(raw.len());
        // The decoder of brotli limits its output for each write and keeps the rest.
        let mut step = raw.get(from..end).unwrap_or_default().chunks(STEP_SIZE);
        let written = step
            .try_for_each(|step| chain.write_all(step))
            .and_then(|()| chain.flush());
        if let Some(error) = error.take() {
            return Err(error);
        }
        let first = codings.first().copied().unwrap_or(Coding::Gzip);
        written.map_err(|error| invalid(first, error))?;
        from = end.max(from);
        decoded_ends.push(decoded.borrow().len() as u64);
    }
    decoded_ends.truncate(ends.len());
    let decoded = decoded.take();
    Ok((decoded.into(), decoded_ends))
}

/// Number of encoded bytes for each write to the decoders of a truncated body.
const STEP_SIZE: usize = 64;

/// Collects the bytes written to it, within limits.
struct BoundedWriter {
    out: Rc<RefCell<Vec<u8>>>,
    input: u64,
    bounds: Bounds,
    error: Rc<RefCell<Option<CodingError>>>,
}

impl Write for BoundedWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut out = self.out.borrow_mut();
        let size = (out.len() + bytes.len()) as u64;
        let ratio = self.bounds.ratio;
        let error = if size > self.bounds.bytes {
            CodingError::TooLarge(self.bounds.bytes)
        } else if size > RATIO_FROM && size / ratio.max(1) > self.input {
            CodingError::Ratio(ratio)
        } else {
            out.extend_from_slice(bytes);
            return Ok(bytes.len());
        };
        *self.error.borrow_mut() = Some(error);
        Err(io::ErrorKind::OutOfMemory.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Counts the bytes written to it.
struct ByteCounter(Rc<RefCell<u64>>);

impl Write for ByteCounter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        *self.0.borrow_mut() += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A chain of decoders for the bytes written to it. The last coding is decoded first.
fn decoder_chain(raw: &[u8], codings: &[Coding], end: Box<dyn Write>) -> Box<dyn Write> {
    let mut chain = end;
    for (index, coding) in codings.iter().enumerate() {
        let outermost = index + 1 == codings.len();
        chain = match coding {
            Coding::Gzip => Box::new(write::MultiGzDecoder::new(chain)),
            Coding::Deflate if outermost && !is_zlib(raw) => {
                Box::new(write::DeflateDecoder::new(chain))
            }
            Coding::Deflate => Box::new(write::ZlibDecoder::new(chain)),
            Coding::Brotli => Box::new(brotli::DecompressorWriter::new(chain, CHUNK_SIZE)),
            Coding::Zstd => match zstd::stream::write::Decoder::new(chain) {
                Ok(decoder) => Box::new(decoder),
                // Without memory for a decoder no offsets are known.
                Err(_) => Box::new(io::sink()),
            },
            Coding::AwsChunked if outermost => {
                Box::new(RangeWriter::new(chain, aws_chunked::data_ranges(raw)))
            }
            // It is always applied last.
            Coding::AwsChunked => Box::new(io::sink()),
        };
    }
    chain
}

/// True if deflate data starts with a zlib header (RFC 1950, section 2.2).
fn is_zlib(raw: &[u8]) -> bool {
    match raw {
        [method, flags, ..] => {
            method & 15 == 8 && u16::from_be_bytes([*method, *flags]).is_multiple_of(31)
        }
        _ => true,
    }
}

/// Encodes a body chunk by chunk. Each chunk is flushed, so that it can be decoded on arrival.
pub struct Encoder {
    chain: Box<dyn Write>,
    out: Rc<RefCell<Vec<u8>>>,
    first: Coding,
}

impl Encoder {
    /// An encoder for these codings, applied in order. The result is deterministic.
    ///
    /// # Errors
    /// If the list is empty, or there is no memory for an encoder.
    pub fn new(codings: &[Coding]) -> Result<Self, CodingError> {
        let Some(first) = codings.first() else {
            return Err(CodingError::Unknown("identity".to_owned()));
        };
        let out = Rc::new(RefCell::new(Vec::new()));
        let mut chain: Box<dyn Write> = Box::new(SharedWriter(Rc::clone(&out)));
        for coding in codings.iter().rev() {
            chain = match coding {
                Coding::Gzip => Box::new(write::GzEncoder::new(chain, Compression::default())),
                Coding::Deflate => Box::new(write::ZlibEncoder::new(chain, Compression::default())),
                Coding::Brotli => Box::new(brotli::CompressorWriter::new(
                    chain,
                    CHUNK_SIZE,
                    BROTLI_QUALITY,
                    BROTLI_WINDOW,
                )),
                Coding::Zstd => {
                    let encoder =
                        zstd::stream::write::Encoder::new(chain, zstd::DEFAULT_COMPRESSION_LEVEL);
                    let encoder = encoder.map_err(|error| invalid(*coding, error))?;
                    Box::new(encoder.auto_finish())
                }
                Coding::AwsChunked => Box::new(ChunkWriter::new(chain)),
            };
        }
        Ok(Self {
            chain,
            out,
            first: *first,
        })
    }

    /// Encodes the next chunk.
    ///
    /// # Errors
    /// If a coding fails.
    pub fn encode_chunk(&mut self, bytes: &[u8]) -> Result<Bytes, CodingError> {
        self.chain
            .write_all(bytes)
            .and_then(|()| self.chain.flush())
            .map_err(|error| invalid(self.first, error))?;
        Ok(std::mem::take(&mut *self.out.borrow_mut()).into())
    }

    /// The last bytes of the body. If a coding fails, the body is truncated.
    pub fn finish(self) -> Bytes {
        let Self { chain, out, .. } = self;
        // Each encoder writes its last bytes when it is dropped, the first coding first.
        drop(chain);
        let bytes = std::mem::take(&mut *out.borrow_mut());
        bytes.into()
    }
}

/// Collects the bytes written to it.
struct SharedWriter(Rc<RefCell<Vec<u8>>>);

impl Write for SharedWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds {
        bytes: 1 << 20,
        ratio: 1000,
    };

    fn lists() -> Vec<Vec<Coding>> {
        let mut lists: Vec<_> = Coding::ALL.iter().map(|coding| vec![*coding]).collect();
        lists.push(vec![Coding::Gzip, Coding::Brotli]);
        lists.push(vec![Coding::Deflate, Coding::Zstd]);
        lists.push(vec![Coding::AwsChunked]);
        lists.push(vec![Coding::Gzip, Coding::AwsChunked]);
        lists
    }

    #[test]
    fn every_chunk_can_be_decoded_on_arrival() {
        let chunks = ["data: one\n\n", "data: two\n\n", "", "data: three\n\n"];
        for list in lists() {
            let mut encoder = Encoder::new(&list).unwrap();
            let (mut coded, mut ends, mut expected) = (Vec::new(), Vec::new(), Vec::new());
            let mut size = 0;
            for chunk in chunks {
                coded.extend_from_slice(&encoder.encode_chunk(chunk.as_bytes()).unwrap());
                ends.push(coded.len() as u64);
                size += chunk.len() as u64;
                expected.push(size);
            }
            coded.extend_from_slice(&encoder.finish());
            ends.push(coded.len() as u64);
            expected.push(size);
            let decoded = decode_with_offsets(&coded.into(), &ends, &list, BOUNDS).unwrap();
            assert_eq!(decoded.0, chunks.concat(), "{list:?}");
            assert_eq!(decoded.1, expected, "{list:?}");
        }
    }

    #[test]
    fn a_split_body_has_the_same_bytes_and_each_part_completes_its_chunk() {
        let chunks = ["data: one\n\n", "data: two\n\n", "data: three\n\n"];
        let sizes = chunks.map(|chunk| chunk.len() as u64);
        for list in lists() {
            let mut encoder = Encoder::new(&list).unwrap();
            let mut coded: Vec<_> = chunks
                .iter()
                .map(|chunk| encoder.encode_chunk(chunk.as_bytes()).unwrap())
                .collect();
            coded.push(encoder.finish());
            let whole = Bytes::from(coded.concat());
            let parts = split_coded(&whole, &sizes, &list);
            assert_eq!(parts.concat(), whole, "{list:?}");
            let mut end = 0;
            let ends = parts.iter().map(|part| {
                end += part.len() as u64;
                end
            });
            let ends: Vec<_> = ends.collect();
            let decoded = decode_with_offsets(&whole, &ends, &list, BOUNDS).unwrap();
            assert_eq!(decoded.1, [11, 22, 35], "{list:?}");
        }
    }

    #[test]
    fn decodes_raw_deflate() {
        let mut encoder = write::DeflateEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(b"data: one\n\n").unwrap();
        encoder.flush().unwrap();
        let first = encoder.get_ref().len() as u64;
        encoder.write_all(b"data: two\n\n").unwrap();
        let raw = Bytes::from(encoder.finish().unwrap());
        let ends = [first, raw.len() as u64];
        let decoded = decode_with_offsets(&raw, &ends, &[Coding::Deflate], BOUNDS).unwrap();
        assert_eq!(decoded.1, [11, 22]);
    }

    #[test]
    fn truncated_bodies_are_errors() {
        let mut encoder = Encoder::new(&[Coding::Gzip]).unwrap();
        let coded = encoder.encode_chunk(b"data: one\n\n").unwrap();
        assert!(decode_with_offsets(&coded, &[1], &[Coding::Gzip], BOUNDS).is_err());
        assert!(Encoder::new(&[]).is_err());
    }
}
