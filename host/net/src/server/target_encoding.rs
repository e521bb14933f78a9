//! Percent-encodes the bytes of a request target that RFC 3986 does not allow and that clients send
//! all the same, such as `<` or bytes that are not UTF-8. `http::Uri` does not take them.

use percent_encoding::percent_encode_byte;

/// The position of the first byte in `next` that must be encoded. It follows `line` and may have
/// further lines.
pub(super) fn find_in_next(line: &[u8], next: &[u8]) -> Option<usize> {
    let end = next.iter().position(|byte| *byte == b'\n');
    let next = &next[..end.unwrap_or(next.len())];
    if !may_need_encoding(next) && line.is_ascii() {
        return None;
    }
    let found = find(&[line, next].concat(), line.len());
    found.map(|at| at - line.len())
}

/// False if no byte of a part of a request line must be encoded.
fn may_need_encoding(part: &[u8]) -> bool {
    // Without a branch, so that it is vectorized.
    let is_suspect =
        |byte: u8| byte >= 0x80 || matches!(byte, b'<' | b'>') || matches!(byte, b'"' | b'`');
    part.iter().fold(false, |any, byte| any | is_suspect(*byte))
}

/// The position of the first byte in `line[from..]` that must be encoded. `line` is a request line
/// whose end may not have arrived.
fn find(line: &[u8], from: usize) -> Option<usize> {
    let mut found = None;
    for_each_byte(line, |at, _, must_be_encoded| {
        if must_be_encoded && at >= from && found.is_none() {
            found = Some(at);
        }
    });
    found
}

/// `line[from..]` with each byte encoded that must be.
pub(super) fn encode(line: &[u8], from: usize) -> Vec<u8> {
    let mut encoded = Vec::with_capacity(line.len() - from + 16);
    for_each_byte(line, |at, byte, must_be_encoded| {
        if at < from {
            return;
        }
        if must_be_encoded {
            encoded.extend_from_slice(percent_encode_byte(byte).as_bytes());
        } else {
            encoded.push(byte);
        }
    });
    encoded
}

/// Calls `visit` with each position, its byte, and whether the byte must be encoded.
fn for_each_byte(line: &[u8], mut visit: impl FnMut(usize, u8, bool)) {
    let target = target_of(line);
    for (at, byte) in line[..target.start].iter().enumerate() {
        visit(at, *byte, false);
    }
    let is_ended = target.end < line.len();
    let mut at = target.start;
    let mut is_query = false;
    for chunk in line[target.clone()].utf8_chunks() {
        for byte in chunk.valid().bytes() {
            let separator = if is_query { b'"' } else { b'`' };
            visit(at, byte, matches!(byte, b'<' | b'>') || byte == separator);
            is_query |= byte == b'?';
            at += 1;
        }
        let invalid = chunk.invalid();
        // The rest of the last character may not have arrived.
        let is_incomplete = !is_ended
            && at + invalid.len() == target.end
            && std::str::from_utf8(invalid).is_err_and(|error| error.error_len().is_none());
        for byte in invalid {
            visit(at, *byte, !is_incomplete);
            at += 1;
        }
    }
    for byte in &line[target.end..] {
        visit(at, *byte, false);
        at += 1;
    }
}

/// The second word of a line, as far as it has arrived.
fn target_of(line: &[u8]) -> std::ops::Range<usize> {
    let end = |from: usize| {
        let length = line[from..].iter().position(|byte| b" \r\n".contains(byte));
        length.map_or(line.len(), |length| from + length)
    };
    let start = (end(0) + 1).min(line.len());
    start..end(start)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(line: &[u8], from: usize) -> String {
        let encoded = encode(line, from);
        assert_eq!(find(&encoded, 0).filter(|_| from == 0), None);
        String::from_utf8(encoded).unwrap()
    }

    #[test]
    fn only_bytes_of_the_target_that_a_uri_does_not_take_are_encoded() {
        for (line, expected) in [
            (&b"GET /a HTTP/1.1\r\n"[..], "GET /a HTTP/1.1\r\n"),
            (
                b"GET /<a>\"`{}?q=<b>\"`{} H",
                "GET /%3Ca%3E\"%60{}?q=%3Cb%3E%22`{} H",
            ),
            (b"GET /\xff\xfe\xc3\xa9 H", "GET /%FF%FE\u{e9} H"),
            (b"GET /%3C%ff H<", "GET /%3C%ff H<"),
            (b"G<T", "G<T"),
            (b"GET /\xc3 H", "GET /%C3 H"),
            (b"\r\n", "\r\n"),
            (b"", ""),
        ] {
            assert_eq!(encoded(line, 0), expected);
        }
        assert_eq!(find(b"GET /a<b>", 0), Some(6));
        assert_eq!(find(b"GET /a<b>", 7), Some(8));
        assert_eq!(encoded(b"GET /a<b>", 7), "b%3E");
    }

    #[test]
    fn a_character_may_arrive_in_parts() {
        assert_eq!(find(b"GET /\xe2\x9c", 0), None);
        assert_eq!(find("GET /\u{2713} H".as_bytes(), 6), None);
        assert_eq!(find(b"GET /\xe2\x9c/", 0), Some(5));
    }
}
