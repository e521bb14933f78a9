//! Placeholders: `<class-1>` in text, `%3Cclass-1%3E` in URLs.

use std::borrow::Cow;
use std::ops::Range;

/// True if `class` is a valid class: lower-case words of letters and digits, joined by `-`. The
/// first begins with a letter. The last is not all digits, since it would read as the number.
pub fn is_class(class: &str) -> bool {
    let words = || class.split('-');
    let letters = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    class.len() <= MAX_CLASS
        && class.starts_with(|first: char| first.is_ascii_lowercase())
        && words().all(|word| !word.is_empty() && word.bytes().all(letters))
        && words().next_back().is_some_and(|last| !is_digits(last))
}

/// Maximum length of a class in bytes.
const MAX_CLASS: usize = 64;
/// Maximum number of digits of a placeholder number.
const MAX_DIGITS: usize = 12;
/// Bytes of the longest placeholder, whose brackets are percent-encoded.
const MAX_LEN: usize = MAX_CLASS + MAX_DIGITS + "%3C-%3E".len();

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A placeholder in a text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PlaceholderMatch<'a> {
    /// Its byte range, brackets included.
    pub(super) range: Range<usize>,
    pub(super) class: &'a str,
    /// None if it names the class only.
    pub(super) number: Option<u64>,
    /// True if its brackets are percent-encoded.
    pub(super) encoded: bool,
}

/// The placeholder of a secret, such as `<token-1>`.
pub(super) fn numbered(class: &str, number: u64) -> String {
    format!("<{class}-{number}>")
}

/// The placeholder of a class, such as `<token>`.
pub(super) fn unnumbered(class: &str) -> String {
    format!("<{class}>")
}

/// A placeholder percent-encoded for a URL.
pub(super) fn encoded(placeholder: &str) -> String {
    placeholder.replace('<', "%3C").replace('>', "%3E")
}

/// Every numbered placeholder in a text.
pub(super) fn find_all(text: &str) -> impl Iterator<Item = PlaceholderMatch<'_>> {
    openings(text).filter_map(|at| parse(text, at).filter(|found| found.number.is_some()))
}

/// The class and number of every numbered placeholder in bytes.
pub fn placeholders_in(bytes: &[u8]) -> impl Iterator<Item = (&str, u64)> {
    let texts = bytes.utf8_chunks().map(|chunk| chunk.valid());
    texts
        .flat_map(find_all)
        .filter_map(|found| Some((found.class, found.number?)))
}

/// A cheap test whether a text may contain a placeholder.
pub(super) fn may_contain(text: &str) -> bool {
    openings(text).next().is_some()
}

/// True if the text contains a placeholder, numbered or not.
pub(super) fn holds_any(text: &str) -> bool {
    openings(text).any(|at| parse(text, at).is_some())
}

/// True if the text ends with a placeholder, numbered or not.
pub(super) fn is_at_end(text: &str) -> bool {
    let last = openings(text).last().and_then(|at| parse(text, at));
    last.is_some_and(|last| last.range.end == text.len())
}

/// Replaces every `<x-N>` with `<x>`, so that placeholders compare by their class.
pub fn collapse_to_class(text: &str) -> Cow<'_, str> {
    rewrite(text, false, |found| Some(unnumbered(found.class)))
}

/// Replaces the numbered placeholders of a text for which there is a new one. In a part of a URL
/// each new one is percent-encoded, elsewhere if the one before was.
pub(super) fn rewrite(
    text: &str,
    in_url: bool,
    new: impl Fn(&PlaceholderMatch<'_>) -> Option<String>,
) -> Cow<'_, str> {
    let mut out = String::new();
    let mut done = 0;
    for found in find_all(text) {
        let Some(new) = new(&found) else {
            continue;
        };
        out.push_str(&text[done..found.range.start]);
        out.push_str(&if in_url || found.encoded {
            encoded(&new)
        } else {
            new
        });
        done = found.range.end;
    }
    if done == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(&text[done..]);
    Cow::Owned(out)
}

/// True if the whole text is one placeholder, numbered or not.
pub fn is_placeholder(text: &[u8]) -> bool {
    parse_whole(text).is_some()
}

/// The placeholder that the whole text is.
pub(super) fn parse_whole(text: &[u8]) -> Option<PlaceholderMatch<'_>> {
    let text = std::str::from_utf8(text).ok()?;
    parse(text, 0).filter(|found| found.range.end == text.len())
}

/// The length of the placeholder at the start of the text, or 0.
pub(super) fn leading_len(text: &str) -> usize {
    parse(text, 0).map_or(0, |found| found.range.end)
}

/// True if the range is within a placeholder.
pub(super) fn covers(text: &[u8], range: &Range<usize>) -> bool {
    if range.len() > MAX_LEN {
        return false;
    }
    let from = range.start.saturating_sub(MAX_CLASS + MAX_DIGITS);
    let until = (range.end + MAX_CLASS + MAX_DIGITS).min(text.len());
    // The window may begin or end within a character. Placeholders are ASCII, so its valid chunks
    // are checked one by one.
    let window = text.get(from..until).unwrap_or_default();
    window
        .utf8_chunks()
        .scan(from, |start, chunk| {
            let chunk_start = *start;
            *start += chunk.valid().len() + chunk.invalid().len();
            Some((chunk_start, chunk.valid()))
        })
        .any(|(start, chunk)| {
            find_all(chunk).any(|found| {
                start + found.range.start <= range.start && range.end <= start + found.range.end
            })
        })
}

fn openings(text: &str) -> impl Iterator<Item = usize> {
    memchr::memchr2_iter(b'<', b'%', text.as_bytes())
        .filter(|at| text.as_bytes()[*at] == b'<' || is_encoded(text, *at, b'C'))
}

fn is_encoded(text: &str, at: usize, last: u8) -> bool {
    matches!(text.as_bytes().get(at..at + 3),
        Some([b'%', b'3', digit]) if digit.eq_ignore_ascii_case(&last))
}

/// The placeholder that begins at `at`, numbered or not.
fn parse(text: &str, at: usize) -> Option<PlaceholderMatch<'_>> {
    let encoded = is_encoded(text, at, b'C');
    let open = match text.as_bytes().get(at)? {
        b'<' => 1,
        b'%' if encoded => 3,
        _ => return None,
    };
    let inner = text.get(at + open..)?;
    let size = inner
        .bytes()
        .take_while(is_inner)
        .take(MAX_CLASS + MAX_DIGITS + 1)
        .count();
    let end = at + open + size;
    let close = match encoded {
        true if is_encoded(text, end, b'E') => 3,
        false if text.as_bytes().get(end) == Some(&b'>') => 1,
        true | false => return None,
    };
    let (class, number) = split(&inner[..size])?;
    let range = at..end + close;
    Some(PlaceholderMatch {
        range,
        class,
        number,
        encoded,
    })
}

fn is_inner(byte: &u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-'
}

fn split(inner: &str) -> Option<(&str, Option<u64>)> {
    if let Some((class, digits)) = inner.rsplit_once('-')
        && !digits.is_empty()
        && is_digits(digits)
    {
        let fits = digits.len() <= MAX_DIGITS && !digits.starts_with('0') && is_class(class);
        return fits
            .then(|| Some((class, Some(digits.parse().ok()?))))
            .flatten();
    }
    is_class(inner).then_some((inner, None))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_lower_case_words() {
        for class in ["a", "token", "e-mail", "v4", "api-key2", "a-1b"] {
            assert!(is_class(class), "{class}");
        }
        for class in [
            "",
            "-",
            "A",
            "1a",
            "a-",
            "-a",
            "a--b",
            "a-1",
            "a_b",
            "é",
            &"a".repeat(65),
        ] {
            assert!(!is_class(class), "{class}");
        }
    }

    #[test]
    fn numbered_placeholders_collapse_to_their_class() {
        let cases = [
            ("<token-1>", "<token>"),
            ("x<token-12>y<e-mail-3>z", "x<token>y<e-mail>z"),
            (
                "/a/%3Ctoken-1%3E/%3ctoken-2%3e",
                "/a/%3Ctoken%3E/%3Ctoken%3E",
            ),
            ("<<token-1>>", "<<token>>"),
            (
                "<token-0> <token-01> <Token-1> <h1> <token> <-1> <1-1> <token-1",
                "",
            ),
            ("%3Ctoken-1> <token-1%3E <token-1234567890123>", ""),
        ];
        for (text, expected) in cases {
            let expected = if expected.is_empty() { text } else { expected };
            assert_eq!(collapse_to_class(text), expected);
        }
        let in_url = rewrite("/<token-1>", true, |found| Some(unnumbered(found.class)));
        assert_eq!(in_url, "/%3Ctoken%3E");
    }

    #[test]
    fn recognises_texts_that_are_one_placeholder() {
        for text in ["<token-1>", "<token>", "%3Ctoken-7%3E", "%3ctoken%3e"] {
            assert!(is_placeholder(text.as_bytes()), "{text}");
        }
        for text in ["", "<token-1> ", "x<token-1>", "<token-1", "<a b>", "<-1>"] {
            assert!(!is_placeholder(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn recognises_ranges_within_a_placeholder() {
        let text = "é <authorization-1> authorization".as_bytes();
        assert!(covers(text, &(4..17)));
        assert!(covers(text, &(3..20)));
        assert!(!covers(text, &(4..21)));
        assert!(!covers(text, &(21..34)));
        assert!(!covers(b"\xff<x", &(0..9)));
    }
}
