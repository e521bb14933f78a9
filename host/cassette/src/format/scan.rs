//! Reads the exchanges of a cassette one after the other, without keeping them.

use std::io;
use std::ops::Range;

use bytes::Bytes;

use super::exchange_reader::{ParseResult, RecordedExchange, parse_exchange};
use super::header::{ParsedHeader, parse_header};
use super::line_ends;

/// Bytes that are read at once. A longer exchange needs more.
const WINDOW: u64 = 4 << 20;

/// Passes each exchange to `each`, with its range and the white space before it. False if the
/// cassette is not all exchanges: then it has to be decoded as a whole, which tells what cannot be
/// read. `read` returns the bytes of a range.
///
/// # Errors
/// If `read` fails.
pub(crate) fn scan(
    size: u64,
    mut read: impl FnMut(Range<u64>) -> io::Result<Vec<u8>>,
    mut each: impl FnMut(&RecordedExchange, Range<u64>),
) -> io::Result<bool> {
    let mut window = WINDOW;
    let mut bytes = Bytes::from(read(0..window.min(size))?);
    let Ok(ParsedHeader::Complete(mut at)) = parse_header(&bytes) else {
        return Ok(false);
    };
    if line_ends::is_crlf(&bytes) {
        return Ok(false);
    }
    let mut start = 0;
    loop {
        let is_last = start + bytes.len() as u64 >= size;
        match parse_exchange(&bytes, at..bytes.len()) {
            ParseResult::Exchange(recorded, end) => {
                each(&recorded, start + at as u64..start + end as u64);
                at = end;
                window = WINDOW;
                continue;
            }
            ParseResult::End if is_last => return Ok(true),
            ParseResult::Invalid(..) if is_last => return Ok(false),
            // White space.
            ParseResult::End => at = bytes.len(),
            // A value that cannot be read is read again with more of the file, up to its end.
            ParseResult::Invalid(..) if at == 0 => window = window.saturating_mul(2),
            ParseResult::Invalid(..) => {}
        }
        start += at as u64;
        at = 0;
        bytes = Bytes::from(read(start..size.min(start.saturating_add(window)))?);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_exchanges::{cassette, sample, text};

    /// The targets, whether all was read, and the most bytes of one read.
    fn scanned(cassette: &[u8]) -> (Vec<String>, bool, u64) {
        let (mut targets, mut most) = (Vec::new(), 0);
        let read = |range: Range<u64>| {
            most = most.max(range.end - range.start);
            let range = usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap();
            Ok(cassette[range].to_vec())
        };
        let each = |recorded: &RecordedExchange, _: Range<u64>| {
            targets.push(recorded.exchange.request.target.clone());
        };
        let whole = scan(cassette.len() as u64, read, each).unwrap();
        (targets, whole, most)
    }

    #[test]
    fn a_large_cassette_is_read_in_parts() {
        let mut exchanges: Vec<_> = (1..=60).map(sample).collect();
        for exchange in &mut exchanges {
            exchange.response.body = text(&"a line\n".repeat(40_000));
        }
        let bytes = cassette(&exchanges);
        assert!(bytes.len() as u64 > 3 * WINDOW);
        let (targets, whole, most) = scanned(&bytes);
        let expected = exchanges.iter().map(|it| &it.request.target);
        assert!(whole && targets.iter().eq(expected));
        assert_eq!(most, WINDOW);
        // One exchange is longer than a part.
        exchanges[30].response.body = text(&"a line\n".repeat(1_000_000));
        let (targets, whole, most) = scanned(&cassette(&exchanges));
        assert!(whole && targets.len() == 60 && most <= 8 * WINDOW, "{most}");
    }

    #[test]
    fn what_is_not_all_exchanges_is_told() {
        let good = cassette(&[sample(1), sample(2)]);
        assert_eq!((scanned(&good).0.len(), scanned(&good).1), (2, true));
        let text = String::from_utf8(good.clone()).unwrap();
        for changed in [
            text.replacen("\"status\"", "\"state\"", 1),
            text.replacen("\"status\": 200", "\"status\": 99", 2),
            text.replace('\n', "\r\n"),
            text.clone() + "x",
            text[..text.len() - 10].to_owned(),
            "{}".to_owned(),
        ] {
            assert!(!scanned(changed.as_bytes()).1, "{changed}");
        }
        assert!(scanned(b"").1, "an empty file has no exchange");
        let blank = text + &"\n".repeat(3 * usize::try_from(WINDOW).unwrap());
        assert!(scanned(blank.as_bytes()).1, "white space is skipped");
    }
}
