//! Lines that a plugin writes: named, cut, counted, and never with a secret in them.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Instant;

use ouli_redaction::{Guard, Secrets};

/// The log of one plugin, shared by all its instances.
#[derive(Debug)]
pub(crate) struct Log {
    plugin: String,
    lines_per_second: u32,
    line_bytes: usize,
    guard: Guard,
    since: Instant,
    second: AtomicU64,
    lines: AtomicU32,
    /// How many ask that nothing be written.
    muted: AtomicU32,
}

impl Log {
    pub(crate) fn new(plugin: String, lines_per_second: u32, line_bytes: usize) -> Self {
        Self {
            plugin,
            lines_per_second,
            line_bytes,
            guard: Guard::new(&[]),
            since: Instant::now(),
            second: AtomicU64::new(0),
            lines: AtomicU32::new(0),
            muted: AtomicU32::new(0),
        }
    }

    /// Runs something that is not traffic, and writes nothing meanwhile.
    pub(crate) fn muted<T>(&self, run: impl FnOnce() -> T) -> T {
        self.muted.fetch_add(1, Ordering::Relaxed);
        let result = run();
        self.muted.fetch_sub(1, Ordering::Relaxed);
        result
    }

    /// Writes one line, unless the plugin wrote too many in this second or the line holds what
    /// looks like a secret.
    pub(crate) fn line(&self, level: &str, text: &str, secrets: Option<&Secrets>) {
        if self.muted.load(Ordering::Relaxed) > 0 || !self.admit() {
            return;
        }
        let text = truncate(text, self.line_bytes);
        let none = Secrets::default();
        if let Err(refusal) = self.guard.scan(text.as_bytes(), secrets.unwrap_or(&none)) {
            let rule = refusal.rule;
            tracing::warn!(plugin = self.plugin, "a log line was withheld by {rule}");
            return;
        }
        let text = text.escape_debug();
        match level {
            "error" => tracing::error!(plugin = self.plugin, "{text}"),
            "warn" => tracing::warn!(plugin = self.plugin, "{text}"),
            "info" => tracing::info!(plugin = self.plugin, "{text}"),
            _ => tracing::debug!(plugin = self.plugin, "{text}"),
        }
    }

    /// Words of the plugin as they may be shown: cut, and withheld where they hold what looks like
    /// a secret.
    pub(crate) fn sanitize(&self, text: &str, secrets: &Secrets) -> String {
        let text = truncate(text, self.line_bytes);
        match self.guard.scan(text.as_bytes(), secrets) {
            Ok(()) => text.to_owned(),
            Err(refusal) => format!("failed; its words were withheld by {}", refusal.rule),
        }
    }

    fn admit(&self) -> bool {
        let second = self.since.elapsed().as_secs();
        if self.second.swap(second, Ordering::Relaxed) != second {
            self.lines.store(0, Ordering::Relaxed);
        }
        let before = self.lines.fetch_add(1, Ordering::Relaxed);
        if before == self.lines_per_second {
            tracing::warn!(
                plugin = self.plugin,
                "more than {before} log lines in a second (limits.plugin_log_lines_per_second): \
                 the rest is dropped"
            );
        }
        before < self.lines_per_second
    }
}

fn truncate(text: &str, most: usize) -> &str {
    let mut end = most.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
