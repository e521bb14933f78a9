//! How the sessions went: the summary at the end, and the JSON of `--report`.

use serde::Serialize;

use super::Session;
use super::counters::ReasonCounts;
use ouli_redaction::Guard;

/// The verdict on one session.
#[derive(Clone, Debug, Serialize)]
pub struct SessionReport {
    /// Name of the session.
    pub session: String,
    /// False where something failed: see [`SessionReport::failures`].
    pub passed: bool,
    /// Why it failed, a line each.
    pub failures: Vec<String>,
    /// Requests answered from the cassette.
    pub hits: u64,
    /// Requests not found in it.
    pub misses: u64,
    /// Exchanges written that did not fail.
    pub recorded: u64,
    /// Exchanges written that failed.
    pub recorded_failures: u64,
    /// Exchanges in the cassette.
    pub exchanges: usize,
    /// Those that were not replayed: number, method and target. Empty where nothing was replayed
    /// at all.
    pub unused: Vec<String>,
    /// Not worth recording, by reason.
    pub skipped: std::collections::BTreeMap<String, u64>,
    /// Ended early and not recorded, by reason.
    pub partial: std::collections::BTreeMap<String, u64>,
    /// Not recorded because the recorder was full, by reason.
    pub dropped: std::collections::BTreeMap<String, u64>,
    /// Refused before the disk, by rule.
    pub refused: std::collections::BTreeMap<String, u64>,
    /// Not recorded because of a fault, by reason.
    pub failed: std::collections::BTreeMap<String, u64>,
    /// Secrets taken out, by rule.
    pub redactions: std::collections::BTreeMap<String, u64>,
    /// What could not be read of the cassette.
    pub damage: Vec<String>,
    /// Numbers of exchanges edited by hand.
    pub edited: Vec<u64>,
    /// Nothing is in it and nobody asked for it: an endpoint's own session may be so.
    #[serde(skip)]
    idle: bool,
}

/// The verdict on all sessions.
#[derive(Clone, Debug, Serialize)]
pub struct Verdict {
    /// True where every session passed.
    pub passed: bool,
    /// The sessions by name.
    pub sessions: Vec<SessionReport>,
}

impl Verdict {
    /// Judges sessions. With `unused_fails`, a recorded exchange that was never replayed fails a
    /// session that was.
    ///
    /// The report is written too, so words that still hold a secret are withheld from it.
    pub fn of<'a>(
        sessions: impl IntoIterator<Item = &'a Session>,
        guard: &Guard,
        strict: bool,
        unused_fails: bool,
    ) -> Self {
        let sessions: Vec<_> = sessions
            .into_iter()
            .map(|session| {
                let mut report = session_report(session, strict, unused_fails);
                report.withhold_secrets(|text| {
                    !Guard::is_builtin(text)
                        && guard.scan(text.as_bytes(), session.secrets()).is_err()
                });
                report
            })
            .collect();
        let passed = sessions.iter().all(|report| report.passed);
        Self { passed, sessions }
    }

    /// The summary for people: a few lines for each session that was used.
    pub fn to_text(&self) -> String {
        let used = self.sessions.iter().filter(|session| !session.idle);
        used.map(SessionReport::to_text).collect()
    }
}

impl SessionReport {
    /// Replaces words that are not to be written. Reasons are a plugin's words, targets a client's;
    /// the failures are the gateway's own.
    fn withhold_secrets(&mut self, is_secret: impl Fn(&str) -> bool) {
        const WITHHELD: &str = "(withheld: it holds a secret)";
        let lists = [&mut self.unused, &mut self.damage];
        for line in lists.into_iter().flatten() {
            if is_secret(line) {
                WITHHELD.clone_into(line);
            }
        }
        let counts = [
            &mut self.skipped,
            &mut self.partial,
            &mut self.dropped,
            &mut self.refused,
            &mut self.failed,
        ];
        for counts in counts {
            let secret: Vec<_> = counts
                .keys()
                .filter(|reason| is_secret(reason))
                .cloned()
                .collect();
            for reason in secret {
                let count = counts.remove(&reason).unwrap_or_default();
                *counts.entry(WITHHELD.to_owned()).or_default() += count;
            }
        }
    }

    fn to_text(&self) -> String {
        use std::fmt::Write as _;
        let mut text = String::new();
        let verdict = if self.passed { "passed" } else { "failed" };
        let sum = |counts: &std::collections::BTreeMap<String, u64>| counts.values().sum::<u64>();
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "session {}: {verdict}; {} hits, {} misses, {} unused, {} recorded, {} redactions",
            self.session,
            self.hits,
            self.misses,
            self.unused.len(),
            self.recorded,
            sum(&self.redactions),
        );
        let rest = [
            ("not recorded", &self.skipped),
            ("ended early", &self.partial),
            ("dropped", &self.dropped),
            ("refused", &self.refused),
            ("failed", &self.failed),
        ];
        if self.recorded_failures > 0 {
            let _ = write!(text, "\n  recorded as failed: {}", self.recorded_failures);
        }
        for (what, counts) in rest {
            for (reason, count) in counts {
                let _ = write!(text, "\n  {what}: {count} ({reason})");
            }
        }
        for line in self.failures.iter().chain(&self.damage) {
            let _ = write!(text, "\n  {line}");
        }
        for line in self.unused.iter().take(MAX_UNUSED_SHOWN) {
            let _ = write!(text, "\n  unused: {line}");
        }
        if self.unused.len() > MAX_UNUSED_SHOWN {
            let _ = write!(
                text,
                "\n  unused: and {} more",
                self.unused.len() - MAX_UNUSED_SHOWN
            );
        }
        text.push('\n');
        text
    }
}

/// Unused exchanges that are listed for people.
const MAX_UNUSED_SHOWN: usize = 10;

fn session_report(session: &Session, strict: bool, unused_fails: bool) -> SessionReport {
    let tally = session.counters();
    let (hits, misses, recorded) = (tally.hits(), tally.misses(), tally.recorded());
    let reasons = tally.reasons();
    let unused = if hits + misses == 0 {
        Vec::new()
    } else {
        unused(session)
    };
    let (damage, edited) = (session.damage(), session.edited());
    let mut failures = failures(misses, &reasons);
    if unused_fails && !unused.is_empty() {
        failures.push(format!(
            "{} recorded exchanges were never asked for ([verdict] unused = \"fail\")",
            unused.len()
        ));
    }
    if strict && !(edited.is_empty() && damage.is_empty()) {
        failures.push("the cassette is edited or damaged, which strict refuses".to_owned());
    }
    SessionReport {
        session: session.name().to_string(),
        passed: failures.is_empty(),
        failures,
        hits,
        misses,
        recorded,
        recorded_failures: tally.recorded_failures(),
        exchanges: session.len(),
        unused,
        skipped: reasons.skipped,
        partial: reasons.partial,
        dropped: reasons.dropped,
        refused: reasons.refused,
        failed: reasons.failed,
        redactions: reasons.redactions,
        damage,
        edited,
        idle: session.is_empty() && tally.is_empty(),
    }
}

fn failures(misses: u64, reasons: &ReasonCounts) -> Vec<String> {
    let mut failures = Vec::new();
    if misses > 0 {
        failures.push(format!("{misses} requests were not found in the cassette"));
    }
    let dropped: u64 = reasons.dropped.values().sum();
    if dropped > 0 {
        failures.push(format!(
            "{dropped} exchanges were dropped because the recorder was full (on_recorder_full)"
        ));
    }
    let refused: u64 = reasons.refused.values().sum();
    if refused > 0 {
        failures.push(format!(
            "{refused} exchanges were not written because they still held a secret"
        ));
    }
    let failed: u64 = reasons.failed.values().sum();
    if failed > 0 {
        failures.push(format!(
            "{failed} exchanges could not be recorded, or were not confirmed by the disk"
        ));
    }
    failures
}

fn unused(session: &Session) -> Vec<String> {
    let entries = session.entries_from(0);
    let unused = entries.iter().filter(|entry| !entry.is_used());
    unused
        .map(|entry| format!("exchange {} {}", entry.ordinal, entry.request_line()))
        .collect()
}
