//! Removes the codings that a received body really has, which may be fewer than its header names.

use bytes::Bytes;

use super::bounds::Bounds;
use super::coding::Coding;
use super::decode::decode_one;
use super::error::{CodingError, invalid};
use super::extra::Extra;
use super::streaming::decode_partial;
use super::{aws_chunked, gzip, header, zstd_frames};
use ouli_message::Fields;

/// A body without its content codings.
#[derive(Debug, Default)]
pub struct ReceivedBody {
    /// The body.
    pub bytes: Bytes,
    /// The codings that were removed, in the order in which they were applied.
    pub removed: Vec<Coding>,
    /// What the coded body held besides the body.
    pub extra: Extra,
    /// The header names codings that the body does not have.
    pub is_mislabelled: bool,
}

/// Removes the codings in the `content-encoding` of a message.
///
/// Some messages have a body without the codings that their header names: text that is called
/// gzip, or a coding of a name that is not registered. What is left is taken as it is if it can be
/// read, so that secrets are found in it: if it is text and not base64 or hex alone, or if it is an
/// image, audio, video or a font and no compressed container.
///
/// # Errors
/// If the body may be compressed or encrypted and cannot be decoded, or exceeds the limits.
pub fn remove_codings(
    raw: &Bytes,
    fields: &Fields,
    bounds: Bounds,
) -> Result<ReceivedBody, CodingError> {
    let mut body = ReceivedBody {
        bytes: raw.clone(),
        ..ReceivedBody::default()
    };
    if raw.is_empty() {
        return Ok(body);
    }
    let named = match header::of(fields) {
        Ok(named) => named,
        Err(_) if is_readable(raw) => {
            body.is_mislabelled = true;
            return Ok(body);
        }
        Err(error) => return Err(error),
    };
    for coding in named.into_iter().rev() {
        if body.bytes.is_empty() {
            break;
        }
        if coding == Coding::AwsChunked && !aws_chunked::is_chunked(&body.bytes) {
            body.is_mislabelled = true;
            continue;
        }
        match decode_layer(&mut body, coding, bounds) {
            Ok(()) => {}
            Err(error) if error.is_limit() => return Err(error),
            Err(error) => {
                let readable = is_readable(&body.bytes)
                    || (body.removed.is_empty() && is_media(fields, &body.bytes));
                if !readable {
                    return Err(error);
                }
                body.is_mislabelled = true;
                break;
            }
        }
    }
    body.removed.reverse();
    Ok(body)
}

/// Removes the codings of a truncated body as far as possible, and maps offsets as
/// [`decoded_offsets`](super::decoded_offsets) does.
///
/// # Errors
/// As [`remove_codings`].
pub fn remove_codings_partially(
    raw: &Bytes,
    ends: &[u64],
    fields: &Fields,
    bounds: Bounds,
) -> Result<(ReceivedBody, Vec<u64>), CodingError> {
    let decoded = header::of(fields).and_then(|mut codings| {
        let has_chunks = aws_chunked::is_chunked(raw);
        codings.retain(|coding| has_chunks || *coding != Coding::AwsChunked);
        if codings.is_empty() {
            return Ok((raw.clone(), ends.to_vec(), codings));
        }
        let (bytes, ends) = decode_partial(raw, ends, &codings, bounds)?;
        Ok((bytes, ends, codings))
    });
    let (bytes, ends, removed) = match decoded {
        Ok(decoded) => decoded,
        Err(error) if error.is_limit() || !is_readable(raw) => return Err(error),
        Err(_) => (raw.clone(), ends.to_vec(), Vec::new()),
    };
    let body = ReceivedBody {
        bytes,
        is_mislabelled: removed.is_empty() && header::names_coding(fields),
        removed,
        ..ReceivedBody::default()
    };
    Ok((body, ends))
}

/// Removes one coding. Only the outermost one may be followed by other bytes.
fn decode_layer(
    body: &mut ReceivedBody,
    coding: Coding,
    bounds: Bounds,
) -> Result<(), CodingError> {
    let mut extra = body.extra.clone();
    let tail = std::mem::take(&mut extra.tail);
    let bytes = decode_one(&body.bytes, coding, bounds, &mut extra)?;
    if body.removed.is_empty() {
        if !extra.has_padding_only() && !is_readable(&extra.tail) {
            return Err(invalid(coding, std::io::ErrorKind::InvalidData.into()));
        }
    } else if extra.tail.is_empty() {
        extra.tail = tail;
    } else {
        return Err(invalid(coding, std::io::ErrorKind::InvalidData.into()));
    }
    body.bytes = bytes;
    body.extra = extra;
    body.removed.push(coding);
    Ok(())
}

/// True for UTF-8 text without control characters, in which secrets can be found.
pub fn is_text(bytes: &[u8]) -> bool {
    let is_control =
        |byte: u8| byte.is_ascii_control() && !matches!(byte, b'\t' | b'\n' | b'\r' | b'\x0c');
    std::str::from_utf8(bytes).is_ok_and(|text| !text.bytes().any(is_control))
}

/// True for text that is not another encoding of bytes. Some servers send the base64 of a gzip
/// body.
fn is_readable(bytes: &[u8]) -> bool {
    let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/-_=\r\n".contains(byte);
    is_text(bytes) && (bytes.len() < MIN_ENCODED || !bytes.iter().all(is_digit))
}

/// Minimum size in bytes of the base64 or hex of a compressed body: the header and the trailer of
/// gzip alone take more.
const MIN_ENCODED: usize = 24;

/// True for a body of a media type in which text is not searched, if it does not start like a
/// compressed container.
fn is_media(fields: &Fields, bytes: &[u8]) -> bool {
    let content_type = fields.get_str("content-type").unwrap_or_default();
    let top_level = content_type.split('/').next().unwrap_or_default().trim();
    let is_media = ["image", "audio", "video", "font"]
        .iter()
        .any(|name| name.eq_ignore_ascii_case(top_level));
    is_media && !CONTAINERS.iter().any(|magic| bytes.starts_with(magic))
}

/// The first bytes of gzip, zstd, compress, bzip2, xz and zlib.
const CONTAINERS: [&[u8]; 9] = [
    &gzip::MAGIC,
    &zstd_frames::MAGIC,
    &[0x1f, 0x9d],
    b"BZh",
    &[0xfd, b'7', b'z', b'X', b'Z'],
    &[0x78, 0x01],
    &[0x78, 0x5e],
    &[0x78, 0x9c],
    &[0x78, 0xda],
];
