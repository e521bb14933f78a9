//! Decodes the text of a cassette, and reports what cannot be read.

use std::ops::Range;

use bytes::Bytes;

use super::boundary::{self, EXCHANGE_START};
use super::error::{Damage, FormatError, LineCounter, ParseError};
use super::exchange_reader::{ParseResult, RecordedExchange, parse_exchange};
use super::header::{ParsedHeader, parse_header};
use super::line_ends::{self, OffsetMap};
use super::place::{Place, start_order};
use super::{conflict_marker, parallel_reader};

/// A decoded cassette.
#[derive(Debug, Default)]
pub struct LoadedCassette {
    /// The complete exchanges, in the order in which their requests began.
    pub exchanges: Vec<RecordedExchange>,
    /// Unreadable parts that are followed by a complete exchange.
    pub damage: Vec<Damage>,
    /// An unreadable part at the end of the file: an exchange that was cut off, or a damaged one
    /// with no complete exchange after it.
    pub torn_tail: Option<Damage>,
    /// Size in bytes of the part before the torn tail; 0 if the header is missing.
    pub valid_length: u64,
    /// True if another program converted the line ends to CRLF.
    pub has_crlf: bool,
}

impl LoadedCassette {
    /// The ordinal of the next exchange that is appended.
    pub fn next_ordinal(&self) -> u64 {
        let highest = self.exchanges.iter().map(|it| it.ordinal).max();
        highest.unwrap_or(0).saturating_add(1)
    }
}

/// Decodes a cassette. Bodies that are stored verbatim share memory with `bytes`.
///
/// Unreadable parts after the header are skipped and reported in the result.
///
/// # Errors
/// If the header names a newer format, or if the first value is not a header and no complete
/// exchange follows it.
///
/// If another program converted the line ends, the recorded bytes of bodies are restored wherever
/// the digest confirms them.
pub fn decode(bytes: &Bytes) -> Result<LoadedCassette, FormatError> {
    if !line_ends::is_crlf(bytes) {
        return decode_lf(bytes);
    }
    let mut loaded = decode_lf(&Bytes::from(line_ends::to_lf(bytes)))?;
    loaded.has_crlf = true;
    let mut offsets = OffsetMap::new(bytes);
    for damage in loaded.damage.iter_mut().chain(&mut loaded.torn_tail) {
        let from = offsets.convert(damage.offset);
        let end = offsets.convert(damage.offset + damage.bytes);
        (damage.offset, damage.bytes) = (from, end - from);
    }
    loaded.valid_length = match &loaded.torn_tail {
        Some(tail) => tail.offset,
        None => bytes.len() as u64,
    };
    Ok(loaded)
}

fn decode_lf(bytes: &Bytes) -> Result<LoadedCassette, FormatError> {
    let mut loaded = LoadedCassette::default();
    let start = match parse_header(bytes) {
        Ok(ParsedHeader::Complete(end)) => end,
        Ok(ParsedHeader::Truncated(error)) => match skip_header(bytes, &error, &mut loaded) {
            Some(start) => start,
            None => {
                loaded.torn_tail = Some(damage(bytes, 0..bytes.len(), 1, error));
                return Ok(loaded);
            }
        },
        Err(FormatError::NotACassette(error)) => {
            skip_header(bytes, &error, &mut loaded).ok_or(FormatError::NotACassette(error))?
        }
        Err(error) => return Err(error),
    };
    let resume = parallel_reader::decode_parallel(bytes, start, &mut loaded.exchanges);
    decode_sequential(bytes, resume, &mut loaded);
    mark_reordered(&mut loaded.exchanges);
    sort_by_start(&mut loaded.exchanges);
    Ok(loaded)
}

/// Skips an unreadable header, so that one changed byte in it does not lose all exchanges. Returns
/// the end of the first complete exchange and reports the bytes before it as damage.
fn skip_header(bytes: &Bytes, error: &ParseError, loaded: &mut LoadedCassette) -> Option<usize> {
    let (next, recorded, end) = next_verified(bytes, 0)?;
    loaded.damage.push(damage(bytes, 0..next, 1, error.clone()));
    loaded.exchanges.push(recorded);
    Some(end)
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
                let ordinal = ordinal_at(bytes, start, loaded);
                let line = lines.line_at(bytes, start);
                let error = ParseError::new(bytes, (start, &mut lines), ordinal, &error);
                let Some((next, recorded, end)) = next_verified(bytes, start) else {
                    loaded.valid_length = start as u64;
                    loaded.torn_tail = Some(damage(bytes, start..bytes.len(), line, error));
                    return;
                };
                let skipped = damage(bytes, start..next, line, error);
                loaded.damage.push(skipped);
                loaded.exchanges.push(recorded);
                at = end;
            }
        }
    }
}

/// The first exchange after `from` that lies between two boundaries and matches its digest.
///
/// The bytes before `from` are already decoded. If the line end at `from` was changed to another
/// byte, an exchange starts directly after it.
fn next_verified(bytes: &Bytes, from: usize) -> Option<(usize, RecordedExchange, usize)> {
    let next = bytes.get(from + 1..).unwrap_or_default();
    let adjacent = next.starts_with(EXCHANGE_START).then_some(from + 1);
    let starts = boundary::find_starts(&bytes[from..]).map(|start| from + start);
    let mut starts = adjacent.into_iter().chain(starts).peekable();
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

/// The ordinal of a damaged exchange: the one in its text, otherwise the next in sequence.
fn ordinal_at(bytes: &[u8], start: usize, loaded: &LoadedCassette) -> u64 {
    let previous = loaded.exchanges.last().map_or(0, |last| last.ordinal);
    let in_text = || {
        let text = bytes[start..].strip_prefix(EXCHANGE_START)?;
        let text = text.trim_ascii_start();
        let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
        std::str::from_utf8(&text[..digits]).ok()?.parse().ok()
    };
    in_text().unwrap_or(previous.saturating_add(1))
}

/// Unreadable bytes that start on `line`. A conflict marker in them is named as the cause.
fn damage(bytes: &[u8], range: Range<usize>, line: usize, mut error: ParseError) -> Damage {
    let skipped = &bytes[range.clone()];
    if let Some(marker) = conflict_marker::find(skipped) {
        let before = memchr::memchr_iter(b'\n', &skipped[..marker]).count();
        error.line = (line + before) as u64;
        error.column = 1;
        conflict_marker::REASON.clone_into(&mut error.reason);
    }
    Damage {
        offset: range.start as u64,
        bytes: range.len() as u64,
        error,
    }
}

/// The digest does not cover the ordinal, so only the ordinal shows that an exchange was moved or
/// duplicated.
fn mark_reordered(exchanges: &mut [RecordedExchange]) {
    let mut highest = 0;
    for recorded in exchanges {
        recorded.edited |= recorded.ordinal <= highest;
        highest = highest.max(recorded.ordinal);
    }
}

/// Puts the exchanges into the order in which their requests began. Their numbers increase in that
/// order too.
fn sort_by_start(exchanges: &mut Vec<RecordedExchange>) {
    let places: Vec<Place> = exchanges.iter().map(|it| it.place).collect();
    let Some(order) = start_order(&places) else {
        return;
    };
    let mut unsorted: Vec<_> = std::mem::take(exchanges).into_iter().map(Some).collect();
    let sorted = order.into_iter().zip(places).filter_map(|(at, place)| {
        let recorded = unsorted[at].take()?;
        Some(RecordedExchange {
            ordinal: place.number,
            ..recorded
        })
    });
    exchanges.extend(sorted);
}
