//! Logging to stderr.

use std::fmt;

use tracing::{Event, Subscriber};
use tracing_subscriber::filter::{EnvFilter, LevelFilter};
use tracing_subscriber::fmt::format::{Format, Json, Writer};
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, format};
use tracing_subscriber::registry::LookupSpan;

use crate::log_fields::LogFields;
use crate::output::{LogWriter, is_log_on_terminal};
use ouli_config::LogFormat;

/// Logs to stderr: level `info` and above, or the levels of `RUST_LOG`.
pub(super) fn init(format: LogFormat) {
    init_with_level(LevelFilter::INFO, format);
}

/// The same with another default level.
pub(super) fn init_with_level(level: LevelFilter, format: LogFormat) {
    let filter = EnvFilter::builder()
        .with_default_directive(level.into())
        .from_env_lossy();
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false);
    // Fails if the process already has a subscriber, which stays.
    let _ = match format {
        LogFormat::Text => subscriber
            .with_writer(LogWriter::Escaped)
            .with_ansi(is_log_on_terminal())
            .fmt_fields(LogFields)
            .try_init(),
        LogFormat::Json => subscriber
            .json()
            .with_writer(LogWriter::Json)
            .event_format(JsonLines::default())
            .try_init(),
    };
}

/// What makes the line about log lines that were dropped, in this format.
pub(super) fn dropped_line(format: LogFormat) -> fn(u64) -> String {
    match format {
        LogFormat::Text => |count| format!("{}  WARN {}\n", now(), dropped_text(count)),
        LogFormat::Json => |count| {
            let fields = serde_json::json!({ "message": dropped_text(count), "count": count });
            let record =
                serde_json::json!({ "timestamp": now(), "level": "WARN", "fields": fields });
            format!("{record}\n")
        },
    }
}

fn dropped_text(count: u64) -> String {
    format!("{count} log lines were dropped: standard error was not read")
}

/// The time in the form of the log.
fn now() -> String {
    let mut time = String::new();
    // The system's clock may be before 1970.
    let _ = SystemTime.format_time(&mut Writer::new(&mut time));
    time
}

/// Logs a panic as one record. The hook of the standard library would wait for a reader.
pub(super) fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let thread = std::thread::current();
        let name = thread.name().unwrap_or("unnamed");
        tracing::error!("thread {name}: {panic}");
    }));
}

/// Writes JSON lines. A line without a parent has no span, as in the text format; the formatter of
/// `tracing-subscriber` adds the span that is current on the thread.
struct JsonLines {
    with_spans: Format<Json>,
    without_spans: Format<Json>,
}

impl Default for JsonLines {
    fn default() -> Self {
        let lines = format().json().with_target(false);
        Self {
            without_spans: lines.clone().with_current_span(false).with_span_list(false),
            with_spans: lines,
        }
    }
}

impl<S, N> FormatEvent<S, N> for JsonLines
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    N: for<'writer> FormatFields<'writer> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let lines = if event.is_root() {
            &self.without_spans
        } else {
            &self.with_spans
        };
        lines.format_event(context, writer, event)
    }
}
