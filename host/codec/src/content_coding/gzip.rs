//! Decodes gzip (RFC 1952): all members, what their headers hold, and where the last one ends.

use std::io;

use flate2::{Crc, Decompress, FlushDecompress, Status};

use super::bounds::CHUNK_SIZE;
use super::coding::Coding;
use super::error::{CodingError, invalid};
use super::extra::Extra;
use super::sink::Sink;

/// Decodes all members, and returns the offset of the end of the last one.
pub(super) fn decode(
    bytes: &[u8],
    sink: &mut Sink,
    extra: &mut Extra,
) -> Result<usize, CodingError> {
    let mut at = 0;
    loop {
        at += decode_member(&bytes[at..], sink, extra)?;
        if !bytes[at..].starts_with(&MAGIC) {
            return Ok(at);
        }
    }
}

/// The first bytes of a member with the only method that is defined.
pub(super) const MAGIC: [u8; 3] = [0x1f, 0x8b, 8];

/// Decodes the first member, and returns its size.
fn decode_member(bytes: &[u8], sink: &mut Sink, extra: &mut Extra) -> Result<usize, CodingError> {
    let start = read_header(bytes, extra).ok_or_else(truncated_or_invalid)?;
    let mut stream = Decompress::new(false);
    let mut crc = Crc::new();
    let mut buffer = vec![0; CHUNK_SIZE];
    loop {
        let (read, written) = (stream.total_in(), stream.total_out());
        let rest = bytes.get(start + read as usize..).unwrap_or_default();
        let status = stream.decompress(rest, &mut buffer, FlushDecompress::None);
        let status = status.map_err(|error| invalid(Coding::Gzip, error.into()))?;
        let new = (stream.total_out() - written) as usize;
        let new = buffer.get(..new).unwrap_or_default();
        crc.update(new);
        sink.take(new)?;
        if status == Status::StreamEnd {
            break;
        }
        if new.is_empty() && stream.total_in() == read {
            return Err(truncated_or_invalid());
        }
    }
    let end = start + stream.total_in() as usize;
    let (sum, size) = (crc.sum(), crc.amount());
    let expected = [sum.to_le_bytes(), size.to_le_bytes()].concat();
    match bytes.get(end..end + TRAILER_SIZE) {
        Some(trailer) if trailer == expected => Ok(end + TRAILER_SIZE),
        Some(_) | None => Err(truncated_or_invalid()),
    }
}

/// The checksum and the size after the data.
const TRAILER_SIZE: usize = 8;

/// Reads the header of a member, and returns its size.
fn read_header(bytes: &[u8], extra: &mut Extra) -> Option<usize> {
    let (magic, flags) = (bytes.get(..3)?, *bytes.get(3)?);
    if magic != MAGIC || flags & RESERVED != 0 {
        return None;
    }
    let mut at = 10;
    if flags & EXTRA_FIELD != 0 {
        let size = bytes.get(at..at + 2)?;
        let size = usize::from(u16::from_le_bytes([size[0], size[1]]));
        extra.add_metadata(bytes.get(at + 2..at + 2 + size)?);
        at += 2 + size;
    }
    for flag in [NAME, COMMENT] {
        if flags & flag != 0 {
            let text = bytes.get(at..)?;
            let size = memchr::memchr(0, text)?;
            extra.add_metadata(&text[..size]);
            at += size + 1;
        }
    }
    if flags & HEADER_CRC != 0 {
        let stored = bytes.get(at..at + 2)?;
        let mut crc = Crc::new();
        crc.update(&bytes[..at]);
        if crc.sum().to_le_bytes()[..2] != *stored {
            return None;
        }
        at += 2;
    }
    (at <= bytes.len()).then_some(at)
}

/// The flags of a member's header.
const HEADER_CRC: u8 = 2;
const EXTRA_FIELD: u8 = 4;
const NAME: u8 = 8;
const COMMENT: u8 = 16;
const RESERVED: u8 = 0xe0;

fn truncated_or_invalid() -> CodingError {
    invalid(Coding::Gzip, io::ErrorKind::InvalidData.into())
}
