//! Decodes whole bodies within limits. Truncated bodies are errors.

use std::io;

use brotli::enc::StandardAlloc;
use brotli::{BrotliDecompressStream, BrotliResult, BrotliState};
use bytes::Bytes;
use flate2::{Decompress, FlushDecompress, Status};

use super::bounds::{Bounds, CHUNK_SIZE};
use super::coding::Coding;
use super::error::{CodingError, invalid};
use super::extra::Extra;
use super::sink::Sink;
use super::{aws_chunked, gzip, zstd_frames};

/// Decodes the codings, the last one first. Bytes after the end are an error. An empty body stays
/// empty, as in a response to `HEAD`.
pub fn decode(mut bytes: Bytes, codings: &[Coding], bounds: Bounds) -> Result<Bytes, CodingError> {
    for coding in codings.iter().rev() {
        if bytes.is_empty() {
            break;
        }
        let mut extra = Extra::default();
        bytes = decode_one(&bytes, *coding, bounds, &mut extra)?;
        if !extra.tail.is_empty() {
            return Err(invalid(*coding, io::ErrorKind::InvalidData.into()));
        }
    }
    Ok(bytes)
}

/// Decodes one coding. What is not part of the decoded body is added to `extra`.
pub(super) fn decode_one(
    bytes: &Bytes,
    coding: Coding,
    bounds: Bounds,
    extra: &mut Extra,
) -> Result<Bytes, CodingError> {
    let mut sink = Sink::new(bytes.len(), coding, bounds);
    let end = match coding {
        Coding::Gzip => gzip::decode(bytes, &mut sink, extra)?,
        Coding::Deflate => deflate(bytes, &mut sink)?,
        Coding::Brotli => brotli(bytes, &mut sink, extra)?,
        Coding::Zstd => zstd(bytes, &mut sink, extra)?,
        Coding::AwsChunked => return aws_chunked::decode(bytes, extra),
    };
    extra.tail = bytes.slice(end..);
    Ok(sink.into_bytes())
}

/// Decodes all frames, and returns the offset of the end of the last one.
fn zstd(bytes: &[u8], sink: &mut Sink, extra: &mut Extra) -> Result<usize, CodingError> {
    let end = zstd_frames::end_of_frames(bytes, extra);
    if end == 0 {
        return Err(sink.error(io::ErrorKind::InvalidData));
    }
    let failed = |error| invalid(Coding::Zstd, error);
    let frames = bytes.get(..end).unwrap_or_default();
    let mut decoder = zstd::stream::read::Decoder::with_buffer(frames).map_err(failed)?;
    decoder.window_log_max(ZSTD_WINDOW).map_err(failed)?;
    sink.read(decoder)?;
    Ok(end)
}

/// Binary logarithm of 8 MiB, the maximum window in HTTP (RFC 9659, section 3).
const ZSTD_WINDOW: u32 = 23;

/// Number of encoded bytes for each step of the decoder of brotli. The decoder skips metadata
/// without handing it out; longer metadata is still pending after a step.
const BROTLI_STEP: usize = 64;

/// Drives the decompressor directly: the reader of the crate does not report how much it consumed.
fn brotli(bytes: &[u8], sink: &mut Sink, extra: &mut Extra) -> Result<usize, CodingError> {
    let alloc = StandardAlloc::default;
    let mut state = BrotliState::new_strict(alloc(), alloc(), alloc());
    let mut buffer = vec![0; CHUNK_SIZE];
    let (mut read, mut total) = (0, 0);
    loop {
        let step = bytes.len().min(read + BROTLI_STEP);
        let (mut input_left, mut buffer_left, mut written) = (step - read, buffer.len(), 0);
        let result = BrotliDecompressStream(
            &mut input_left,
            &mut read,
            bytes.get(..step).unwrap_or_default(),
            &mut buffer_left,
            &mut written,
            &mut buffer,
            &mut total,
            &mut state,
        );
        extra.has_hidden_metadata |= state.is_metadata != 0 && state.meta_block_remaining_len > 0;
        sink.take(buffer.get(..written).unwrap_or_default())?;
        match result {
            BrotliResult::NeedsMoreOutput => {}
            BrotliResult::NeedsMoreInput if step < bytes.len() => {}
            BrotliResult::ResultSuccess => return Ok(read),
            BrotliResult::NeedsMoreInput => return Err(sink.error(io::ErrorKind::UnexpectedEof)),
            BrotliResult::ResultFailure => return Err(sink.error(io::ErrorKind::InvalidData)),
        }
    }
}

/// Decodes the zlib format, or else raw deflate, and returns the offset of the end.
fn deflate(bytes: &[u8], sink: &mut Sink) -> Result<usize, CodingError> {
    match inflate(bytes, true, sink) {
        Err(CodingError::Invalid(..)) => {
            sink.clear();
            inflate(bytes, false, sink)
        }
        other => other,
    }
}

/// Drives the decompressor directly: the readers of flate2 accept the end of the input as the end
/// of the stream.
fn inflate(bytes: &[u8], zlib: bool, sink: &mut Sink) -> Result<usize, CodingError> {
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
            return Ok(stream.total_in() as usize);
        }
        if new == 0 && stream.total_in() == read {
            return Err(sink.error(io::ErrorKind::UnexpectedEof));
        }
    }
}
