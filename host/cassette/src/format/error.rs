//! Errors in the text of a cassette, with their position.

use std::fmt;

use thiserror::Error;

use ouli_message::printable::printable_start;

/// A value that cannot be read, and its position in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// Line in the file, from 1.
    pub line: u64,
    /// Column in bytes, from 1; 0 is the end of the line before.
    pub column: u64,
    /// The ordinal of the exchange; 0 for the header.
    pub exchange: u64,
    /// What was expected or found.
    pub reason: String,
}

impl fmt::Display for ParseError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "line {}, column {}, ", self.line, self.column)?;
        match self.exchange {
            0 => write!(out, "in the header: {}", self.reason),
            ordinal => write!(out, "in exchange {ordinal}: {}", self.reason),
        }
    }
}

impl ParseError {
    /// Converts `error`, which occurred in the value that starts at `start`. `lines` counts the
    /// lines up to that offset.
    pub(super) fn new(
        bytes: &[u8],
        (start, lines): (usize, &mut LineCounter),
        exchange: u64,
        error: &serde_json::Error,
    ) -> Self {
        let before = &bytes[..start];
        let line = lines.line_at(bytes, start);
        let indent = before
            .iter()
            .rev()
            .take_while(|&&byte| byte != b'\n')
            .count();
        let column = match error.line() {
            0 | 1 => indent + error.column(),
            _ => error.column(),
        };
        Self {
            line: (line + error.line().saturating_sub(1)) as u64,
            column: column as u64,
            exchange,
            reason: reason(error),
        }
    }

    /// Converts an error in the header.
    pub(super) fn in_header(bytes: &[u8], error: &serde_json::Error) -> Self {
        Self::new(bytes, (0, &mut LineCounter::default()), 0, error)
    }
}

/// Counts lines incrementally, so that many errors cost one pass over the text.
#[derive(Debug, Default)]
pub(super) struct LineCounter {
    offset: usize,
    line_ends: usize,
}

impl LineCounter {
    /// The line of the byte at `offset`, from 1. Offsets must not decrease from call to call.
    pub(super) fn line_at(&mut self, bytes: &[u8], offset: usize) -> usize {
        self.line_ends += memchr::memchr_iter(b'\n', &bytes[self.offset..offset]).count();
        self.offset = offset;
        self.line_ends + 1
    }
}

/// Bytes of a cassette that cannot be read and are not replayed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Offset of the first byte in the file.
    pub offset: u64,
    /// Number of bytes.
    pub bytes: u64,
    /// Why they cannot be read.
    pub error: ParseError,
}

impl fmt::Display for Damage {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            offset,
            bytes,
            error,
        } = self;
        write!(out, "{bytes} bytes from offset {offset} not read: {error}")
    }
}

/// Why a file is not a cassette that this program reads.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum FormatError {
    /// The first value is not a header.
    #[error("not a cassette: {0}")]
    NotACassette(ParseError),
    /// The format is newer than this program.
    #[error(
        "format {version} is newer than ouli-gateway {}, which reads format 1: {}",
        env!("CARGO_PKG_VERSION"),
        required_version(needs.as_deref())
    )]
    Newer {
        /// The version of the format.
        version: u64,
        /// The oldest version of the program that reads it, if the header names it.
        needs: Option<String>,
    },
}

fn required_version(version: Option<&str>) -> String {
    version.map_or_else(
        || "use a newer ouli-gateway".to_owned(),
        |version| format!("use ouli-gateway {version} or newer"),
    )
}

/// Maximum length in bytes of a reason: it may name a member of the file.
const MAX_REASON: usize = 500;

/// The message without its position, which is relative to the start of the value.
fn reason(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let position = format!(" at line {} column {}", error.line(), error.column());
    let reason = message.strip_suffix(&position).unwrap_or(&message);
    printable_start(reason, MAX_REASON).into_owned()
}
