//! Looks at the bytes of HTTP/1.1 before they are parsed, and stops at what other servers could
//! read in another way (RFC 9112): lines that end with LF alone, a length beside a transfer coding,
//! codings other than `chunked`, and sizes of chunks with more than digits and extensions.
//!
//! A head is then answered with 400 by whoever serves the connection; a body ends there. What the
//! parser finds wrong by itself is not looked for here.

/// Bytes of a line that are kept until its end, at most: the fields that frame a body are shorter.
const MAX_KEPT_LINE: usize = 256;

/// What HTTP/2 begins with; it has no lines.
const HTTP2_REQUEST_LINE: &[u8] = b"PRI * HTTP/2.0\r\n";

/// Where a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ParserState {
    /// Between two requests.
    RequestLine,
    /// Within a head.
    Headers,
    /// So many bytes of a body are missing.
    Body(u64),
    /// Within the line of a chunk's size.
    ChunkSize,
    /// So many bytes of a chunk are missing, its end of line included.
    ChunkData(u64),
    /// After the last chunk.
    Trailers,
    /// It speaks something else from here on.
    OtherProtocol,
    /// What came was wrong, in a head or after one.
    Invalid(bool),
}

/// What one connection has sent.
#[derive(Debug)]
pub(super) struct Http1Validator {
    state: ParserState,
    /// The line that is on its way, as far as it is kept.
    line: Vec<u8>,
    /// The line is longer than what is kept of it.
    truncated: bool,
    /// What the head says of the body.
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

    /// The connection has become a tunnel.
    pub(super) fn switch_protocol(&mut self) {
        self.state = ParserState::OtherProtocol;
        self.line = Vec::new();
    }

    /// Looks at bytes that came.
    ///
    /// # Errors
    /// How many of them are sound, where something is wrong. Nothing of what follows is to be
    /// parsed.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Result<(), usize> {
        let mut seen = 0;
        while let Some(rest) = bytes.get(seen..).filter(|rest| !rest.is_empty()) {
            seen += match self.state {
                ParserState::OtherProtocol => return Ok(()),
                ParserState::Invalid(_) => return Err(seen),
                ParserState::Body(missing) => self.skip(
                    missing,
                    rest.len(),
                    ParserState::Body,
                    ParserState::RequestLine,
                ),
                ParserState::ChunkData(missing) => self.skip(
                    missing,
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
        // The end of a line that is wrong is not passed on.
        if self.is_invalid() { Err(seen) } else { Ok(()) }
    }

    /// True once something was wrong.
    pub(super) fn is_invalid(&self) -> bool {
        matches!(self.state, ParserState::Invalid(_))
    }

    /// True where that was a head, of which the parser has not seen the end.
    pub(super) fn is_head_invalid(&self) -> bool {
        self.state == ParserState::Invalid(true)
    }

    fn skip(
        &mut self,
        missing: u64,
        here: usize,
        within: fn(u64) -> ParserState,
        after: ParserState,
    ) -> usize {
        let most = usize::try_from(missing).unwrap_or(usize::MAX).min(here);
        let left = missing - most as u64;
        self.state = if left == 0 { after } else { within(left) };
        most
    }

    /// Takes bytes up to and with the end of a line; without it where the line is wrong.
    fn consume_line(&mut self, bytes: &[u8]) -> usize {
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let taken = end.map_or(bytes.len(), |end| end + 1);
        self.buffer_line(&bytes[..taken]);
        if end.is_none() {
            return taken;
        }
        let is_head = matches!(self.state, ParserState::RequestLine | ParserState::Headers);
        let is_sound = self.line.ends_with(b"\r\n") && self.end_line();
        self.line.clear();
        self.truncated = false;
        if self.state == ParserState::RequestLine {
            // An idle connection keeps no memory for lines.
            self.line = Vec::new();
        }
        if is_sound {
            return taken;
        }
        self.state = ParserState::Invalid(is_head);
        taken - 1
    }

    /// Keeps the start of a line, and its last two bytes, which tell how it ends.
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

    /// Goes on after a line that ended well. False where it is wrong.
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
            | ParserState::Invalid(_) => true,
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

    /// RFC 9112, section 7.1. Extensions longer than what is kept of a line are refused.
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
    let starts_well = text.starts_with(|first: char| first.is_digit(radix));
    u64::from_str_radix(text, radix)
        .ok()
        .filter(|_| starts_well)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "POST / HTTP/1.1\r\nHost: x\r\n";

    /// What of these bytes passes, and whether all of it does, whatever reads cut them into.
    fn seen(bytes: &[u8]) -> (usize, bool) {
        let mut all = Vec::new();
        for size in [bytes.len(), 1, 2, 3, 7] {
            let (mut lines, mut passed) = (Http1Validator::new(), 0);
            let sound = bytes.chunks(size).try_for_each(|piece| {
                let seen = lines.feed(piece);
                passed += seen.err().unwrap_or(piece.len());
                seen
            });
            all.push((passed, sound.is_ok()));
        }
        all.dedup();
        assert_eq!(all.len(), 1, "{}: {all:?}", bytes.escape_ascii());
        all[0]
    }

    #[test]
    fn sound_requests_pass() {
        let long = format!("X: {}\r\n\r\n", "y".repeat(1000));
        let requests = [
            "\r\n",
            "Content-Length: 3\r\n\r\na\nb",
            "Transfer-Encoding: Chunked\r\n\r\n3;x=y\r\na\nb\r\n0\r\nX: y\r\n\r\n",
            long.as_str(),
        ];
        let all: String = requests.map(|rest| format!("{HEAD}{rest}")).concat();
        assert_eq!(seen(all.as_bytes()), (all.len(), true));
    }

    #[test]
    fn what_is_doubtful_does_not_pass() {
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
            let place = HEAD.len() + at;
            assert_eq!(seen(text.as_bytes()), (place, false), "{rest:?}");
        }
    }

    #[test]
    fn a_head_is_told_from_a_body() {
        let chunked = "Transfer-Encoding: chunked\r\n\r\n3\n";
        for (rest, is_head) in [("X: y\n", true), (chunked, false)] {
            let mut lines = Http1Validator::new();
            assert!(lines.feed(format!("{HEAD}{rest}").as_bytes()).is_err());
            assert!(lines.is_invalid());
            assert_eq!(lines.is_head_invalid(), is_head, "{rest:?}");
            assert_eq!(lines.feed(b"GET"), Err(0));
        }
    }

    #[test]
    fn what_is_no_http1_is_left_alone() {
        let http2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\n\n\n";
        assert_eq!(seen(http2), (http2.len(), true));
        let mut lines = Http1Validator::new();
        lines.switch_protocol();
        assert_eq!(lines.feed(b"\n\n\n"), Ok(()));
    }
}
