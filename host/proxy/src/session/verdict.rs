//! The verdict on the sessions: the summary at shutdown, and the JSON of `--report`.

use std::collections::BTreeMap;

use serde::Serialize;

use super::counters::{ReasonCounts, WITHHELD};
use super::session_state::Session;
use ouli_redaction::Guard;

/// The report on one session.
#[derive(Clone, Debug, Serialize)]
pub struct SessionReport {
    /// Name of the session.
    pub session: String,
    /// False if there are [`SessionReport::failures`].
    pub passed: bool,
    /// Why the session failed, a line each.
    pub failures: Vec<String>,
    /// Requests answered from the cassette.
    pub hits: u64,
    /// Requests not found in the cassette.
    pub misses: u64,
    /// Exchanges recorded that did not fail.
    pub recorded: u64,
    /// Exchanges recorded as failed.
    pub recorded_failures: u64,
    /// Exchanges in the cassette.
    pub exchanges: usize,
    /// Exchanges that were not replayed: number, method and target. Empty if there were neither
    /// hits nor misses.
    pub unused: Vec<String>,
    /// Excluded by a policy, by reason.
    pub skipped: BTreeMap<String, u64>,
    /// Ended early and not recorded, by reason.
    pub partial: BTreeMap<String, u64>,
    /// Not recorded because the recorder was full, by reason.
    pub dropped: BTreeMap<String, u64>,
    /// Rejected by the guard, by rule.
    pub refused: BTreeMap<String, u64>,
    /// Not recorded because of an error, by reason.
    pub failed: BTreeMap<String, u64>,
    /// Redacted secrets, by rule.
    pub redactions: BTreeMap<String, u64>,
    /// Parts of the cassette that cannot be read.
    pub damage: Vec<String>,
    /// Ordinals of edited exchanges.
    pub edited: Vec<u64>,
    /// The session has no exchanges and no requests, as the default session of an endpoint may.
    #[serde(skip)]
    idle: bool,
}

/// The verdict on all sessions.
#[derive(Clone, Debug, Serialize)]
pub struct Verdict {
    /// True if every session passed.
    pub passed: bool,
    /// The sessions by name.
    pub sessions: Vec<SessionReport>,
}

impl Verdict {
    /// The verdict on these sessions. With `unused_fails`, a session with requests fails if a
    /// recorded exchange was not replayed.
    ///
    /// The report is written to the disk, so texts that contain a secret are withheld.
    pub fn of<'a>(
        sessions: impl IntoIterator<Item = &'a Session>,
        guard: &Guard,
        strict: bool,
        unused_fails: bool,
    ) -> Self {
        let sessions: Vec<_> = sessions
            .into_iter()
            .map(|session| {
                let report = session_report(session, Scope::AllRuns, strict, unused_fails);
                report.without_secrets(session, guard)
            })
            .collect();
        let passed = sessions.iter().all(|report| report.passed);
        Self { passed, sessions }
    }

    /// The verdict on one run of a session.
    pub(crate) fn of_run(
        session: &Session,
        guard: &Guard,
        strict: bool,
        unused_fails: bool,
    ) -> SessionReport {
        let report = session_report(session, Scope::Run, strict, unused_fails);
        report.without_secrets(session, guard)
    }

    /// The summary for people: a few lines for each session that is not idle.
    pub fn to_text(&self) -> String {
        let used = self.sessions.iter().filter(|session| !session.idle);
        used.map(SessionReport::to_text).collect()
    }
}

/// What a report counts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    /// The run of the session.
    Run,
    /// All runs of the session in this process.
    AllRuns,
}

impl SessionReport {
    fn without_secrets(mut self, session: &Session, guard: &Guard) -> Self {
        self.withhold_secrets(|text| {
            !Guard::is_builtin(text) && guard.scan(text.as_bytes(), session.secrets()).is_err()
        });
        self
    }

    /// Replaces texts that contain a secret. Reasons come from plugins and targets from clients;
    /// the failures are texts of the gateway.
    fn withhold_secrets(&mut self, is_secret: impl Fn(&str) -> bool) {
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
        let sum = |counts: &BTreeMap<String, u64>| counts.values().sum::<u64>();
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
        let unrecorded = [
            ("not recorded", &self.skipped),
            ("ended early", &self.partial),
            ("dropped", &self.dropped),
            ("refused", &self.refused),
            ("failed", &self.failed),
        ];
        if self.recorded_failures > 0 {
            let _ = write!(text, "\n  recorded as failed: {}", self.recorded_failures);
        }
        for (label, counts) in unrecorded {
            for (reason, count) in counts {
                let _ = write!(text, "\n  {label}: {count} ({reason})");
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

/// Maximum number of unused exchanges in the summary.
const MAX_UNUSED_SHOWN: usize = 10;

fn session_report(
    session: &Session,
    scope: Scope,
    strict: bool,
    unused_fails: bool,
) -> SessionReport {
    let counters = match scope {
        Scope::Run => session.counters(),
        Scope::AllRuns => session.total_counters(),
    };
    let (hits, misses, recorded) = (counters.hits(), counters.misses(), counters.recorded());
    let reasons = counters.reasons();
    let unused = if hits + misses == 0 {
        Vec::new()
    } else {
        session.unused_exchanges(scope == Scope::AllRuns)
    };
    let edited = session.edited();
    let damage = match scope {
        Scope::Run => session.damage(),
        Scope::AllRuns => session.damage_of_all_runs(),
    };
    let mut failures = failures(misses, &reasons);
    if unused_fails && !unused.is_empty() {
        failures.push(format!(
            "{} recorded exchanges were never requested ([verdict] unused = \"fail\")",
            unused.len()
        ));
    }
    if !damage.is_empty() {
        let remedy = "restore it from version control, or record it again";
        failures.push(format!("the cassette is damaged: {remedy}"));
    }
    if strict && !edited.is_empty() {
        failures.push(format!("the exchanges {edited:?} were edited (strict)"));
    }
    SessionReport {
        session: session.name().to_string(),
        passed: failures.is_empty(),
        failures,
        hits,
        misses,
        recorded,
        recorded_failures: counters.recorded_failures(),
        exchanges: session.exchange_count(),
        unused,
        skipped: reasons.skipped,
        partial: reasons.partial,
        dropped: reasons.dropped,
        refused: reasons.refused,
        failed: reasons.failed,
        redactions: reasons.redactions,
        damage,
        edited,
        idle: session.exchange_count() == 0 && counters.is_empty(),
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
            "{refused} exchanges were not written because they contained a secret"
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
