//! Decodes whole bodies within limits. Truncated bodies and trailing bytes are errors.

use std::io::{self, Read};

use brotli::enc::StandardAlloc;
use brotli::{BrotliDecompressStream, BrotliResult, BrotliState};
use bytes::Bytes;
use flate2::{Decompress, FlushDecompress, Status, bufread};

use super::bounds::{Bounds, CHUNK_SIZE, RATIO_FROM};
use super::coding::Coding;
use super::error::{CodingError, invalid};

/// Decodes the codings, the last one first. An empty body stays empty, as in a response to `HEAD`.
pub fn decode(mut bytes: Bytes, codings: &[Coding], bounds: Bounds) -> Result<Bytes, CodingError> {
    for coding in codings.iter().rev() {
        if bytes.is_empty() {
            break;
        }
        bytes = decode_one(&bytes, *coding, bounds)?.into();
    }
    Ok(bytes)
}

/// Decodes one coding.
fn decode_one(bytes: &[u8], coding: Coding, bounds: Bounds) -> Result<Vec<u8>, CodingError> {
    let mut sink = Sink::new(bytes.len(), coding, bounds);
    match coding {
        Coding::Gzip => sink.read(bufread::MultiGzDecoder::new(bytes))?,
        Coding::Deflate => return deflate(bytes, bounds),
        Coding::Brotli => brotli(bytes, &mut sink)?,
        Coding::Zstd => {
            let decoder = zstd::stream::read::Decoder::with_buffer(bytes);
            let mut decoder = decoder.map_err(|error| invalid(coding, error))?;
            let limited = decoder.window_log_max(ZSTD_WINDOW);
            limited.map_err(|error| invalid(coding, error))?;
            sink.read(decoder)?;
        }
    }
    Ok(sink.out)
}

/// Binary logarithm of 8 MiB, the maximum window in HTTP (RFC 9659, section 3).
const ZSTD_WINDOW: u32 = 23;

/// Drives the decompressor directly: the reader of the crate does not report how much it consumed.
fn brotli(bytes: &[u8], sink: &mut Sink) -> Result<(), CodingError> {
    let alloc = StandardAlloc::default;
    let mut state = BrotliState::new_strict(alloc(), alloc(), alloc());
    let mut buffer = vec![0; CHUNK_SIZE];
    let (mut input_left, mut read, mut total) = (bytes.len(), 0, 0);
    loop {
        let (mut buffer_left, mut written) = (buffer.len(), 0);
        let result = BrotliDecompressStream(
            &mut input_left,
            &mut read,
            bytes,
            &mut buffer_left,
            &mut written,
            &mut buffer,
            &mut total,
            &mut state,
        );
        sink.take(buffer.get(..written).unwrap_or_default())?;
        match result {
            BrotliResult::NeedsMoreOutput => {}
            BrotliResult::ResultSuccess => return sink.check_end(input_left == 0),
            BrotliResult::NeedsMoreInput => return Err(sink.error(io::ErrorKind::UnexpectedEof)),
            BrotliResult::ResultFailure => return Err(sink.error(io::ErrorKind::InvalidData)),
        }
    }
}

fn deflate(bytes: &[u8], bounds: Bounds) -> Result<Vec<u8>, CodingError> {
    match inflate(bytes, true, bounds) {
        Err(CodingError::Invalid(..)) => inflate(bytes, false, bounds),
        other => other,
    }
}

/// Drives the decompressor directly: the readers of flate2 accept the end of the input as the end
/// of the stream.
fn inflate(bytes: &[u8], zlib: bool, bounds: Bounds) -> Result<Vec<u8>, CodingError> {
    let mut sink = Sink::new(bytes.len(), Coding::Deflate, bounds);
    let mut stream = Decompress::new(zlib);
    let mut buffer = vec![0; CHUNK_SIZE];
    loop {
        let (read, written) = (stream.total_in(), stream.total_out());
        let rest = bytes.get(read as usize..).unwrap_or_default();
        let status = stream.decompress(rest, &mut buffer, FlushDecompress::None);
        let status = status.map_err(|error| invalid(Coding::Deflate, error.into()))?;
        let new = (stream.total_out() - written) as usize;
        sink.take(buffer.get(..new).unwrap_or_default())?;
        if status == Status::StreamEnd {
            sink.check_end(stream.total_in() == bytes.len() as u64)?;
            return Ok(sink.out);
        }
        if new == 0 && stream.total_in() == read {
            return Err(invalid(
                Coding::Deflate,
                io::ErrorKind::UnexpectedEof.into(),
            ));
        }
    }
}

/// Collects decoded bytes within the limits.
struct Sink {
    out: Vec<u8>,
    input: u64,
    coding: Coding,
    bounds: Bounds,
}

impl Sink {
    fn new(input: usize, coding: Coding, bounds: Bounds) -> Self {
        Self {
            out: Vec::new(),
            input: input as u64,
            coding,
            bounds,
        }
    }

    fn read(&mut self, mut from: impl Read) -> Result<(), CodingError> {
        let mut buffer = vec![0; CHUNK_SIZE];
        loop {
            match from.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(size) => self.take(buffer.get(..size).unwrap_or_default())?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(invalid(self.coding, error)),
            }
        }
    }

    fn take(&mut self, bytes: &[u8]) -> Result<(), CodingError> {
        let size = (self.out.len() + bytes.len()) as u64;
        if size > self.bounds.bytes {
            return Err(CodingError::TooLarge(self.bounds.bytes));
        }
        if size > RATIO_FROM && size / self.bounds.ratio.max(1) > self.input {
            return Err(CodingError::Ratio(self.bounds.ratio));
        }
        self.out.extend_from_slice(bytes);
        Ok(())
    }

    fn check_end(&self, ended: bool) -> Result<(), CodingError> {
        let garbage = || self.error(io::ErrorKind::InvalidData);
        ended.then_some(()).ok_or_else(garbage)
    }

    fn error(&self, kind: io::ErrorKind) -> CodingError {
        invalid(self.coding, kind.into())
    }
}
