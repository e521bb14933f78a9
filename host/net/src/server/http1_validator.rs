//! Validates HTTP/1.1 before hyper parses it, and rejects what other servers could read differently
//! (RFC 9112): lines that end with LF alone, a length together with a transfer coding, codings
//! other than `chunked`, and chunk sizes with more than digits and extensions.
//!
//! An invalid head gets a 400 response from the connection's task; an invalid body ends early. What
//! hyper rejects itself is not checked here.

/// The most bytes of a line that are kept: the fields that frame a body are shorter.
const MAX_KEPT_LINE: usize = 256;

/// The first line of the HTTP/2 preface. What follows is not HTTP/1.1.
const HTTP2_REQUEST_LINE: &[u8] = b"PRI * HTTP/2.0\r\n";

/// The part of the stream that the next byte belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ParserState {
    /// A request line, or between two requests.
    RequestLine,
    /// The header fields.
    Headers,
    /// A body with this many bytes left.
    Body(u64),
    /// The line of a chunk size.
    ChunkSize,
    /// A chunk with this many bytes left, including its CRLF.
    ChunkData(u64),
    /// The trailer fields.
    Trailers,
    /// Another protocol, which is not validated.
    OtherProtocol,
    /// Something was invalid; nothing after it is read.
    Invalid { in_head: bool },
}

/// Validates what one client sends.
#[derive(Debug)]
pub(super) struct Http1Validator {
    state: ParserState,
    /// The current line, as far as it is kept.
    line: Vec<u8>,
    /// The line is longer than what is kept.
    truncated: bool,
    /// The framing of the body, as the head declares it.
    content_length: Option<u64>,
    chunked: bool,
}

impl Http1Validator {
    pub(super) fn new() -> Self {
        Self {
            state: ParserState::RequestLine,
            line: Vec::new(),
            truncated: false,
            content_length: None,
            chunked: false,
        }
    }

    /// The connection is a tunnel from now on.
    pub(super) fn switch_protocol(&mut self) {
        self.state = ParserState::OtherProtocol;
        self.line = Vec::new();
    }

    /// Validates the next bytes.
    ///
    /// # Errors
    /// The number of valid bytes, if not all are. Nothing after them may be parsed.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Result<(), usize> {
        let mut valid = 0;
        while let Some(rest) = bytes.get(valid..).filter(|rest| !rest.is_empty()) {
            valid += match self.state {
                ParserState::OtherProtocol => return Ok(()),
                ParserState::Invalid { .. } => return Err(valid),
                ParserState::Body(left) => self.skip(
                    left,
                    rest.len(),
                    ParserState::Body,
                    ParserState::RequestLine,
                ),
                ParserState::ChunkData(left) => self.skip(
                    left,
                    rest.len(),
                    ParserState::ChunkData,
                    ParserState::ChunkSize,
                ),
                ParserState::RequestLine
                | ParserState::Headers
                | ParserState::ChunkSize
                | ParserState::Trailers => self.consume_line(rest),
            };
        }
        // The LF of an invalid line is not valid.
        if self.is_invalid() {
            Err(valid)
        } else {
            Ok(())
        }
    }

    /// True once something was invalid.
    pub(super) fn is_invalid(&self) -> bool {
        matches!(self.state, ParserState::Invalid { .. })
    }

    /// True if that was in a head, whose end hyper has not read.
    pub(super) fn is_head_invalid(&self) -> bool {
        self.state == ParserState::Invalid { in_head: true }
    }

    fn skip(
        &mut self,
        left: u64,
        available: usize,
        within: fn(u64) -> ParserState,
        after: ParserState,
    ) -> usize {
        let count = usize::try_from(left).unwrap_or(usize::MAX).min(available);
        let left = left - count as u64;
        self.state = if left == 0 { after } else { within(left) };
        count
    }

    /// Consumes bytes up to the end of a line, including its LF if the line is valid.
    fn consume_line(&mut self, bytes: &[u8]) -> usize {
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let count = end.map_or(bytes.len(), |end| end + 1);
        self.buffer_line(&bytes[..count]);
        if end.is_none() {
            return count;
        }
        let in_head = matches!(self.state, ParserState::RequestLine | ParserState::Headers);
        let is_valid = self.line.ends_with(b"\r\n") && self.end_line();
        self.line.clear();
        self.truncated = false;
        if self.state == ParserState::RequestLine {
            // An idle connection keeps no memory.
            self.line = Vec::new();
        }
        if is_valid {
            return count;
        }
        self.state = ParserState::Invalid { in_head };
        count - 1
    }

    /// Keeps the start of a line and its last two bytes, which tell how it ends.
    fn buffer_line(&mut self, bytes: &[u8]) {
        let room = MAX_KEPT_LINE.saturating_sub(self.line.len());
        if bytes.len() <= room {
            self.line.extend_from_slice(bytes);
            return;
        }
        self.truncated = true;
        self.line.extend_from_slice(&bytes[..room]);
        self.line
            .extend_from_slice(&bytes[room.max(bytes.len().saturating_sub(2))..]);
        let last = self.line.len().saturating_sub(2).max(MAX_KEPT_LINE);
        self.line.drain(MAX_KEPT_LINE..last);
    }

    /// Enters the state after a line that ends with CRLF. False if the line is invalid.
    fn end_line(&mut self) -> bool {
        let is_empty = self.line.len() == 2;
        match self.state {
            ParserState::RequestLine if is_empty => true,
            ParserState::RequestLine if self.line == HTTP2_REQUEST_LINE => {
                self.state = ParserState::OtherProtocol;
                true
            }
            ParserState::RequestLine => {
                (self.content_length, self.chunked) = (None, false);
                self.state = ParserState::Headers;
                true
            }
            ParserState::Headers if is_empty => self.end_head(),
            ParserState::Headers => self.header_field(),
            ParserState::ChunkSize => self.chunk_size(),
            ParserState::Trailers => {
                if is_empty {
                    self.state = ParserState::RequestLine;
                }
                true
            }
            ParserState::Body(_)
            | ParserState::ChunkData(_)
            | ParserState::OtherProtocol
            | ParserState::Invalid { .. } => true,
        }
    }

    /// RFC 9112, section 6.3.
    fn end_head(&mut self) -> bool {
        self.state = match (self.content_length, self.chunked) {
            (Some(_), true) => return false,
            (None, true) => ParserState::ChunkSize,
            (None | Some(0), false) => ParserState::RequestLine,
            (Some(length), false) => ParserState::Body(length),
        };
        true
    }

    fn header_field(&mut self) -> bool {
        let colon = self.line.iter().position(|byte| *byte == b':');
        let Some((name, value)) = colon.map(|colon| self.line.split_at(colon)) else {
            return true;
        };
        let value = value[1..].trim_ascii();
        if name.eq_ignore_ascii_case(b"transfer-encoding") {
            let is_first = !std::mem::replace(&mut self.chunked, true);
            return is_first && !self.truncated && value.eq_ignore_ascii_case(b"chunked");
        }
        if name.eq_ignore_ascii_case(b"content-length") {
            let length = if self.truncated {
                None
            } else {
                parse_number(value, 10)
            };
            let is_same = self.content_length.is_none() || self.content_length == length;
            self.content_length = length;
            return length.is_some() && is_same;
        }
        true
    }

    /// RFC 9112, section 7.1. A line that is too long to be kept is invalid.
    fn chunk_size(&mut self) -> bool {
        let line = &self.line[..self.line.len() - 2];
        let digits = line
            .iter()
            .take_while(|byte| byte.is_ascii_hexdigit())
            .count();
        let (digits, extensions) = line.split_at(digits);
        let spaces = extensions
            .iter()
            .take_while(|byte| matches!(byte, b' ' | b'\t'))
            .count();
        let is_text = |byte: &u8| *byte == b'\t' || (*byte >= b' ' && *byte != 0x7f);
        let is_extension = extensions.is_empty() || extensions.get(spaces) == Some(&b';');
        if self.truncated || !is_extension || !extensions.iter().all(is_text) {
            return false;
        }
        let size = parse_number(digits, 16).and_then(|size| match size {
            0 => Some(ParserState::Trailers),
            size => size.checked_add(2).map(ParserState::ChunkData),
        });
        self.state = size.unwrap_or(self.state);
        size.is_some()
    }
}

fn parse_number(digits: &[u8], radix: u32) -> Option<u64> {
    let text = std::str::from_utf8(digits).ok()?;
    let begins_with_digit = text.starts_with(|first: char| first.is_digit(radix));
    u64::from_str_radix(text, radix)
        .ok()
        .filter(|_| begins_with_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "POST / HTTP/1.1\r\nHost: x\r\n";

    /// The number of valid bytes, and whether all are valid. Checks that chunk sizes do not matter.
    fn validate(bytes: &[u8]) -> (usize, bool) {
        let mut results = Vec::new();
        for size in [bytes.len(), 1, 2, 3, 7] {
            let (mut validator, mut valid) = (Http1Validator::new(), 0);
            let result = bytes.chunks(size).try_for_each(|chunk| {
                let result = validator.feed(chunk);
                valid += result.err().unwrap_or(chunk.len());
                result
            });
            results.push((valid, result.is_ok()));
        }
        results.dedup();
        assert_eq!(results.len(), 1, "{}: {results:?}", bytes.escape_ascii());
        results[0]
    }

    #[test]
    fn accepts_valid_requests() {
        let long = format!("X: {}\r\n\r\n", "y".repeat(1000));
        let requests = [
            "\r\n",
            "Content-Length: 3\r\n\r\na\nb",
            "Transfer-Encoding: Chunked\r\n\r\n3;x=y\r\na\nb\r\n0\r\nX: y\r\n\r\n",
            long.as_str(),
        ];
        let all: String = requests.map(|rest| format!("{HEAD}{rest}")).concat();
        assert_eq!(validate(all.as_bytes()), (all.len(), true));
    }

    #[test]
    fn rejects_ambiguous_requests() {
        let chunked = "Transfer-Encoding: chunked\r\n";
        let long = |text: &str| text.repeat(1000);
        let cases = [
            ("\n".to_owned(), 0),
            ("X: y\n".to_owned(), 4),
            (format!("X: {}\n", long("y")), 1003),
            ("Transfer-Encoding: gzip\r\n".to_owned(), 24),
            (
                format!("Transfer-Encoding: chunked{}x\r\n", long(" ")),
                1028,
            ),
            (format!("{chunked}{chunked}"), 55),
            (format!("{chunked}Content-Length: 3\r\n\r\n"), 48),
            ("Content-Length: 3\r\nContent-Length: 4\r\n".to_owned(), 37),
            ("Content-Length: +3\r\n".to_owned(), 19),
            (format!("Content-Length: {}3\r\n", long("0")), 1018),
            (format!("{chunked}\r\n3 \r\nabc"), 33),
            (format!("{chunked}\r\n3;\x01\r\nabc"), 34),
            (format!("{chunked}\r\n3;x\nabc"), 33),
            (format!("{chunked}\r\n{}3\r\nabc", long("0")), 1032),
            (format!("{chunked}\r\n3;{}\r\nabc", long("x")), 1033),
            (format!("{chunked}\r\n0\r\nX: y\nZ: 1\r\n\r\n"), 37),
        ];
        for (rest, at) in cases {
            let text = format!("{HEAD}{rest}GET / HTTP/1.1\r\n");
            let position = HEAD.len() + at;
            assert_eq!(validate(text.as_bytes()), (position, false), "{rest:?}");
        }
    }

    #[test]
    fn tells_an_invalid_head_from_an_invalid_body() {
        let chunked = "Transfer-Encoding: chunked\r\n\r\n3\n";
        for (rest, in_head) in [("X: y\n", true), (chunked, false)] {
            let mut validator = Http1Validator::new();
            assert!(validator.feed(format!("{HEAD}{rest}").as_bytes()).is_err());
            assert!(validator.is_invalid());
            assert_eq!(validator.is_head_invalid(), in_head, "{rest:?}");
            assert_eq!(validator.feed(b"GET"), Err(0));
        }
    }

    #[test]
    fn does_not_validate_other_protocols() {
        let http2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\n\n\n";
        assert_eq!(validate(http2), (http2.len(), true));
        let mut validator = Http1Validator::new();
        validator.switch_protocol();
        assert_eq!(validator.feed(b"\n\n\n"), Ok(()));
    }
}
