//! The summary of a verdict for people.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use super::verdict::{REPEATED, SessionReport, Verdict};
use super::verdict_failure::{DefectCounts, Failure, note};
use ouli_config::Defect;
use ouli_message::printable::printable_start;

/// Maximum number of unused exchanges in the summary.
const MAX_UNUSED_SHOWN: usize = 10;

/// Maximum number of secrets that stand for others in the summary.
const MAX_RENAMINGS_SHOWN: usize = 10;

/// Maximum length in bytes of one line.
const MAX_LINE: usize = 2000;

/// Names, targets and errors come from outside: they stay on one line.
fn cut(text: &str) -> Cow<'_, str> {
    printable_start(text, MAX_LINE)
}

impl Verdict {
    /// The summary for people: the verdict in the first line, then a few lines for each session
    /// that is not idle. Empty if the gateway did nothing but forward.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = self.write_text(&mut text);
        text
    }

    fn write_text(&self, text: &mut String) -> fmt::Result {
        let used: Vec<_> = self.sessions.iter().filter(|it| !it.idle).collect();
        if used.is_empty() && self.defects.is_empty() && !self.expects_requests {
            return Ok(());
        }
        let kinds = self.failed_kinds();
        match (kinds.is_empty(), self.is_idle) {
            (false, _) => writeln!(text, "verdict: FAILED ({})", kinds.join(", "))?,
            (true, true) => writeln!(text, "verdict: passed; there was no request")?,
            (true, false) => writeln!(text, "verdict: passed")?,
        }
        if !self.failures.is_empty() || !self.defects.is_empty() {
            let failed = !self.failures.is_empty();
            write!(text, "gateway: {}", word(!failed))?;
            write_defects(text, &self.failures, &self.defects)?;
            text.push('\n');
        }
        for session in used {
            session.write_text(text)?;
        }
        Ok(())
    }

    /// The kinds of all failures, each once.
    fn failed_kinds(&self) -> Vec<&'static str> {
        let of_sessions = self.sessions.iter().flat_map(|it| &it.failures);
        let mut kinds = Vec::new();
        for failure in self.failures.iter().chain(of_sessions) {
            if !kinds.contains(&failure.kind) {
                kinds.push(failure.kind);
            }
        }
        kinds
    }
}

impl SessionReport {
    fn write_text(&self, text: &mut String) -> fmt::Result {
        write!(
            text,
            "session {}: {}; {} hits{}, {} misses, {} unused, {} recorded, {} redactions",
            cut(&self.session),
            word(self.passed),
            self.hits,
            match self.renamed {
                0 => String::new(),
                renamed => format!(" ({renamed} renamed)"),
            },
            self.misses,
            self.unused.len() + self.more_unused,
            self.recorded,
            self.redactions.values().sum::<u64>(),
        )?;
        if self.recorded_failures > 0 {
            write!(text, "\n  recorded as failed: {}", self.recorded_failures)?;
        }
        let repeat = Defect::Repeat.name();
        if self.repeated > 0 && self.failures.iter().all(|it| it.kind != repeat) {
            write!(text, "\n  {}", note(repeat, self.repeated, REPEATED))?;
        }
        for description in self.renamings.keys().take(MAX_RENAMINGS_SHOWN) {
            write!(text, "\n  {}", cut(description))?;
        }
        if self.renamings.len() > MAX_RENAMINGS_SHOWN {
            let more = self.renamings.len() - MAX_RENAMINGS_SHOWN;
            write!(text, "\n  other secrets stand for {more} more")?;
        }
        for (found_by, count) in &self.inexact {
            write!(text, "\n  found without an equal key: {count} ({found_by})")?;
        }
        for (reason, count) in &self.skipped {
            write!(text, "\n  {}", cut(&note("skipped", *count, reason)))?;
        }
        write_defects(text, &self.failures, &self.defects)?;
        for line in &self.damage {
            write!(text, "\n  {}", cut(line))?;
        }
        for line in self.unused.iter().take(MAX_UNUSED_SHOWN) {
            write!(text, "\n  unused: {}", cut(line))?;
        }
        if self.unused.len() > MAX_UNUSED_SHOWN {
            let more = self.unused.len() - MAX_UNUSED_SHOWN;
            write!(text, "\n  unused: and {more} more")?;
        }
        text.push('\n');
        Ok(())
    }
}

fn word(passed: bool) -> &'static str {
    if passed { "passed" } else { "failed" }
}

/// The failures, and the defects that do not fail the verdict.
fn write_defects(text: &mut String, failures: &[Failure], defects: &DefectCounts) -> fmt::Result {
    for failure in failures {
        write!(text, "\n  {}", cut(&failure.text))?;
    }
    for (kind, reasons) in defects {
        if failures.iter().any(|failure| failure.kind == *kind) {
            continue;
        }
        for (reason, count) in reasons {
            write!(text, "\n  {}", cut(&note(kind, *count, reason)))?;
        }
    }
    Ok(())
}
