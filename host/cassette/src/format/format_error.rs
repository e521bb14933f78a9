//! What can be wrong with the text of a cassette, and where.

use std::fmt;

use thiserror::Error;

/// A place in a cassette that does not read as it should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// Line in the file, from 1.
    pub line: u64,
    /// Column in bytes, from 1; 0 stands for the end of the line before.
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
    /// The fault that `error` tells of the value that starts at `start`, on the line that `lines`
    /// counts there.
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
}

/// Counts lines from fault to fault, so that many faults cost no more than one look at the text.
#[derive(Debug, Default)]
pub(super) struct LineCounter {
    offset: usize,
    line_ends: usize,
}

impl LineCounter {
    /// The line that holds the byte at `place`, from 1; no place lies before the last one.
    fn line_at(&mut self, bytes: &[u8], place: usize) -> usize {
        self.line_ends += memchr::memchr_iter(b'\n', &bytes[self.offset..place]).count();
        self.offset = place;
        self.line_ends + 1
    }
}

/// Bytes of a cassette that are not replayed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Where they start, in bytes from the start of the file.
    pub offset: u64,
    /// How many they are.
    pub bytes: u64,
    /// What is wrong with them.
    pub error: ParseError,
}

impl fmt::Display for Damage {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            offset,
            bytes,
            error: fault,
        } = self;
        write!(out, "{bytes} bytes from offset {offset} not read: {fault}")
    }
}

/// Why a file is no cassette that this program reads.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum FormatError {
    /// The first value is no header.
    #[error("not a cassette: {0}")]
    NotACassette(ParseError),
    /// The format is newer than this program.
    #[error(
        "format {version} is newer than ouli-gateway {}, which reads format 1: {}",
        env!("CARGO_PKG_VERSION"),
        needed(needs.as_deref())
    )]
    Newer {
        /// The version of the format.
        version: u64,
        /// The oldest version of the program that reads it, where the header names it.
        needs: Option<String>,
    },
}

fn needed(version: Option<&str>) -> String {
    version.map_or_else(
        || "use a newer ouli-gateway".to_owned(),
        |version| format!("use ouli-gateway {version} or newer"),
    )
}

/// The message without the position, which counts from the start of the value.
fn reason(error: &serde_json::Error) -> String {
    let whole = error.to_string();
    let position = format!(" at line {} column {}", error.line(), error.column());
    whole.strip_suffix(&position).unwrap_or(&whole).to_owned()
}
