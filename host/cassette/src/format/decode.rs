//! Text to exchanges: the pure half that reads.

use std::ops::Range;

use bytes::Bytes;
use memchr::memmem;
use serde::Deserialize;

use super::digest::digest;
use super::exchange_members::Record;
use super::format_error::{Damage, FormatError, LineCounter, ParseError};
use super::strict_json::Object;
use crate::store::parallel_reader;
use ouli_message::Exchange;

/// A cassette as it was read.
#[derive(Debug, Default)]
pub struct LoadedCassette {
    /// The whole exchanges, in the order of the file.
    pub exchanges: Vec<RecordedExchange>,
    /// What could not be read and has whole exchanges after it.
    pub damage: Vec<Damage>,
    /// What could not be read at the end: an exchange that was cut off, or one that is damaged
    /// and has no whole one after it.
    pub torn_tail: Option<Damage>,
    /// Size in bytes of the part before the torn end; 0 where there is no header.
    pub valid_length: u64,
}

impl LoadedCassette {
    /// The ordinal of the next exchange that is appended.
    pub fn next_ordinal(&self) -> u64 {
        let highest = self.exchanges.iter().map(|it| it.ordinal).max();
        highest.unwrap_or(0).saturating_add(1)
    }
}

/// An exchange of a cassette.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedExchange {
    /// The exchange.
    pub exchange: Exchange,
    /// True where its content is not what was recorded, or where its ordinal does not rise.
    pub edited: bool,
    /// Its number, from 1 in what the gateway writes.
    pub ordinal: u64,
}

/// Reads a cassette. Bodies are parts of `bytes` where they stand there as they are.
///
/// # Errors
/// Where the first value is not the header of a format that this program reads, and no whole
/// exchange follows, or where the header is one of a newer format. What cannot be read after it is
/// skipped and reported in the answer.
pub fn decode(bytes: &Bytes) -> Result<LoadedCassette, FormatError> {
    let mut loaded = LoadedCassette::default();
    let start = match header(bytes) {
        Ok(Ok(start)) => start,
        Ok(Err(error)) => {
            let fault = ParseError::new(bytes, (0, &mut LineCounter::default()), 0, &error);
            match skip_header(bytes, &fault, &mut loaded) {
                Some(start) => start,
                None => {
                    loaded.torn_tail = Some(damage(0..bytes.len(), fault));
                    return Ok(loaded);
                }
            }
        }
        Err(FormatError::NotACassette(fault)) => {
            skip_header(bytes, &fault, &mut loaded).ok_or(FormatError::NotACassette(fault))?
        }
        Err(error) => return Err(error),
    };
    let resume = parallel_reader::decode_parallel(bytes, start, &mut loaded.exchanges);
    decode_sequential(bytes, resume, &mut loaded);
    mark_reordered(&mut loaded.exchanges);
    Ok(loaded)
}

/// Where the first whole exchange ends, with what stands before it as damage: a header of which a
/// byte was changed does not take all the exchanges with it.
fn skip_header(bytes: &Bytes, fault: &ParseError, loaded: &mut LoadedCassette) -> Option<usize> {
    let (next, recorded, end) = next_verified(bytes, 0)?;
    loaded.damage.push(damage(0..next, fault.clone()));
    loaded.exchanges.push(recorded);
    Some(end)
}

/// How every exchange starts that the gateway writes, from the end of the line before it.
///
/// The writer keeps these bytes out of every body, so that they are a boundary wherever they
/// stand, unless someone edited the file.
pub(crate) const BOUNDARY: &[u8] = b"\n{\n  \"exchange\":";

/// What stands at a place of a cassette.
pub(crate) enum ParseResult {
    /// White space up to the end.
    End,
    /// An exchange, and where it ends.
    Exchange(Box<RecordedExchange>, usize),
    /// Something else, and where it starts.
    Invalid(serde_json::Error, usize),
}

/// Reads the exchange that stands in `range`.
pub(crate) fn parse_exchange(bytes: &Bytes, range: Range<usize>) -> ParseResult {
    let text = &bytes[range.clone()];
    let space = text.iter().take_while(|byte| byte.is_ascii_whitespace());
    let start = range.start + space.count();
    if start == range.end {
        return ParseResult::End;
    }
    let text = &bytes[start..range.end];
    let mut values = serde_json::Deserializer::from_slice(text).into_iter();
    match values.next() {
        None => ParseResult::End,
        Some(Err(error)) => ParseResult::Invalid(error, start),
        Some(Ok(Object(record))) => {
            let recorded = verify_record(record, bytes);
            ParseResult::Exchange(Box::new(recorded), start + values.byte_offset())
        }
    }
}

fn verify_record(record: Record<'_>, bytes: &Bytes) -> RecordedExchange {
    let (ordinal, noted, exchange) = record.into_exchange(bytes);
    RecordedExchange {
        edited: noted.as_deref() != Some(&digest(&exchange)),
        exchange,
        ordinal,
    }
}

/// The header of this version of the format.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    #[serde(rename = "ouli-cassette")]
    _version: u64,
}

/// What the header of any version says.
#[derive(Deserialize)]
struct AnyHeader {
    #[serde(rename = "ouli-cassette")]
    version: u64,
    #[serde(default)]
    needs: Option<String>,
}

/// Where the header ends; the inner error where the text ends inside it.
fn header(bytes: &[u8]) -> Result<Result<usize, serde_json::Error>, FormatError> {
    let not = |error| {
        FormatError::NotACassette(ParseError::new(
            bytes,
            (0, &mut LineCounter::default()),
            0,
            &error,
        ))
    };
    let (any, end) = match first_value::<AnyHeader>(bytes) {
        Ok(Some(found)) => found,
        Ok(None) => return Ok(Ok(0)),
        Err(error) if error.is_eof() => return Ok(Err(error)),
        Err(error) => return Err(not(error)),
    };
    match any.version {
        VERSION => first_value::<Header>(bytes).map_err(not).map(|_| Ok(end)),
        version @ 2.. => Err(FormatError::Newer {
            version,
            needs: any.needs,
        }),
        0 => Err(not(serde::de::Error::custom("there is no format 0"))),
    }
}

fn first_value<'a, T: Deserialize<'a>>(
    bytes: &'a [u8],
) -> Result<Option<(T, usize)>, serde_json::Error> {
    let mut values = serde_json::Deserializer::from_slice(bytes).into_iter();
    let first = values.next().transpose()?;
    Ok(first.map(|Object(value)| (value, values.byte_offset())))
}

/// Reads exchanges one after the other from `at` to the end.
fn decode_sequential(bytes: &Bytes, mut at: usize, loaded: &mut LoadedCassette) {
    let mut lines = LineCounter::default();
    loop {
        match parse_exchange(bytes, at..bytes.len()) {
            ParseResult::End => {
                loaded.valid_length = bytes.len() as u64;
                return;
            }
            ParseResult::Exchange(recorded, end) => {
                loaded.exchanges.push(*recorded);
                at = end;
            }
            ParseResult::Invalid(error, start) => {
                let due = ordinal_at(bytes, start, loaded);
                let fault = ParseError::new(bytes, (start, &mut lines), due, &error);
                let Some((next, recorded, end)) = next_verified(bytes, start) else {
                    loaded.valid_length = start as u64;
                    loaded.torn_tail = Some(damage(start..bytes.len(), fault));
                    return;
                };
                loaded.damage.push(damage(start..next, fault));
                loaded.exchanges.push(recorded);
                at = end;
            }
        }
    }
}

/// The first exchange after `from` that stands between two boundaries and has its own digest.
/// What stands before `from` was read to its end, so that the start of an exchange may stand right
/// behind the one byte there: a line end that was changed.
fn next_verified(bytes: &Bytes, from: usize) -> Option<(usize, RecordedExchange, usize)> {
    let behind = bytes.get(from + 1..).unwrap_or_default();
    let behind = behind.starts_with(&BOUNDARY[1..]).then_some(from + 1);
    let boundaries = memmem::find_iter(&bytes[from..], BOUNDARY).map(|found| from + found + 1);
    let mut starts = behind.into_iter().chain(boundaries).peekable();
    while let Some(start) = starts.next() {
        let end = starts.peek().copied().unwrap_or(bytes.len());
        if let ParseResult::Exchange(recorded, end) = parse_exchange(bytes, start..end)
            && !recorded.edited
        {
            return Some((start, *recorded, end));
        }
    }
    None
}

/// The ordinal that a broken exchange names, else the one that is due.
fn ordinal_at(bytes: &[u8], start: usize, loaded: &LoadedCassette) -> u64 {
    let due = loaded.exchanges.last().map_or(0, |last| last.ordinal);
    let named = || {
        let text = bytes[start..].strip_prefix(&BOUNDARY[1..])?;
        let text = text.trim_ascii_start();
        let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
        std::str::from_utf8(&text[..digits]).ok()?.parse().ok()
    };
    named().unwrap_or(due.saturating_add(1))
}

fn damage(range: Range<usize>, fault: ParseError) -> Damage {
    Damage {
        offset: range.start as u64,
        bytes: range.len() as u64,
        error: fault,
    }
}

/// An exchange that was moved or copied by hand shows by its ordinal alone.
fn mark_reordered(exchanges: &mut [RecordedExchange]) {
    let mut last = 0;
    for recorded in exchanges {
        recorded.edited |= recorded.ordinal <= last;
        last = last.max(recorded.ordinal);
    }
}

const VERSION: u64 = 1;
