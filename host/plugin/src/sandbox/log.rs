//! The log of a plugin: lines carry its name, are cut to a length and limited in rate, and never
//! contain a secret.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Instant;

use ouli_message::printable::printable;
use ouli_redaction::{Guard, Secrets};

/// The log of one plugin, shared by all its instances.
#[derive(Debug)]
pub(crate) struct PluginLog {
    plugin: String,
    lines_per_second: u32,
    line_bytes: usize,
    guard: Guard,
    started: Instant,
    /// The second, counted from `started`, that `lines` belongs to.
    second: AtomicU64,
    lines: AtomicU32,
    /// How many callers of [`Self::muted`] run now.
    muted: AtomicU32,
}

impl PluginLog {
    pub(crate) fn new(plugin: String, lines_per_second: u32, line_bytes: usize) -> Self {
        Self {
            plugin,
            lines_per_second,
            line_bytes,
            guard: Guard::new(&[]),
            started: Instant::now(),
            second: AtomicU64::new(0),
            lines: AtomicU32::new(0),
            muted: AtomicU32::new(0),
        }
    }

    /// Runs a call that is not traffic. Nothing is written while it runs.
    pub(crate) fn muted<T>(&self, run: impl FnOnce() -> T) -> T {
        self.muted.fetch_add(1, Ordering::Relaxed);
        let result = run();
        self.muted.fetch_sub(1, Ordering::Relaxed);
        result
    }

    /// Writes one line. The line is dropped if the plugin wrote too many in this second, and
    /// withheld if it contains a secret.
    pub(crate) fn line(&self, level: &str, text: &str, secrets: Option<&Secrets>) {
        if self.muted.load(Ordering::Relaxed) > 0 || !self.admit() {
            return;
        }
        let text = truncate(text, self.line_bytes);
        let no_secrets = Secrets::default();
        if let Err(rejection) = self
            .guard
            .scan(text.as_bytes(), secrets.unwrap_or(&no_secrets))
        {
            let rule = rejection.rule;
            tracing::warn!(
                plugin = self.plugin,
                "log line withheld: rule {rule} found a secret in it"
            );
            return;
        }
        let text = printable(text);
        match level {
            "error" => tracing::error!(plugin = self.plugin, "{text}"),
            "warn" => tracing::warn!(plugin = self.plugin, "{text}"),
            "info" => tracing::info!(plugin = self.plugin, "{text}"),
            _ => tracing::debug!(plugin = self.plugin, "{text}"),
        }
    }

    /// An error text of the plugin as it may be shown: cut to a length, and withheld if it contains
    /// a secret.
    pub(crate) fn sanitize(&self, text: &str, secrets: &Secrets) -> String {
        let text = truncate(text, self.line_bytes);
        match self.guard.scan(text.as_bytes(), secrets) {
            Ok(()) => printable(text).into_owned(),
            Err(rejection) => format!(
                "failed; its error text is withheld: rule {} found a secret in it",
                rejection.rule
            ),
        }
    }

    fn admit(&self) -> bool {
        let second = self.started.elapsed().as_secs();
        if self.second.swap(second, Ordering::Relaxed) != second {
            self.lines.store(0, Ordering::Relaxed);
        }
        let before = self.lines.fetch_add(1, Ordering::Relaxed);
        if before == self.lines_per_second {
            tracing::warn!(
                plugin = self.plugin,
                "more than {before} log lines in one second \
                 (limits.plugin_log_lines_per_second): the rest is dropped"
            );
        }
        before < self.lines_per_second
    }
}

fn truncate(text: &str, max_bytes: usize) -> &str {
    let mut end = max_bytes.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn truncates_at_a_character_boundary() {
        assert_eq!(truncate("na\u{ef}ve", 3), "na");
        assert_eq!(truncate("na\u{ef}ve", 4), "na\u{ef}");
        assert_eq!(truncate("short", 100), "short");
    }

    #[test]
    fn error_texts_with_a_secret_are_withheld() {
        let log = PluginLog::new("a plugin".to_owned(), 1, 100);
        let secrets = Secrets::default();
        secrets.placeholder("token", b"correct horse battery");
        let shown = log.sanitize("no user for correct horse battery", &secrets);
        assert!(!shown.contains("horse"), "{shown}");
        assert_eq!(log.sanitize("no user", &secrets), "no user");
    }
}
