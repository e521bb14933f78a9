//! Finds the last exchange of a cassette without the ones before it.

use std::io;
use std::ops::Range;

use bytes::Bytes;

use super::boundary;
use super::exchange_reader::{ParseResult, parse_exchange};
use super::header::{ParsedHeader, parse_header};
use super::line_ends;

/// Bytes that are read of the start. A header is shorter.
const START: u64 = 4096;

/// Bytes that are read of the end at first. If the last exchange is longer, four times as many are
/// read next.
const END: u64 = 64 * 1024;

/// The ordinal of the last exchange, if the cassette ends with it as it was recorded. `None` if
/// that cannot be told from the start and the end: all of it has to be read. `read` returns the
/// bytes of a range.
///
/// # Errors
/// If `read` fails.
pub(crate) fn last_ordinal(
    size: u64,
    mut read: impl FnMut(Range<u64>) -> io::Result<Vec<u8>>,
) -> io::Result<Option<u64>> {
    let start = read(0..START.min(size))?;
    let has_header = matches!(parse_header(&start), Ok(ParsedHeader::Complete(1..)));
    if !has_header || line_ends::is_crlf(&start) {
        return Ok(None);
    }
    let mut length = END;
    loop {
        let from = size.saturating_sub(length);
        let end = Bytes::from(read(from..size)?);
        if let Some(found) = boundary::find_last_start(&end) {
            return Ok(ordinal_of_whole(&end, found));
        }
        if from == 0 {
            return Ok(None);
        }
        length = length.saturating_mul(4);
    }
}

/// The ordinal of the exchange at `start`, if nothing follows it and it matches its digest.
fn ordinal_of_whole(bytes: &Bytes, start: usize) -> Option<u64> {
    let ParseResult::Exchange(recorded, end) = parse_exchange(bytes, start..bytes.len()) else {
        return None;
    };
    let is_last = bytes[end..].iter().all(u8::is_ascii_whitespace);
    (is_last && !recorded.edited).then_some(recorded.ordinal)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_exchanges::{cassette, sample, text};

    /// The result, and the number of bytes that were read.
    fn read(cassette: &[u8]) -> (Option<u64>, u64) {
        let mut count = 0;
        let ordinal = last_ordinal(cassette.len() as u64, |range| {
            count += range.end - range.start;
            let range = usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap();
            Ok(cassette[range].to_vec())
        });
        (ordinal.unwrap(), count)
    }

    #[test]
    fn only_the_start_and_the_end_are_read() {
        let mut exchanges: Vec<_> = (1..=2000).map(sample).collect();
        let bytes = cassette(&exchanges);
        assert!(bytes.len() > 1 << 20);
        assert_eq!(read(&bytes), (Some(2000), START + END));
        // The last exchange is longer than what is read at first.
        exchanges[1999].response.body = text(&"a line\n".repeat(40_000));
        let bytes = cassette(&exchanges);
        assert_eq!(read(&bytes), (Some(2000), START + END + 4 * END + 16 * END));
    }

    #[test]
    fn an_end_that_is_not_whole_is_not_taken_for_an_exchange() {
        let good = cassette(&[sample(1), sample(2)]);
        assert_eq!(read(&good).0, Some(2));
        let one = cassette(&[sample(1)]).len();
        for end in 0..good.len() - 1 {
            let is_whole = end == one || end + 1 == one;
            assert_eq!(read(&good[..end]).0, is_whole.then_some(1), "{end}");
        }
        let good = String::from_utf8(good).unwrap();
        for changed in [
            good.replace("/items/2", "/items/3"),
            good.replace('\n', "\r\n"),
            good.clone() + "x",
            good.replace("\"ouli-cassette\": 1", "\"ouli-cassette\": 9"),
            good.replace("{\n  \"exchange\"", "{ \"exchange\""),
            String::new(),
        ] {
            assert_eq!(read(changed.as_bytes()).0, None, "{changed}");
        }
        assert_eq!(read((good + "\n \n").as_bytes()).0, Some(2));
    }
}
