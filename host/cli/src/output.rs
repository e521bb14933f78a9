//! Output on stdout and stderr. What a terminal executes or hides is escaped here, whoever wrote
//! the text. A closed pipe, as behind `| head`, does not end the program with a panic.

use std::io::{self, Write};

use tracing_subscriber::fmt::MakeWriter;

use ouli_message::printable::{LineBreaks, escape, is_printable};

/// Prints a line on stdout. Line breaks within it are escaped.
macro_rules! outln {
    ($($line:tt)*) => {
        crate::output::print_line(crate::output::Stream::Stdout, &format!($($line)*))
    };
}

/// Prints a line on stderr. Line breaks within it are escaped.
macro_rules! errln {
    ($($line:tt)*) => {
        crate::output::print_line(crate::output::Stream::Stderr, &format!($($line)*))
    };
}

pub(super) use {errln, outln};

/// Where to print.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stream {
    Stdout,
    Stderr,
}

/// Prints lines that this program has made, on stdout.
pub(super) fn out_lines(lines: &str) {
    print(
        Stream::Stdout,
        &with_end(escape(lines, LineBreaks::Keep).into_owned()),
    );
}

/// Prints lines that this program has made, on stderr.
pub(super) fn err_lines(lines: &str) {
    print(
        Stream::Stderr,
        &with_end(escape(lines, LineBreaks::Keep).into_owned()),
    );
}

/// Writes bytes for another program on stdout, as they are.
#[expect(
    clippy::disallowed_methods,
    reason = "compiled code is not for a terminal"
)]
pub(super) fn out_bytes(bytes: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout();
    stdout.write_all(bytes)?;
    stdout.flush()
}

/// Prints one line.
pub(super) fn print_line(stream: Stream, text: &str) {
    print(stream, &line(text));
}

/// One line with its end.
fn line(text: &str) -> String {
    escape(text, LineBreaks::Escape).into_owned() + "\n"
}

fn with_end(mut lines: String) -> String {
    if !lines.is_empty() && !lines.ends_with('\n') {
        lines.push('\n');
    }
    lines
}

/// Prints text that is escaped.
#[expect(clippy::disallowed_methods, reason = "the only place that prints")]
fn print(stream: Stream, escaped: &str) {
    // The reader has closed the pipe.
    let _ = match stream {
        Stream::Stdout => io::stdout().write_all(escaped.as_bytes()),
        Stream::Stderr => io::stderr().write_all(escaped.as_bytes()),
    };
}

/// Stderr for log records of which each value is escaped.
#[expect(
    clippy::disallowed_methods,
    reason = "the formatter of the log escapes"
)]
pub(super) fn escaped_log() -> io::Stderr {
    io::stderr()
}

/// Stderr for log records in JSON.
#[derive(Clone, Copy, Debug)]
pub(super) struct JsonLog;

impl<'a> MakeWriter<'a> for JsonLog {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        *self
    }
}

impl Write for JsonLog {
    /// Writes one record. JSON escapes control characters below U+0020 only; all others are within
    /// strings, where they may be escaped (RFC 8259, section 7).
    fn write(&mut self, record: &[u8]) -> io::Result<usize> {
        print(
            Stream::Stderr,
            &json_escaped(&String::from_utf8_lossy(record)),
        );
        Ok(record.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn json_escaped(record: &str) -> String {
    let mut escaped = String::with_capacity(record.len());
    for character in record.chars() {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_one_line_break() {
        assert_eq!(line("a\n\x1b[2J\u{202e}"), "a\\n\\u{1b}[2J\\u{202e}\n");
        assert_eq!(with_end("a\nb".to_owned()), "a\nb\n");
        assert_eq!(with_end("a\n".to_owned()), "a\n");
    }

    #[test]
    fn a_record_in_json_stays_json() {
        let text = "\u{9b}31m \u{202e} \u{e0041} caf\u{e9}";
        let record = serde_json::json!({ "message": text }).to_string() + "\n";
        let escaped = json_escaped(&record);
        assert!(escaped.trim_end().chars().all(is_printable), "{escaped:?}");
        let read: serde_json::Value = serde_json::from_str(&escaped).unwrap();
        assert_eq!(read["message"], text);
    }
}
