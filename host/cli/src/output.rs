//! Output on stdout and stderr. What a terminal executes or hides is escaped here, whoever wrote
//! the text. A closed pipe, as behind `| head`, does not end the program with a panic.

use std::io::{self, IsTerminal as _, Write};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use tracing_subscriber::fmt::MakeWriter;

use crate::output_queue::{OutputQueue, Priority};
use crate::output_writer::OutputWriter;
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

/// The threads that write what a gateway prints. None before it serves, and in other commands.
static WRITERS: OnceLock<Writers> = OnceLock::new();

#[derive(Debug)]
struct Writers {
    stdout: OutputWriter,
    stderr: OutputWriter,
}

/// How long a line of one stream waits for those of the other, which were printed before.
const ORDER_TIMEOUT: Duration = Duration::from_millis(100);

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

/// Prints text of the program's own that is escaped.
fn print(stream: Stream, escaped: &str) {
    print_as(Priority::Own, stream, escaped);
}

/// Prints text that is escaped: by the thread of a gateway that serves, otherwise at once.
#[expect(clippy::disallowed_methods, reason = "the only place that prints")]
fn print_as(priority: Priority, stream: Stream, escaped: &str) {
    if let Some(writers) = WRITERS.get() {
        return writers.print(priority, stream, escaped.to_owned());
    }
    // The reader has closed the pipe.
    let _ = match stream {
        Stream::Stdout => io::stdout().write_all(escaped.as_bytes()),
        Stream::Stderr => io::stderr().write_all(escaped.as_bytes()),
    };
}

/// From now on, nothing that is printed waits for a reader. Up to `limit` bytes of log lines wait
/// to be written; `dropped_line` tells how many more there were.
#[expect(clippy::disallowed_methods, reason = "what is written is escaped")]
pub(super) fn start_writers(limit: usize, dropped_line: fn(u64) -> String) {
    let start = || {
        let own_lines = OutputQueue::new(0, |count| {
            format!("{count} lines were dropped: standard output was not read\n")
        });
        let stderr = OutputWriter::start(OutputQueue::new(limit, dropped_line), io::stderr())?;
        let stdout = OutputWriter::start(own_lines, io::stdout())?;
        Ok::<_, io::Error>(Writers { stdout, stderr })
    };
    match start() {
        // A process has one gateway that prints.
        Ok(writers) => drop(WRITERS.set(writers)),
        Err(error) => tracing::warn!("cannot start the threads that write the log: {error}"),
    }
}

/// Waits until everything is written, at most until `deadline`. A reader that takes nothing for
/// `patience` is not waited for any longer.
pub(super) fn flush(deadline: Instant, patience: Duration) {
    if let Some(writers) = WRITERS.get() {
        writers.stdout.flush(deadline, patience);
        writers.stderr.flush(deadline, patience);
    }
}

impl Writers {
    fn print(&self, priority: Priority, stream: Stream, text: String) {
        match stream {
            Stream::Stderr => self.stderr.print(priority, text),
            Stream::Stdout => {
                self.stderr.flush_if_read(ORDER_TIMEOUT);
                self.stdout.print(priority, text);
                self.stdout.flush_if_read(ORDER_TIMEOUT);
            }
        }
    }
}

/// True if somebody reads the log on a terminal.
#[expect(clippy::disallowed_methods, reason = "nothing is printed")]
pub(super) fn is_log_on_terminal() -> bool {
    io::stderr().is_terminal()
}

/// Stderr for log records.
#[derive(Clone, Copy, Debug)]
pub(super) enum LogWriter {
    /// The formatter has escaped each value.
    Escaped,
    /// Records in JSON.
    Json,
}

impl<'a> MakeWriter<'a> for LogWriter {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        *self
    }
}

impl Write for LogWriter {
    /// Writes one record.
    fn write(&mut self, record: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(record);
        let text = match self {
            Self::Escaped => text,
            Self::Json => escape_json(&text).into(),
        };
        print_as(Priority::Log, Stream::Stderr, &text);
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
