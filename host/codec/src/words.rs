//! Runs of letters and digits in texts that may be percent-encoded or have the escapes of JSON.

use std::ops::Range;

use memchr::memmem;

/// The hash of no byte (FNV-1a, 64 bits).
const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;

fn with_byte(hash: u64, byte: u8) -> u64 {
    (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
}

/// Calls `take` with each run of letters and digits and its hash, and with what is after an escape
/// in it.
pub(crate) fn for_each_word(text: &[u8], mut take: impl FnMut(Range<usize>, u64)) {
    let mut take = |range: Range<usize>, hash| {
        let before = range.start.saturating_sub(1);
        if matches!(text[before], b'%' | b'\\') {
            for size in escape_sizes(&text[before..range.end]) {
                let start = before + size;
                if (range.start + 1..range.end).contains(&start) {
                    let rest = text[start..range.end].iter();
                    let hash = rest.fold(OFFSET, |hash, byte| with_byte(hash, *byte));
                    take(start..range.end, hash);
                }
            }
        }
        take(range, hash);
    };
    let (mut start, mut hash) = (0, OFFSET);
    for (at, byte) in text.iter().enumerate() {
        if byte.is_ascii_alphanumeric() {
            hash = with_byte(hash, *byte);
            continue;
        }
        if start < at {
            take(start..at, hash);
        }
        (start, hash) = (at + 1, OFFSET);
    }
    if start < text.len() {
        take(start..text.len(), hash);
    }
}

/// True if a range is in a text, and neither a letter nor a digit is next to it.
pub(crate) fn is_whole(text: &[u8], range: &Range<usize>) -> bool {
    let is_free = |at: Option<&u8>| at.is_none_or(|byte| !byte.is_ascii_alphanumeric());
    let before = range.start.checked_sub(1).and_then(|at| text.get(at));
    let is_free_before = || is_free(before) || ends_with_escape(&text[..range.start]);
    range.end <= text.len() && is_free(text.get(range.end)) && is_free_before()
}

/// True for a text that ends with the percent-encoding of a byte, or with an escape of JSON.
fn ends_with_escape(text: &[u8]) -> bool {
    let start = text.iter().rposition(|byte| !byte.is_ascii_alphanumeric());
    start.is_some_and(|at| escape_sizes(&text[at..]).contains(&(text.len() - at)))
}

/// The sizes of what may be an escape at the beginning of a text: of `%2F`, of `%252F`, which is
/// encoded twice, and of `\n` or `\u0022`. Zero for one that is none.
fn escape_sizes(text: &[u8]) -> [usize; 2] {
    let is_hex = |range: Range<usize>| {
        let digits = text.get(range);
        digits.is_some_and(|it| it.iter().all(u8::is_ascii_hexdigit))
    };
    match text {
        [b'%', b'2', b'5', ..] if is_hex(3..5) => [3, 5],
        [b'%', ..] if is_hex(1..3) => [3, 0],
        [b'\\', b'u', ..] if is_hex(2..6) => [6, 0],
        [b'\\', b'b' | b'f' | b'n' | b'r' | b't', ..] => [2, 0],
        _ => [0, 0],
    }
}

/// The spellings of a value in URLs, if they differ from it: in capitals and in small letters.
pub(crate) fn percent_encoded(value: &str) -> Vec<String> {
    match value.contains([':', '@']) {
        true => [true, false].map(|it| encode(value, it)).into(),
        false => Vec::new(),
    }
}

fn encode(value: &str, has_capitals: bool) -> String {
    let colon = if has_capitals { "%3A" } else { "%3a" };
    value.replace(':', colon).replace('@', "%40")
}

/// A value in the spelling that another one has in a text.
pub fn spelled_like(value: &str, other: &[u8]) -> String {
    let has = |text: &str| memmem::find(other, text.as_bytes()).is_some();
    match has("%3A") || has("%3a") || has("%40") {
        true => encode(value, !has("%3a")),
        false => value.to_owned(),
    }
}
