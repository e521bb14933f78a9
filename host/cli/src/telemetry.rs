//! Logging to stderr.

use std::fmt;
use std::io::IsTerminal as _;

use tracing::{Event, Subscriber};
use tracing_subscriber::filter::{EnvFilter, LevelFilter};
use tracing_subscriber::fmt::format::{Format, Json, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, format};
use tracing_subscriber::registry::LookupSpan;

use crate::log_fields::LogFields;
use crate::output::{JsonLog, escaped_log};
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
            .with_writer(escaped_log)
            .with_ansi(escaped_log().is_terminal())
            .fmt_fields(LogFields)
            .try_init(),
        LogFormat::Json => subscriber
            .json()
            .with_writer(JsonLog)
            .event_format(JsonLines::default())
            .try_init(),
    };
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
