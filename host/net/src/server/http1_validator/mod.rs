//! Validates HTTP/1.1 before hyper parses it, and rejects what other servers could read differently
//! (RFC 9112): lines that end with LF alone, a length together with a transfer coding, codings
//! other than `chunked`, and chunk sizes with more than digits and extensions.
//!
//! An invalid head gets a response from the connection's task; an invalid body ends early. hyper
//! would reject further heads with an empty response, so these are found here too.

use self::parser_state::ParserState;
use super::head_error::HeadError;
use super::{request_line, target_encoding, whole_server};

mod parser_state;
#[cfg(test)]
mod tests;

/// The most bytes of a line that are kept: the fields that frame a body are shorter.
const MAX_KEPT_LINE: usize = 256;

/// The limits of a head.
#[derive(Clone, Copy, Debug)]
pub(super) struct HeadLimits {
    /// `limits.header_bytes`.
    pub(super) bytes: usize,
    /// `limits.header_count`.
    pub(super) fields: usize,
}

/// Validates what one client sends.
#[derive(Debug)]
pub(super) struct Http1Validator {
    state: ParserState,
    /// The current line, as far as it is kept.
    line: Vec<u8>,
    /// The line is longer than what is kept.
    truncated: bool,
    /// The line contains a control character.
    has_control: bool,
    /// CRs of the line.
    cr_count: usize,
    limits: HeadLimits,
    /// Bytes and fields of the current head.
    head_bytes: usize,
    field_count: usize,
    is_http10: bool,
    /// The last head asks for another protocol, whose bytes may follow before the response.
    wants_upgrade: bool,
    /// The framing of the body, as the head declares it.
    content_length: Option<u64>,
    chunked: bool,
    /// For each request with OPTIONS and a URL of the root, whether the URL has no path.
    options_targets: Vec<bool>,
}

impl Http1Validator {
    pub(super) fn new(limits: HeadLimits) -> Self {
        Self {
            state: ParserState::RequestLine,
            line: Vec::new(),
            truncated: false,
            has_control: false,
            cr_count: 0,
            limits,
            head_bytes: 0,
            field_count: 0,
            is_http10: false,
            wants_upgrade: false,
            content_length: None,
            chunked: false,
            options_targets: Vec::new(),
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
    /// The number of valid bytes, if not all are. Nothing after them may be parsed, unless
    /// [`Self::encode_target`] makes it valid.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Result<(), usize> {
        let mut valid = 0;
        while let Some(rest) = bytes.get(valid..).filter(|rest| !rest.is_empty()) {
            valid += match self.state {
                ParserState::OtherProtocol => return Ok(()),
                ParserState::Invalid(_) => return Err(valid),
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
                    if !self.wants_upgrade
                        && let Some(at) = target_encoding::find_in_next(&self.line, rest) =>
                {
                    if at > 0 {
                        valid += self.consume_line(&rest[..at]);
                    }
                    return Err(valid);
                }
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

    /// The bytes after the valid ones, with those of the target encoded that must be. None if they
    /// are invalid.
    pub(super) fn encode_target(&self, rest: &[u8]) -> Option<Vec<u8>> {
        let line = [&self.line[..], rest].concat();
        (!self.is_invalid()).then(|| target_encoding::encode(&line, self.line.len()))
    }

    /// True once something was invalid.
    pub(super) fn is_invalid(&self) -> bool {
        matches!(self.state, ParserState::Invalid(_))
    }

    /// Why the head is invalid, whose end hyper has not read.
    pub(super) fn head_error(&self) -> Option<HeadError> {
        match self.state {
            ParserState::Invalid(error) => error,
            _ => None,
        }
    }

    /// What the request lines since the last call say about the targets of OPTIONS.
    pub(super) fn take_options_targets(&mut self) -> Vec<bool> {
        std::mem::take(&mut self.options_targets)
    }

    /// True if no part of a request is outstanding.
    pub(super) fn is_between_requests(&self) -> bool {
        self.state == ParserState::RequestLine && self.line.is_empty()
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
        let in_head = matches!(self.state, ParserState::RequestLine | ParserState::Headers);
        if in_head {
            let room = self.limits.bytes.saturating_sub(self.head_bytes);
            if count > room {
                let error = HeadError::TooLarge(self.limits.bytes);
                self.state = ParserState::Invalid(Some(error));
                return 0;
            }
            self.head_bytes += count;
        }
        self.buffer_line(&bytes[..count]);
        if end.is_none() {
            let Err(error) = self.check_partial_line(&bytes[..count]) else {
                return count;
            };
            self.state = ParserState::Invalid(Some(error));
            return 0;
        }
        let ended = match self.line.ends_with(b"\r\n") {
            true => self.end_line(),
            false if self.state == ParserState::RequestLine => {
                Err(request_line::tls_or(HeadError::Ambiguous, &self.line))
            }
            false => Err(HeadError::Ambiguous),
        };
        self.line.clear();
        (self.truncated, self.has_control, self.cr_count) = (false, false, 0);
        if self.state == ParserState::RequestLine {
            // An idle connection keeps no memory.
            self.line = Vec::new();
        }
        let Err(error) = ended else {
            return count;
        };
        self.state = ParserState::Invalid(in_head.then_some(error));
        // hyper need not see a part of an invalid head: it could reject it before.
        if in_head { 0 } else { count - 1 }
    }

    /// Keeps a request line, and the start of another line with its last two bytes, which tell how
    /// it ends.
    fn buffer_line(&mut self, bytes: &[u8]) {
        if self.state == ParserState::RequestLine {
            self.line.extend_from_slice(bytes);
            return;
        }
        if self.state == ParserState::Headers {
            self.has_control |= !request_line::has_no_control(bytes);
            self.cr_count += bytes.iter().filter(|byte| **byte == b'\r').count();
        }
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

    /// Checks a line whose end has not arrived, of which `new` is the last part. hyper may parse it
    /// before the rest arrives.
    fn check_partial_line(&self, new: &[u8]) -> Result<(), HeadError> {
        match self.state {
            ParserState::RequestLine if self.wants_upgrade => Ok(()),
            ParserState::RequestLine => request_line::check_partial_request_line(&self.line, new),
            ParserState::Headers => {
                let has_name = self.line.contains(&b':');
                let is_name = has_name || new == b"\r" || request_line::is_token(new);
                let is_cr_last = self.cr_count == 0 || new.ends_with(b"\r");
                let is_valid = is_name && is_cr_last && self.cr_count <= 1 && !self.has_control;
                if is_valid {
                    Ok(())
                } else {
                    Err(HeadError::Field)
                }
            }
            _ => Ok(()),
        }
    }

    /// Enters the state after a line that ends with CRLF.
    fn end_line(&mut self) -> Result<(), HeadError> {
        let is_empty = self.line.len() == 2;
        match self.state {
            ParserState::RequestLine if is_empty => {
                self.head_bytes = 0;
                Ok(())
            }
            ParserState::RequestLine => {
                let line = &self.line[..self.line.len() - 2];
                if !std::mem::take(&mut self.wants_upgrade) {
                    self.is_http10 = request_line::check_request_line(line)?;
                    self.options_targets.extend(whole_server::has_no_path(line));
                }
                (self.content_length, self.chunked, self.field_count) = (None, false, 0);
                self.state = ParserState::Headers;
                Ok(())
            }
            ParserState::Headers if is_empty => self.end_head(),
            ParserState::Headers => self.header_field(),
            ParserState::ChunkSize => self.chunk_size(),
            ParserState::Trailers => {
                if is_empty {
                    self.end_request();
                }
                Ok(())
            }
            ParserState::Body(_)
            | ParserState::ChunkData(_)
            | ParserState::OtherProtocol
            | ParserState::Invalid(_) => Ok(()),
        }
    }

    fn end_request(&mut self) {
        self.head_bytes = 0;
        self.state = ParserState::RequestLine;
    }

    /// RFC 9112, section 6.3.
    fn end_head(&mut self) -> Result<(), HeadError> {
        self.head_bytes = 0;
        self.state = match (self.content_length, self.chunked) {
            (Some(_), true) => return Err(HeadError::Ambiguous),
            (None, true) => ParserState::ChunkSize,
            (None | Some(0), false) => ParserState::RequestLine,
            (Some(length), false) => ParserState::Body(length),
        };
        Ok(())
    }

    fn header_field(&mut self) -> Result<(), HeadError> {
        self.field_count += 1;
        if self.field_count > self.limits.fields {
            return Err(HeadError::TooManyFields(self.limits.fields));
        }
        let colon = self.line.iter().position(|byte| *byte == b':');
        let Some((name, value)) = colon.map(|colon| self.line.split_at(colon)) else {
            return Err(HeadError::Field);
        };
        if !request_line::is_token(name) || self.has_control || self.cr_count != 1 {
            return Err(HeadError::Field);
        }
        let value = value[1..].trim_ascii();
        let check = |is_valid| {
            if is_valid {
                Ok(())
            } else {
                Err(HeadError::Ambiguous)
            }
        };
        if name.eq_ignore_ascii_case(b"transfer-encoding") {
            let is_first = !std::mem::replace(&mut self.chunked, true);
            let is_chunked = !self.truncated && value.eq_ignore_ascii_case(b"chunked");
            return check(is_first && is_chunked && !self.is_http10);
        }
        self.wants_upgrade |= name.eq_ignore_ascii_case(b"upgrade");
        if name.eq_ignore_ascii_case(b"content-length") {
            let length = if self.truncated {
                None
            } else {
                parse_number(value, 10)
            };
            let is_same = self.content_length.is_none() || self.content_length == length;
            self.content_length = length;
            return check(length.is_some() && is_same);
        }
        Ok(())
    }

    /// RFC 9112, section 7.1. A line that is too long to be kept is invalid.
    fn chunk_size(&mut self) -> Result<(), HeadError> {
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
            return Err(HeadError::Ambiguous);
        }
        let size = parse_number(digits, 16).and_then(|size| match size {
            0 => Some(ParserState::Trailers),
            size => size.checked_add(2).map(ParserState::ChunkData),
        });
        self.state = size.ok_or(HeadError::Ambiguous)?;
        Ok(())
    }
}

fn parse_number(digits: &[u8], radix: u32) -> Option<u64> {
    let text = std::str::from_utf8(digits).ok()?;
    let begins_with_digit = text.starts_with(|first: char| first.is_digit(radix));
    u64::from_str_radix(text, radix)
        .ok()
        .filter(|_| begins_with_digit)
}
