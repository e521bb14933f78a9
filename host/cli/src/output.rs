//! Output on stdout and stderr. What a terminal executes or hides is escaped here, whoever wrote
//! the text. A closed pipe, as behind `| head`, does not end the program with a panic.

use std::io::{self, Write};

use tracing_subscriber::fmt::MakeWriter;

use ouli_message::printable::{LineBreaks, escape, escape_json};

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
    /// Writes one record.
    fn write(&mut self, record: &[u8]) -> io::Result<usize> {
        print(
            Stream::Stderr,
            &escape_json(&String::from_utf8_lossy(record)),
        );
        Ok(record.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
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
}
