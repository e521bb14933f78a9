//! Finds pseudo-fields of HTTP/2 that a response must not have (RFC 9113, section 8.3): h2 drops
//! them without an error.
//!
//! Nothing is decoded: only the names at the beginning of a field block matter, since h2 rejects a
//! pseudo-field after another field. Such a block gets one more field at its end, for which h2
//! resets the stream as malformed. It is a literal that no table has, so the tables of HPACK stay
//! as they are. A block in several frames, or with padding, is not changed.

use std::collections::BTreeSet;

use crate::server::frames::{
    DATA, END_HEADERS, END_STREAM, FrameHeader, HEADERS, PADDED, PRIORITY_FLAG,
};

/// `transfer-encoding` with an empty value, which HTTP/2 does not allow (section 8.2.2), as a
/// literal without indexing (RFC 7541, section 6.2.2). The name has index 57 of the static table.
const FORBIDDEN_FIELD: [u8; 3] = [0x0f, 57 - 15, 0];

/// The largest frame of an upstream: the gateway announces no other size (section 6.5.2).
const MAX_FRAME_SIZE: usize = 16_384;

/// Bytes of the priority fields before a field block (section 6.2).
const PRIORITY_LEN: usize = 5;

/// Streams of which body data was seen, at most. Beyond it, the oldest are forgotten.
const MAX_STREAMS: usize = 1024;

/// The streams of a connection whose next field block is their trailers.
#[derive(Debug, Default)]
pub(super) struct ResponseFields {
    with_data: BTreeSet<u32>,
}

impl ResponseFields {
    /// A frame that is not a field block.
    pub(super) fn on_frame(&mut self, header: &FrameHeader) {
        if header.kind != DATA {
            return;
        }
        if header.flags & END_STREAM != 0 {
            self.with_data.remove(&header.stream_id);
        } else if self.with_data.insert(header.stream_id) && self.with_data.len() > MAX_STREAMS {
            self.with_data.pop_first();
        }
    }

    /// What is appended to the payload of a HEADERS frame: nothing if it is well-formed.
    pub(super) fn on_headers(&mut self, header: &FrameHeader, payload: &[u8]) -> &'static [u8] {
        let is_trailers = self.with_data.remove(&header.stream_id);
        let is_whole = header.flags & (END_HEADERS | PADDED) == END_HEADERS;
        let fits = payload.len() + FORBIDDEN_FIELD.len() <= MAX_FRAME_SIZE;
        let start = match header.flags & PRIORITY_FLAG {
            0 => 0,
            _ => PRIORITY_LEN,
        };
        let block = payload.get(start..).unwrap_or_default();
        match is_whole && fits && has_wrong_pseudo_field(block, is_trailers) {
            true => &FORBIDDEN_FIELD,
            false => &[],
        }
    }
}

/// True if the frame is a field block.
pub(super) fn is_headers(header: &FrameHeader) -> bool {
    header.kind == HEADERS && header.length <= MAX_FRAME_SIZE
}

/// How a field block names a field.
enum Name<'a> {
    Indexed(usize),
    /// As it is, or Huffman-coded.
    Literal {
        bytes: &'a [u8],
        is_coded: bool,
    },
}

/// True if a request's pseudo-field is at the beginning of the block, or any in trailers.
fn has_wrong_pseudo_field(mut block: &[u8], is_trailers: bool) -> bool {
    while let Some(name) = next_name(&mut block) {
        let (is_pseudo, is_status) = match name {
            // The static table begins with the pseudo-fields (RFC 7541, appendix A).
            Name::Indexed(1..=7) => (true, false),
            Name::Indexed(8..=14) => (true, true),
            Name::Indexed(15..=61) => return false,
            // An entry of the dynamic table, most likely `:status`.
            Name::Indexed(_) => continue,
            Name::Literal { bytes, is_coded } => kind_of_literal(bytes, is_coded),
        };
        if !is_pseudo {
            return false;
        }
        if is_trailers || !is_status {
            return true;
        }
    }
    false
}

/// Whether a name is that of a pseudo-field, and of `:status`.
fn kind_of_literal(bytes: &[u8], is_coded: bool) -> (bool, bool) {
    /// `:status` in the code of RFC 7541, appendix B.
    const CODED_STATUS: [u8; 6] = [0xb8, 0x84, 0x8d, 0x36, 0xa3, 0x7f];
    /// The code of `:`, which has seven bits.
    const CODED_COLON: u8 = 0x5c;

    match is_coded {
        false => (bytes.first() == Some(&b':'), bytes == b":status"),
        true => {
            let is_pseudo = bytes.first().is_some_and(|first| first >> 1 == CODED_COLON);
            (is_pseudo, bytes == CODED_STATUS)
        }
    }
}

/// Removes the next field from a block (RFC 7541, section 6). None at its end, or if it is not
/// valid, which h2 rejects.
fn next_name<'a>(block: &mut &'a [u8]) -> Option<Name<'a>> {
    loop {
        let first = *block.first()?;
        let prefix = match first {
            0x80.. => return Some(Name::Indexed(integer(block, 7)?)),
            0x40..=0x7f => 6,
            // A table size update.
            0x20..=0x3f => {
                integer(block, 5)?;
                continue;
            }
            0x00..=0x1f => 4,
        };
        let name = match integer(block, prefix)? {
            0 => {
                let is_coded = block.first()? & 0x80 != 0;
                let bytes = string(block)?;
                Name::Literal { bytes, is_coded }
            }
            index => Name::Indexed(index),
        };
        // The value.
        string(block)?;
        return Some(name);
    }
}

fn string<'a>(block: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = integer(block, 7)?;
    let (string, rest) = block.split_at_checked(length)?;
    *block = rest;
    Some(string)
}

/// An integer with a prefix of so many bits (RFC 7541, section 5.1).
fn integer(block: &mut &[u8], prefix: u32) -> Option<usize> {
    let (first, mut rest) = block.split_first()?;
    let max = (1_usize << prefix) - 1;
    let mut value = usize::from(*first) & max;
    if value == max {
        let mut shift = 0;
        loop {
            let (byte, after) = rest.split_first()?;
            rest = after;
            let part = usize::from(byte & 0x7f).checked_shl(shift)?;
            value = value.checked_add(part)?;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
            if shift > 28 {
                return None;
            }
        }
    }
    *block = rest;
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pseudo_fields_that_a_response_must_not_have_are_found() {
        let literal = |name: &str| [&[0, name.len() as u8], name.as_bytes(), &[1, b'x']].concat();
        let with_status = |field: &[u8]| [&[0x88], field].concat();
        // `:path` in the code of RFC 7541, appendix B.
        let coded_path = [0x40, 4, 0xb9, 0x58, 0xd3, 0x3f, 1, b'/'].map(|byte| byte);
        let coded_path = [&coded_path[..1], &[0x84], &coded_path[2..]].concat();
        let cases = [
            (vec![], false, false),
            (vec![0x88], false, true),
            (with_status(&[0x84]), true, true),
            (with_status(&[0x04, 1, b'/']), true, true),
            (with_status(&literal(":path")), true, true),
            (with_status(&literal(":own")), true, true),
            (with_status(&coded_path), true, true),
            (literal(":status"), false, true),
            (literal("x-a"), false, false),
            // A table size update, and a literal with the name of `:status`.
            (
                vec![0x3f, 0xe1, 0x1f, 0x48, 3, b'2', b'0', b'1'],
                false,
                true,
            ),
            // Entries of the dynamic table, and one of the static table.
            (vec![0xbe, 0xbf, 0xcf], false, false),
            // h2 rejects a pseudo-field after a field.
            (vec![0x88, 0x5c, 1, b'1', 0x84], false, true),
            // Not valid.
            (vec![0x88, 0x00, 0x7f], false, true),
            (vec![0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], false, false),
        ];
        for (block, in_head, in_trailers) in cases {
            assert_eq!(has_wrong_pseudo_field(&block, false), in_head, "{block:x?}");
            assert_eq!(
                has_wrong_pseudo_field(&block, true),
                in_trailers,
                "{block:x?}"
            );
        }
    }
}
