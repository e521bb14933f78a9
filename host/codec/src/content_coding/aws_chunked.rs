//! The coding `aws-chunked` of Amazon S3: a body in chunks, each with an optional signature, and
//! trailer fields after the last one.
//!
//! ```text
//! 5;chunk-signature=...\r\n
//! hello\r\n
//! 0;chunk-signature=...\r\n
//! x-amz-checksum-crc32:...\r\n
//! x-amz-trailer-signature:...\r\n
//! \r\n
//! ```

use std::ops::Range;

use bytes::Bytes;

use super::coding::Coding;
use super::error::{CodingError, invalid};
use super::extra::Extra;

/// Maximum size in bytes of the line before a chunk, and of a trailer field.
const MAX_LINE: usize = 4096;

/// True if a body starts with the line of a chunk. Servers name `aws-chunked` for objects that were
/// uploaded with it, and send them without chunks.
pub(super) fn is_chunked(bytes: &[u8]) -> bool {
    line(bytes).is_some_and(|(line, _)| chunk_head(line).is_some())
}

/// Removes the chunks. Signatures and trailer fields are metadata.
pub(super) fn decode(bytes: &Bytes, extra: &mut Extra) -> Result<Bytes, CodingError> {
    let mut body = Vec::with_capacity(bytes.len());
    let mut chunks = Chunks { bytes, at: 0 };
    loop {
        let (extension, data) = chunks.next().ok_or_else(malformed)?;
        extra.add_metadata(extension);
        if data.is_empty() {
            break;
        }
        body.extend_from_slice(&bytes[data]);
    }
    let end = read_trailers(bytes, chunks.at, extra).ok_or_else(malformed)?;
    if end != bytes.len() {
        return Err(malformed());
    }
    Ok(body.into())
}

/// Puts a body into one chunk without a signature.
pub(super) fn encode(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + 32);
    if !bytes.is_empty() {
        out.extend_from_slice(format!("{:x}\r\n", bytes.len()).as_bytes());
        out.extend_from_slice(bytes);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"0\r\n\r\n");
    out
}

/// The places of the data of all chunks, up to the first that is malformed or incomplete.
pub(super) fn data_ranges(bytes: &[u8]) -> Vec<Range<usize>> {
    let mut chunks = Chunks { bytes, at: 0 };
    let data = std::iter::from_fn(|| chunks.next().map(|(_, data)| data));
    data.take_while(|data| !data.is_empty()).collect()
}

/// The chunks of a body, one after the other.
struct Chunks<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Chunks<'a> {
    /// The extension and the place of the data of the next chunk. The last chunk has no data, and
    /// trailer fields follow it.
    fn next(&mut self) -> Option<(&'a [u8], Range<usize>)> {
        let (head, size) = line(self.bytes.get(self.at..)?)?;
        let (data_size, extension) = chunk_head(head)?;
        let start = self.at + size;
        let end = start.checked_add(data_size)?;
        self.at = if data_size == 0 {
            start
        } else {
            let line_end = self.bytes.get(end..end.checked_add(2)?)?;
            (line_end == b"\r\n").then_some(end + 2)?
        };
        Some((extension, start..end))
    }
}

/// The size and the extension in the line of a chunk.
fn chunk_head(line: &[u8]) -> Option<(usize, &[u8])> {
    let end = memchr::memchr(b';', line).unwrap_or(line.len());
    let (digits, extension) = line.split_at(end);
    let is_size = (1..=16).contains(&digits.len()) && digits.iter().all(u8::is_ascii_hexdigit);
    let digits = std::str::from_utf8(digits).ok().filter(|_| is_size)?;
    let size = usize::from_str_radix(digits, 16).ok()?;
    Some((size, extension.get(1..).unwrap_or_default()))
}

/// Reads the trailer fields at `at`, and returns the offset of the end of the body.
fn read_trailers(bytes: &[u8], mut at: usize, extra: &mut Extra) -> Option<usize> {
    loop {
        let (field, size) = line(&bytes[at..])?;
        at += size;
        if field.is_empty() {
            return Some(at);
        }
        let text = std::str::from_utf8(field).ok()?;
        let (name, value) = text.split_once(':')?;
        extra.add_metadata(field);
        extra
            .trailers
            .push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
}

/// The first line without its line end, and its size with it.
fn line(bytes: &[u8]) -> Option<(&[u8], usize)> {
    let head = &bytes[..bytes.len().min(MAX_LINE)];
    let end = memchr::memmem::find(head, b"\r\n")?;
    Some((&head[..end], end + 2))
}

fn malformed() -> CodingError {
    invalid(Coding::AwsChunked, std::io::ErrorKind::InvalidData.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<(Bytes, Extra), CodingError> {
        let mut extra = Extra::default();
        let body = decode(&Bytes::copy_from_slice(text.as_bytes()), &mut extra)?;
        Ok((body, extra))
    }

    #[test]
    fn removes_chunks_signatures_and_trailers() {
        let signature = "a".repeat(64);
        let signed = format!(
            "5;chunk-signature={signature}\r\nhello\r\n6;chunk-signature={signature}\r\n world\r\n\
             0;chunk-signature={signature}\r\n"
        );
        let trailers =
            format!("x-amz-checksum-crc32:AAAA==\r\nX-Amz-Trailer-Signature:{signature}\r\n");
        for (text, count) in [
            (format!("{signed}\r\n"), 0),
            (format!("{signed}{trailers}\r\n"), 2),
            (
                "B\r\nhello world\r\n0\r\nx-amz-checksum-crc32: AAAA==\r\n\r\n".to_owned(),
                1,
            ),
        ] {
            let (body, extra) = read(&text).unwrap();
            assert_eq!(body, "hello world", "{text}");
            assert_eq!(extra.trailers.len(), count, "{text}");
            let first = extra.trailers.first();
            assert!(first.is_none_or(|it| it.0 == "x-amz-checksum-crc32" && it.1 == "AAAA=="));
            let ranges = data_ranges(text.as_bytes());
            let data: Vec<_> = ranges.iter().map(|range| &text[range.clone()]).collect();
            assert_eq!(data.concat(), "hello world");
        }
        assert!(read("0\r\n\r\n").unwrap().0.is_empty());
    }

    #[test]
    fn malformed_chunks_are_errors() {
        for text in [
            "",
            "5\r\nhello",
            "5\r\nhello\r\n",
            "5\r\nhello\r\n0\r\n",
            "5\r\nhell\r\n0\r\n\r\n",
            "5\r\nhello\r\n0\r\n\r\nmore",
            "ffffffffffffffff\r\nhello\r\n0\r\n\r\n",
            "5\r\nhello\r\n0\r\nno field\r\n\r\n",
            "-5\r\nhello\r\n0\r\n\r\n",
        ] {
            assert!(read(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_body_without_chunks_is_recognized() {
        for (text, expected) in [
            ("5\r\nhello\r\n0\r\n\r\n", true),
            ("0;chunk-signature=00\r\n\r\n", true),
            ("hello", false),
            ("{\"a\": 1}\r\n", false),
            ("\u{0}png\r\n", false),
            ("", false),
        ] {
            assert_eq!(is_chunked(text.as_bytes()), expected, "{text:?}");
        }
    }

    #[test]
    fn encoded_bodies_decode_to_the_original() {
        for text in ["", "x", "hello\r\nworld"] {
            let coded = String::from_utf8(encode(text.as_bytes())).unwrap();
            assert_eq!(read(&coded).unwrap().0, text);
        }
    }
}
