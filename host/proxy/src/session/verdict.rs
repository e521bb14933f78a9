//! The verdict on the sessions: the summary at shutdown, and the JSON of `--report`.

use std::collections::BTreeMap;
use std::time::Instant;

use serde::Serialize;

use super::counters::{Counters, ReasonCounts, WITHHELD};
use super::session_state::Session;
use super::verdict_failure::{DefectCounts, Failure};
use ouli_config::{Defect, FailOn};
use ouli_redaction::{Guard, Secrets, SecretsSnapshot};

/// The report on one session.
#[derive(Clone, Debug, Serialize)]
pub struct SessionReport {
    /// Name of the session.
    pub session: String,
    /// False if there are [`SessionReport::failures`].
    pub passed: bool,
    /// Why the session failed.
    pub failures: Vec<Failure>,
    /// Requests answered from the cassette.
    pub hits: u64,
    /// Those of them that repeated the last recorded response to a request.
    pub repeated: u64,
    /// Those of them without an equal key, by what they were found by.
    pub inexact: BTreeMap<String, u64>,
    /// Hits in which secrets of the client stand for recorded ones.
    pub renamed: u64,
    /// What other secrets stand for: placeholder, place and exchange, with how often that began.
    pub renamings: BTreeMap<String, u64>,
    /// Requests not found in the cassette.
    pub misses: u64,
    /// Exchanges recorded that did not fail.
    pub recorded: u64,
    /// Exchanges recorded as failed.
    pub recorded_failures: u64,
    /// Exchanges in the cassette.
    pub exchanges: usize,
    /// Exchanges that were not replayed: number, method and target. Empty if other sessions had
    /// requests and this one had none.
    pub unused: Vec<String>,
    /// Those of them that are not listed: the answer to a mark lists the first 100.
    #[serde(skip_serializing_if = "is_zero")]
    pub more_unused: usize,
    /// Excluded by a policy, by reason.
    pub skipped: BTreeMap<String, u64>,
    /// Other defects, by kind and reason, whether or not they fail the verdict.
    pub defects: DefectCounts,
    /// Redacted secrets, by rule.
    pub redactions: BTreeMap<String, u64>,
    /// Parts of the cassette that cannot be read.
    pub damage: Vec<String>,
    /// Ordinals of edited exchanges.
    pub edited: Vec<u64>,
    /// The session has no exchanges and no requests, as the default session of an endpoint may.
    #[serde(skip)]
    pub(super) idle: bool,
}

/// The verdict on all sessions.
#[derive(Clone, Debug, Serialize)]
pub struct Verdict {
    /// True if every session passed and the gateway has no failures of its own.
    pub passed: bool,
    /// The kinds of defects that fail it.
    pub fail_on: Vec<&'static str>,
    /// Failures that belong to no session.
    pub failures: Vec<Failure>,
    /// Defects that belong to no session, by kind and reason, whether or not they fail the verdict.
    pub defects: DefectCounts,
    /// The sessions by name.
    pub sessions: Vec<SessionReport>,
    /// An endpoint records or replays.
    #[serde(skip)]
    pub(super) expects_requests: bool,
    /// There was no request.
    #[serde(skip)]
    pub(super) is_idle: bool,
}

/// The rules of a verdict.
#[derive(Clone, Copy)]
pub struct VerdictRules<'a> {
    /// Withholds texts that contain a secret: the report is written to the disk.
    pub guard: &'a Guard,
    /// The defects that fail it.
    pub fail_on: &'a FailOn,
    /// An endpoint records or replays, so it is a defect if there is no request.
    pub expects_requests: bool,
    /// What is not searched for secrets until then is withheld.
    pub checked_until: Option<Instant>,
}

impl Verdict {
    /// The verdict on these sessions, and on what `gateway` counted that belongs to none.
    pub fn of<'a>(
        sessions: impl IntoIterator<Item = &'a Session>,
        gateway: &Counters,
        rules: VerdictRules<'_>,
    ) -> Self {
        let sessions: Vec<_> = sessions.into_iter().collect();
        let mut counters = sessions.iter().map(|session| session.total_counters());
        let is_idle = gateway.is_empty() && counters.all(Counters::is_empty);
        let scope = Scope::AllRuns { is_idle };
        let sessions: Vec<_> = sessions
            .into_iter()
            .map(|session| SessionReport::new(session, (scope, Listing::Whole), rules))
            .collect();
        let mut defects = named(gateway.reasons().defects);
        let known = Secrets::default().snapshot(0);
        withhold_counts(&mut defects, &|text| {
            withheld(rules.guard, Some(&known), text)
        });
        let counted = rules.fail_on.defects();
        let mut failures: Vec<_> = counted
            .flat_map(|defect| Failure::of_counts(&defects, defect))
            .collect();
        if is_idle && rules.expects_requests && rules.fail_on.contains(Defect::NoRequests) {
            failures.push(no_requests());
        }
        Self {
            passed: failures.is_empty() && sessions.iter().all(|report| report.passed),
            fail_on: rules.fail_on.defects().map(Defect::name).collect(),
            failures,
            defects,
            sessions,
            expects_requests: rules.expects_requests,
            is_idle,
        }
    }
}

/// Unused exchanges in the answer to a mark. A session may have many more, and many marks.
const MAX_UNUSED_OF_MARK: usize = 100;

/// How many unused exchanges a report lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Listing {
    /// All of them.
    Whole,
    /// Those in the answer to a mark.
    OfMark,
}

impl Listing {
    fn max_unused(self) -> usize {
        match self {
            Self::Whole => usize::MAX,
            Self::OfMark => MAX_UNUSED_OF_MARK,
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// What a report counts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    /// The run of the session.
    Run,
    /// All runs of the session in this process. `is_idle` if no session had a request.
    AllRuns { is_idle: bool },
}

impl SessionReport {
    /// The report on one run of a session.
    pub(crate) fn of_run(session: &Session, listing: Listing, rules: VerdictRules<'_>) -> Self {
        Self::new(session, (Scope::Run, listing), rules)
    }

    /// The report on all runs of a session.
    pub(crate) fn of_all_runs(
        session: &Session,
        listing: Listing,
        rules: VerdictRules<'_>,
    ) -> Self {
        let is_idle = session.total_counters().is_empty();
        Self::new(session, (Scope::AllRuns { is_idle }, listing), rules)
    }

    fn new(session: &Session, (scope, listing): (Scope, Listing), rules: VerdictRules<'_>) -> Self {
        let (counters, damage) = match scope {
            Scope::Run => (session.counters(), session.damage()),
            Scope::AllRuns { .. } => (session.total_counters(), session.damage_of_all_runs()),
        };
        let is_empty = counters.is_empty();
        // One gateway may serve many sessions, and tests may use a part of them.
        let lists_unused = !is_empty || scope != Scope::AllRuns { is_idle: false };
        let (unused, unused_count) = match lists_unused {
            true => session.unused_exchanges(scope != Scope::Run, listing.max_unused()),
            false => (Vec::new(), 0),
        };
        let ReasonCounts {
            skipped,
            defects,
            redactions,
            inexact,
            renamings,
        } = counters.reasons();
        let mut defects = named(defects);
        if let Some(reason) = session.incomplete() {
            let reasons = defects.entry(Defect::Incomplete.name()).or_default();
            reasons.insert(reason.to_owned(), 1);
        }
        let mut report = Self {
            session: session.name().to_string(),
            passed: true,
            failures: Vec::new(),
            hits: counters.hits(),
            repeated: counters.repeated(),
            inexact,
            renamed: counters.renamed(),
            renamings,
            misses: counters.misses(),
            recorded: counters.recorded(),
            recorded_failures: counters.recorded_failures(),
            exchanges: session.exchange_count(),
            more_unused: unused_count - unused.len(),
            unused,
            skipped,
            defects,
            redactions,
            damage,
            edited: session.edited(),
            idle: session.exchange_count() == 0 && is_empty,
        };
        let (secrets, longest) = (session.secrets(), report.longest_text());
        let known = match rules.checked_until {
            Some(deadline) => secrets.snapshot_until(longest, deadline),
            None => Some(secrets.snapshot(longest)),
        };
        report.withhold_secrets(|text| withheld(rules.guard, known.as_ref(), text));
        let failing = rules.fail_on.defects();
        report.failures = failing.flat_map(|it| report.failures_of(it)).collect();
        let run_without_requests = is_empty && scope == Scope::Run && rules.expects_requests;
        if run_without_requests && rules.fail_on.contains(Defect::NoRequests) {
            report.failures.push(no_requests());
        }
        report.passed = report.failures.is_empty();
        report
    }

    /// The defects of this kind, by reason.
    pub fn counted(&self, defect: Defect) -> BTreeMap<String, u64> {
        self.defects.get(defect.name()).cloned().unwrap_or_default()
    }

    /// The failures of one kind.
    fn failures_of(&self, defect: Defect) -> Vec<Failure> {
        let (count, reason) = match defect {
            Defect::Miss => (self.misses, "not found in the cassette".to_owned()),
            Defect::Damage => return self.damage_failures(),
            Defect::Edited => {
                let ordinals: Vec<_> = self.edited.iter().map(u64::to_string).collect();
                let reason = format!("exchanges {} of the cassette", ordinals.join(", "));
                (self.edited.len() as u64, reason)
            }
            Defect::Repeat => (self.repeated, REPEATED.to_owned()),
            Defect::Unused => (
                (self.unused.len() + self.more_unused) as u64,
                "recorded, not requested".to_owned(),
            ),
            _ => return Failure::of_counts(&self.defects, defect),
        };
        let failure = (count > 0).then(|| Failure::new(defect, count, &reason));
        failure.into_iter().collect()
    }

    /// The parts of the cassette and the stored bodies that cannot be read.
    fn damage_failures(&self) -> Vec<Failure> {
        let remedy = "restore the cassette from version control, or record it again";
        let parts = self.damage.len() as u64;
        let parts = (parts > 0).then(|| Failure::new(Defect::Damage, parts, remedy));
        let bodies = Failure::of_counts(&self.defects, Defect::Damage);
        parts.into_iter().chain(bodies).collect()
    }

    /// The length of the longest text that may contain a secret.
    fn longest_text(&self) -> usize {
        let lines = self.unused.iter().chain(&self.damage);
        let reasons = self.defects.values().flat_map(BTreeMap::keys);
        let counted = self.skipped.keys().chain(self.renamings.keys());
        let all = lines.chain(counted).chain(reasons);
        all.map(String::len).max().unwrap_or(0)
    }

    /// Replaces texts that contain a secret. Reasons come from plugins and targets from clients.
    fn withhold_secrets(&mut self, withheld: impl Fn(&str) -> Option<&'static str>) {
        let lists = [&mut self.unused, &mut self.damage];
        for line in lists.into_iter().flatten() {
            if let Some(instead) = withheld(line) {
                instead.clone_into(line);
            }
        }
        withhold_reasons(&mut self.skipped, &withheld);
        withhold_reasons(&mut self.renamings, &withheld);
        withhold_counts(&mut self.defects, &withheld);
    }
}

/// What became of a request that counts as repeated.
pub(super) const REPEATED: &str = "the last recorded response again, see on_exhausted";

/// What stands in the place of a text that contains a secret, or that there was no time to search
/// for secrets.
fn withheld(guard: &Guard, known: Option<&SecretsSnapshot>, text: &str) -> Option<&'static str> {
    if Guard::is_builtin(text) || text == NOT_WRITTEN_AT_STOP {
        return None;
    }
    match known.map(|known| guard.scan_for(text.as_bytes(), known)) {
        Some(Ok(())) => None,
        Some(Err(_)) => Some(WITHHELD),
        None => Some(NOT_CHECKED),
    }
}

/// Stands for a text that may contain a secret.
const NOT_CHECKED: &str = "(withheld: the stop left no time to search it for secrets)";

/// The reason of exchanges that the recorder or the writer still had at the end of the stop.
pub(super) const NOT_WRITTEN_AT_STOP: &str = "not written when the gateway stopped";

fn withhold_counts(counts: &mut DefectCounts, withheld: &impl Fn(&str) -> Option<&'static str>) {
    for reasons in counts.values_mut() {
        withhold_reasons(reasons, withheld);
    }
}

fn withhold_reasons(
    reasons: &mut BTreeMap<String, u64>,
    withheld: &impl Fn(&str) -> Option<&'static str>,
) {
    let secret: Vec<_> = reasons
        .keys()
        .filter_map(|reason| Some((reason.clone(), withheld(reason)?)))
        .collect();
    for (reason, instead) in secret {
        let count = reasons.remove(&reason).unwrap_or_default();
        *reasons.entry(instead.to_owned()).or_default() += count;
    }
}

fn named(defects: BTreeMap<Defect, BTreeMap<String, u64>>) -> DefectCounts {
    let named = defects.into_iter();
    named.map(|(defect, it)| (defect.name(), it)).collect()
}

fn no_requests() -> Failure {
    let reason = "none was replayed or recorded; check the address that the client uses";
    Failure::new(Defect::NoRequests, 0, reason)
}
