//! Codings piece by piece, for bodies that come as a stream.

use std::cell::RefCell;
use std::io::{self, Write};
use std::rc::Rc;

use bytes::Bytes;
use flate2::{Compression, write};

use super::bounds::{Bounds, CHUNK_SIZE, RATIO_FROM};
use super::coding::Coding;
use super::decode::decode;
use super::encode::{BROTLI_QUALITY, BROTLI_WINDOW};
use super::error::{CodingError, invalid};

/// Decodes a body, and tells how many decoded bytes had come when so many coded ones had: `ends`
/// rises.
///
/// # Errors
/// As [`decode`].
pub fn decode_with_offsets(
    raw: &Bytes,
    ends: &[u64],
    codings: &[Coding],
    bounds: Bounds,
) -> Result<(Bytes, Vec<u64>), CodingError> {
    let whole = decode(raw.clone(), codings, bounds)?;
    let counted = Rc::new(RefCell::new(0));
    let mut chain = decoder_chain(raw, codings, Box::new(Count(Rc::clone(&counted))));
    let mut from = 0;
    let mut found = Vec::with_capacity(ends.len());
    for end in ends {
        let end = usize::try_from(*end).unwrap_or(usize::MAX).min(raw.len());
        // The whole body was decoded above, so a fault here is only that the end was seen before
        // the last byte.
        let _ = chain
            .write_all(raw.get(from..end).unwrap_or_default())
            .and_then(|()| chain.flush());
        from = end.max(from);
        let all = end == raw.len();
        found.push(if all {
            whole.len() as u64
        } else {
            *counted.borrow()
        });
    }
    Ok((whole, found))
}

/// Decodes a body that broke off as far as it goes, and tells the places as [`decode_with_offsets`] does.
///
/// # Errors
/// Where it is not what its codings say, or too much comes out.
pub fn decode_partial(
    raw: &Bytes,
    ends: &[u64],
    codings: &[Coding],
    bounds: Bounds,
) -> Result<(Bytes, Vec<u64>), CodingError> {
    let came = Rc::new(RefCell::new(Vec::new()));
    let sink = Bounded {
        out: Rc::clone(&came),
        input: raw.len() as u64,
        bounds,
        error: Rc::default(),
    };
    let fault = Rc::clone(&sink.error);
    let mut chain = decoder_chain(raw, codings, Box::new(sink));
    let mut from = 0;
    let mut found = Vec::with_capacity(ends.len());
    for end in ends.iter().copied().chain([raw.len() as u64]) {
        let end = usize::try_from(end).unwrap_or(usize::MAX).min(raw.len());
        // Brotli's decoder gives out so much for each write and keeps the rest back.
        let mut few = raw.get(from..end).unwrap_or_default().chunks(STEP_SIZE);
        let written = few
            .try_for_each(|few| chain.write_all(few))
            .and_then(|()| chain.flush());
        if let Some(fault) = fault.take() {
            return Err(fault);
        }
        let first = codings.first().copied().unwrap_or(Coding::Gzip);
        written.map_err(|error| invalid(first, error))?;
        from = end.max(from);
        found.push(came.borrow().len() as u64);
    }
    found.truncate(ends.len());
    let whole = came.take();
    Ok((whole.into(), found))
}

/// Bytes that are decoded together of what broke off.
const STEP_SIZE: usize = 64;

/// Keeps what is written to it, within bounds.
struct Bounded {
    out: Rc<RefCell<Vec<u8>>>,
    input: u64,
    bounds: Bounds,
    error: Rc<RefCell<Option<CodingError>>>,
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut out = self.out.borrow_mut();
        let size = (out.len() + bytes.len()) as u64;
        let ratio = self.bounds.ratio;
        let fault = if size > self.bounds.bytes {
            CodingError::TooLarge(self.bounds.bytes)
        } else if size > RATIO_FROM && size / ratio.max(1) > self.input {
            CodingError::Ratio(ratio)
        } else {
            out.extend_from_slice(bytes);
            return Ok(bytes.len());
        };
        *self.error.borrow_mut() = Some(fault);
        Err(io::ErrorKind::OutOfMemory.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Counts what is written to it.
struct Count(Rc<RefCell<u64>>);

impl Write for Count {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        *self.0.borrow_mut() += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A chain that undoes the codings of what is written to it, the last one first.
fn decoder_chain(raw: &[u8], codings: &[Coding], end: Box<dyn Write>) -> Box<dyn Write> {
    let mut chain = end;
    for (place, coding) in codings.iter().enumerate() {
        let outermost = place + 1 == codings.len();
        chain = match coding {
            Coding::Gzip => Box::new(write::MultiGzDecoder::new(chain)),
            Coding::Deflate if outermost && !is_zlib(raw) => {
                Box::new(write::DeflateDecoder::new(chain))
            }
            Coding::Deflate => Box::new(write::ZlibDecoder::new(chain)),
            Coding::Brotli => Box::new(brotli::DecompressorWriter::new(chain, CHUNK_SIZE)),
            Coding::Zstd => match zstd::stream::write::Decoder::new(chain) {
                Ok(decoder) => Box::new(decoder),
                // Without memory for it nothing is told of the places between.
                Err(_) => Box::new(io::sink()),
            },
        };
    }
    chain
}

/// True where deflate data begins as the zlib format does (RFC 1950, section 2.2).
fn is_zlib(raw: &[u8]) -> bool {
    match raw {
        [method, flags, ..] => {
            method & 15 == 8 && u16::from_be_bytes([*method, *flags]).is_multiple_of(31)
        }
        _ => true,
    }
}

/// Applies codings to a body piece by piece, so that each piece can be decoded as soon as it is
/// there.
pub struct Encoder {
    chain: Box<dyn Write>,
    out: Rc<RefCell<Vec<u8>>>,
    first: Coding,
}

impl Encoder {
    /// An encoder for these codings, applied in order. Equal pieces give equal bytes.
    ///
    /// # Errors
    /// Where there is none, or no memory for one.
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
            };
        }
        Ok(Self {
            chain,
            out,
            first: *first,
        })
    }

    /// The next piece.
    ///
    /// # Errors
    /// Where the coding fails.
    pub fn encode_chunk(&mut self, bytes: &[u8]) -> Result<Bytes, CodingError> {
        self.chain
            .write_all(bytes)
            .and_then(|()| self.chain.flush())
            .map_err(|error| invalid(self.first, error))?;
        Ok(std::mem::take(&mut *self.out.borrow_mut()).into())
    }

    /// What ends the body. Where that fails, the body is cut short.
    pub fn finish(self) -> Bytes {
        let Self { chain, out, .. } = self;
        // Each writes its end when it is dropped, the first one first.
        drop(chain);
        let bytes = std::mem::take(&mut *out.borrow_mut());
        bytes.into()
    }
}

/// Keeps what is written to it.
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
        lists
    }

    #[test]
    fn every_piece_can_be_decoded_when_it_is_there() {
        let pieces = ["data: one\n\n", "data: two\n\n", "", "data: three\n\n"];
        for list in lists() {
            let mut encoder = Encoder::new(&list).unwrap();
            let (mut coded, mut ends, mut expected) = (Vec::new(), Vec::new(), Vec::new());
            let mut size = 0;
            for piece in pieces {
                coded.extend_from_slice(&encoder.encode_chunk(piece.as_bytes()).unwrap());
                ends.push(coded.len() as u64);
                size += piece.len() as u64;
                expected.push(size);
            }
            coded.extend_from_slice(&encoder.finish());
            ends.push(coded.len() as u64);
            expected.push(size);
            let found = decode_with_offsets(&coded.into(), &ends, &list, BOUNDS).unwrap();
            assert_eq!(found.0, pieces.concat(), "{list:?}");
            assert_eq!(found.1, expected, "{list:?}");
        }
    }

    #[test]
    fn deflate_without_its_frame_is_read_as_well() {
        let mut encoder = write::DeflateEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(b"data: one\n\n").unwrap();
        encoder.flush().unwrap();
        let first = encoder.get_ref().len() as u64;
        encoder.write_all(b"data: two\n\n").unwrap();
        let raw = Bytes::from(encoder.finish().unwrap());
        let ends = [first, raw.len() as u64];
        let found = decode_with_offsets(&raw, &ends, &[Coding::Deflate], BOUNDS).unwrap();
        assert_eq!(found.1, [11, 22]);
    }

    #[test]
    fn what_is_cut_short_is_an_error() {
        let mut encoder = Encoder::new(&[Coding::Gzip]).unwrap();
        let coded = encoder.encode_chunk(b"data: one\n\n").unwrap();
        assert!(decode_with_offsets(&coded, &[1], &[Coding::Gzip], BOUNDS).is_err());
        assert!(Encoder::new(&[]).is_err());
    }
}
