//! Text from outside for terminals and logs: what a terminal executes or hides is escaped.

use std::borrow::Cow;
use std::fmt::Write as _;

/// What is done with line breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineBreaks {
    /// They are escaped: the text stays on one line.
    Escape,
    /// They are kept: each line was made by this program.
    Keep,
    /// They are kept before two spaces and at the end. No line of a log record but the first starts
    /// in the first column, so a text cannot forge a record.
    KeepIndented,
}

/// The text on one line, without characters that change a terminal or are not seen.
pub fn printable(text: &str) -> Cow<'_, str> {
    escape(text, LineBreaks::Escape)
}

/// As [`printable`], with at most `max` bytes of the text.
pub fn printable_start(text: &str, max: usize) -> Cow<'_, str> {
    if text.len() <= max {
        return printable(text);
    }
    let start = &text[..text.floor_char_boundary(max)];
    Cow::Owned(format!("{}... ({} bytes)", printable(start), text.len()))
}

/// The text without characters that change a terminal or are not seen: these are written as in
/// Rust, `\n`, `\t` or `\u{1b}`.
pub fn escape(text: &str, line_breaks: LineBreaks) -> Cow<'_, str> {
    let mut escaped = String::new();
    let mut copied = 0;
    for (at, character) in text.char_indices() {
        let rest = &text[at + character.len_utf8()..];
        if !is_escaped(character, rest, line_breaks) {
            continue;
        }
        escaped.push_str(&text[copied..at]);
        copied = at + character.len_utf8();
        match character {
            '\n' => escaped.push_str("\\n"),
            '\r' => escaped.push_str("\\r"),
            '\t' => escaped.push_str("\\t"),
            // Writing to a string cannot fail.
            other => drop(write!(escaped, "{}", other.escape_unicode())),
        }
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    escaped.push_str(&text[copied..]);
    Cow::Owned(escaped)
}

/// A JSON text with the same value, without such characters. JSON escapes control characters below
/// U+0020 only; all others are within strings, where they may be escaped (RFC 8259, section 7).
pub fn escape_json(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if character == '\n' || is_printable(character) {
            escaped.push(character);
        } else {
            let mut units = [0; 2];
            let units = character.encode_utf16(&mut units).iter();
            escaped.extend(units.map(|unit| format!("\\u{unit:04x}")));
        }
    }
    escaped
}

fn is_escaped(character: char, rest: &str, line_breaks: LineBreaks) -> bool {
    match (character, line_breaks) {
        ('\n', LineBreaks::Keep) => false,
        ('\n', LineBreaks::KeepIndented) => !rest.is_empty() && !rest.starts_with("  "),
        _ => !is_printable(character),
    }
}

/// False for a control character (C0, C1), and for one that has no width or changes the direction
/// or the place of others.
pub fn is_printable(character: char) -> bool {
    let is_invisible = matches!(
        character,
        '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e007f}'
    );
    !character.is_control() && !is_invisible
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_executes_or_hides_is_escaped() {
        for (text, expected) in [
            (
                "caf\u{e9} \u{1f980} \u{5e9} e\u{301}",
                "caf\u{e9} \u{1f980} \u{5e9} e\u{301}",
            ),
            ("a\x1b[2Jb\x07\x08\x7f", "a\\u{1b}[2Jb\\u{7}\\u{8}\\u{7f}"),
            ("\u{9b}31m\u{90}", "\\u{9b}31m\\u{90}"),
            ("one\r\ntwo\tthree", "one\\r\\ntwo\\tthree"),
            (
                "\u{202e}abc\u{2066}\u{200b}\u{feff}",
                "\\u{202e}abc\\u{2066}\\u{200b}\\u{feff}",
            ),
            ("\u{2028}\u{ad}\u{e0041}", "\\u{2028}\\u{ad}\\u{e0041}"),
            ("\"quoted\" \\ 'text'", "\"quoted\" \\ 'text'"),
        ] {
            assert_eq!(printable(text), expected);
        }
        for character in '\0'..=char::MAX {
            let text = format!("a{character}b");
            let shown = printable(&text);
            assert!(shown.chars().all(is_printable), "{shown:?}");
        }
    }

    #[test]
    fn line_breaks_are_kept_where_this_program_made_them() {
        let text = "a\nb\n  c\n";
        assert_eq!(escape(text, LineBreaks::Keep), text);
        assert_eq!(escape(text, LineBreaks::KeepIndented), "a\\nb\n  c\n");
        assert_eq!(escape(text, LineBreaks::Escape), "a\\nb\\n  c\\n");
        assert_eq!(escape("\n \x1b", LineBreaks::Keep), "\n \\u{1b}");
    }

    #[test]
    fn json_stays_json() {
        let text = "{\n  \"a\": \"\u{9b}31m \u{202e} \u{e0041} caf\u{e9}\"\n}\n";
        let expected = "{\n  \"a\": \"\\u009b31m \\u202e \\udb40\\udc41 caf\u{e9}\"\n}\n";
        assert_eq!(escape_json(text), expected);
    }

    #[test]
    fn a_long_text_is_cut_before_it_is_escaped() {
        assert_eq!(printable_start("abc", 3), "abc");
        assert_eq!(printable_start("a\u{e9}c", 2), "a... (4 bytes)");
        assert_eq!(printable_start("\n\n\n", 1), "\\n... (3 bytes)");
    }
}
