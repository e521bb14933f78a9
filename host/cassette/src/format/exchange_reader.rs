//! Reads one exchange and checks its digest.

use std::ops::Range;

use bytes::Bytes;

use super::digest::digest;
use super::exchange_members::Record;
use super::line_ends;
use super::place::Place;
use super::strict_json::Object;
use ouli_message::Exchange;

/// An exchange of a cassette.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedExchange {
    /// The exchange.
    pub exchange: Exchange,
    /// True if its content differs from the recorded digest, or if its ordinal does not rise.
    pub edited: bool,
    /// Its number in the order in which the requests began; the gateway counts from 1.
    pub ordinal: u64,
    /// Its place in the text.
    pub place: Place,
}

/// What a range of a cassette starts with.
pub(super) enum ParseResult {
    /// White space up to the end.
    End,
    /// An exchange, and the offset of its end.
    Exchange(Box<RecordedExchange>, usize),
    /// Something that is not an exchange, and the offset of its start.
    Invalid(serde_json::Error, usize),
}

/// Reads the exchange at the start of `range`.
pub(super) fn parse_exchange(bytes: &Bytes, range: Range<usize>) -> ParseResult {
    let text = &bytes[range.clone()];
    let whitespace = text.iter().take_while(|byte| byte.is_ascii_whitespace());
    let start = range.start + whitespace.count();
    if start == range.end {
        return ParseResult::End;
    }
    let text = &bytes[start..range.end];
    let mut values = serde_json::Deserializer::from_slice(text).into_iter();
    match values.next() {
        None => ParseResult::End,
        Some(Err(error)) => ParseResult::Invalid(error, start),
        Some(Ok(Object(record))) => {
            let mut recorded = verify_record(record, bytes);
            let end = start + values.byte_offset();
            if recorded.edited
                && let Some(restored) = restore_line_ends(&bytes[start..end])
            {
                recorded = restored;
            }
            ParseResult::Exchange(Box::new(recorded), end)
        }
    }
}

/// The exchange with the line ends that it was recorded with; `None` unless their conversion is the
/// only difference from the digest. Only the `json` of a body has line ends of its own.
fn restore_line_ends(text: &[u8]) -> Option<RecordedExchange> {
    let parse = |candidate: Bytes| {
        let mut values = serde_json::Deserializer::from_slice(&candidate).into_iter();
        let Object(record) = values.next()?.ok()?;
        Some(verify_record(record, &candidate)).filter(|recorded| !recorded.edited)
    };
    let is_recorded = |candidate: &[u8]| parse(Bytes::copy_from_slice(candidate)).is_some();
    line_ends::restore(text, is_recorded).and_then(|restored| parse(restored.into()))
}

fn verify_record(record: Record<'_>, bytes: &Bytes) -> RecordedExchange {
    let (place, stored_digest, exchange) = record.into_exchange(bytes);
    RecordedExchange {
        edited: stored_digest.as_deref() != Some(&digest(&exchange)),
        exchange,
        ordinal: place.number,
        place,
    }
}
