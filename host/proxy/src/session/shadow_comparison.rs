//! Compares two generations of plugins on recorded exchanges: which keys, redactions and verdicts
//! differ.
//!
//! The comparison runs next to the traffic. It has its own secrets, so that a generation that is
//! rejected leaves no state behind.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use super::entry::Entry;
use super::registry::Sessions;
use super::session_state::Session;
use ouli_cassette::ChangePolicy;
use ouli_codec::MessageView;
use ouli_matching::key::{DescribedPart, Key, Variant};
use ouli_message::{Exchange, Fields, Request};
use ouli_plugin::{Decision, PluginFailure, Plugins};
use ouli_redaction::Secrets;

/// Maximum number of examples of each kind in a report.
const MAX_EXAMPLES: usize = 3;

/// A cassette of at most this size is read for the comparison if the session is not loaded.
const MAX_CASSETTE_BYTES: u64 = 16 << 20;

/// The recorded exchanges to compare.
pub(crate) struct Corpus {
    exchanges: Vec<(Arc<str>, u64, Exchange)>,
    /// Number of recorded exchanges, including those beyond the limit.
    total: usize,
    named_secrets: Vec<(String, String)>,
}

/// The differences between two generations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Comparison {
    /// Number of exchanges that were compared.
    pub(crate) compared: usize,
    /// Number of recorded exchanges.
    pub(crate) total: usize,
    /// Exchanges with a different key.
    pub(crate) keys: Differences,
    /// Number of distinct keys, before and after.
    pub(crate) distinct_keys: (usize, usize),
    /// Exchanges with a different redaction.
    pub(crate) redactions: Differences,
    /// Exchanges with a different verdict of a recording policy.
    pub(crate) verdicts: Differences,
    /// Exchanges on which the new version fails and the old one does not.
    pub(crate) failures: Differences,
}

/// Exchanges that differ in one respect.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Differences {
    /// Number of exchanges.
    pub(crate) count: usize,
    /// The first few, a line each.
    pub(crate) examples: Vec<String>,
}

impl Differences {
    fn add(&mut self, example: impl FnOnce() -> String) {
        self.count += 1;
        if self.examples.len() < MAX_EXAMPLES {
            self.examples.push(example());
        }
    }
}

impl Comparison {
    /// True if there is no difference.
    pub(crate) fn is_equal(&self) -> bool {
        let all = [&self.keys, &self.redactions, &self.verdicts, &self.failures];
        all.iter().all(|one| one.count == 0)
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.compared == 0 {
            return write!(f, "no recorded exchanges to compare");
        }
        write!(
            f,
            "compared on {} of {} recorded exchanges",
            self.compared, self.total
        )?;
        let (before, after) = self.distinct_keys;
        let kinds = [
            ("keys", &self.keys),
            ("redactions", &self.redactions),
            ("verdicts", &self.verdicts),
        ];
        for (name, differences) in kinds {
            write!(f, ", {} {name} differ", differences.count)?;
        }
        if before != after {
            write!(f, "; {before} distinct keys become {after}")?;
        }
        if self.failures.count > 0 {
            write!(f, "; the new version fails on {}", self.failures.count)?;
        }
        let all = kinds.iter().flat_map(|(_, one)| &one.examples);
        for example in all.chain(&self.failures.examples) {
            write!(f, "\n    {example}")?;
        }
        Ok(())
    }
}

impl Corpus {
    /// At most `max_exchanges` exchanges of the sessions, the latest ones of each. Blocks: it reads
    /// cassettes that are not in memory.
    pub(crate) fn of(sessions: &Sessions, max_exchanges: usize) -> Self {
        let mut corpus = Self {
            exchanges: Vec::new(),
            total: 0,
            named_secrets: sessions.named_secrets().to_vec(),
        };
        for session in sessions.all() {
            let entries = entries(sessions, &session);
            corpus.total += entries.len();
            let room = max_exchanges.saturating_sub(corpus.exchanges.len());
            let skipped = entries.len().saturating_sub(room);
            for entry in entries.iter().skip(skipped) {
                if let Some(exchange) = full_exchange(sessions, &session, entry) {
                    let name = Arc::clone(session.name());
                    corpus.exchanges.push((name, entry.ordinal, exchange));
                }
            }
        }
        corpus
    }

    /// Compares two generations, until all exchanges are compared or `should_stop` returns true.
    /// One exchange is compared in any case.
    pub(crate) fn compare(
        &self,
        old: &Plugins,
        new: &Plugins,
        mut should_stop: impl FnMut() -> bool,
    ) -> Comparison {
        let mut comparison = Comparison {
            total: self.total,
            ..Comparison::default()
        };
        let mut keys = (HashSet::new(), HashSet::new());
        for (session, ordinal, exchange) in &self.exchanges {
            if comparison.compared > 0 && should_stop() {
                break;
            }
            let label = || {
                let (method, target) = (&exchange.request.method, &exchange.request.target);
                format!("{session} {ordinal} {method} {target}")
            };
            let before = self.evaluate(old, session, exchange);
            let after = self.evaluate(new, session, exchange);
            comparison.compared += 1;
            match (before, after) {
                (Ok(before), Ok(after)) => {
                    keys.0.insert(before.key.hash());
                    keys.1.insert(after.key.hash());
                    comparison.add((old, &before), (new, &after), label);
                }
                (Ok(_), Err(failure)) => {
                    comparison
                        .failures
                        .add(|| format!("{}: {failure}", label()));
                }
                (Err(_), Ok(_) | Err(_)) => {}
            }
        }
        comparison.distinct_keys = (keys.0.len(), keys.1.len());
        comparison
    }

    /// Evaluates one exchange with one generation.
    fn evaluate(
        &self,
        plugins: &Plugins,
        session: &Arc<str>,
        exchange: &Exchange,
    ) -> Result<Evaluation, PluginFailure> {
        let secrets = Secrets::default();
        for (name, value) in &self.named_secrets {
            secrets.register_env(name, value.as_bytes());
        }
        let secrets = Arc::new(secrets);
        let request = Arc::new(Request::clone(&exchange.request));
        let endpoint: Arc<str> = exchange.endpoint.as_str().into();
        let view = plugins.view(endpoint, Arc::clone(session), request, Arc::clone(&secrets))?;
        let (key, variant) = plugins.recorded_key(&view, &secrets, &exchange.response.fields)?;
        let redacted = plugins.redact(exchange.clone(), session, &secrets)?;
        let decision = plugins.decide(&redacted.exchange, session, &secrets)?;
        Ok(Evaluation {
            key: key.key,
            variant,
            request_view: view,
            secrets,
            exchange: redacted.exchange,
            decision,
        })
    }
}

struct Evaluation {
    key: Key,
    /// What selected the response.
    variant: Variant,
    request_view: Arc<dyn MessageView>,
    secrets: Arc<Secrets>,
    exchange: Exchange,
    decision: Decision,
}

impl Evaluation {
    /// The parts of the key. Only examples need them.
    fn describe(&self, plugins: &Plugins) -> Vec<DescribedPart> {
        let described = plugins.describe(&self.request_view, &self.secrets);
        // This cannot fail in practice: the key of the same request was just derived.
        described.unwrap_or_default()
    }
}

impl Comparison {
    fn add(
        &mut self,
        (old, before): (&Plugins, &Evaluation),
        (new, after): (&Plugins, &Evaluation),
        label: impl Fn() -> String,
    ) {
        if before.key == after.key && before.variant != after.variant {
            self.keys
                .add(|| format!("{}: other headers select the response", label()));
        }
        if before.key != after.key {
            self.keys.add(|| {
                let (before, after) = (before.describe(old), after.describe(new));
                format!("{}: {}", label(), key_part_changes(&before, &after))
            });
        }
        if before.exchange != after.exchange {
            self.redactions.add(|| {
                let locations = redaction_changes(&before.exchange, &after.exchange).join(", ");
                format!("{}: {locations} redacted differently", label())
            });
        }
        if before.decision != after.decision {
            self.verdicts.add(|| {
                let (before, after) = (&before.decision, &after.decision);
                format!("{}: {before} becomes {after}", label())
            });
        }
    }
}

/// The parts of a key that were added, removed or changed.
fn key_part_changes(before: &[DescribedPart], after: &[DescribedPart]) -> String {
    let find =
        |parts: &[DescribedPart], name: &str| parts.iter().position(|part| part.name == name);
    let mut changes = Vec::new();
    for part in before {
        match find(after, &part.name) {
            None => changes.push(format!("part `{}` removed", part.name)),
            Some(index) if after[index] != *part => {
                changes.push(format!("part `{}` changed", part.name));
            }
            Some(_) => {}
        }
    }
    for part in after {
        if find(before, &part.name).is_none() {
            changes.push(format!("part `{}` added", part.name));
        }
    }
    if changes.is_empty() {
        // The parts have another order, or differ in a way that reports do not show.
        return "the same parts, but another key".to_owned();
    }
    changes.join(", ")
}

/// The locations in which two redactions of one exchange differ.
fn redaction_changes(before: &Exchange, after: &Exchange) -> Vec<String> {
    let mut locations = Vec::new();
    let mut add_if = |differs: bool, location: &str| {
        if differs {
            locations.push(location.to_owned());
        }
    };
    let (old, new) = (&before.request, &after.request);
    add_if(old.target != new.target, "target");
    add_if(old.body != new.body, "request body");
    add_if(old.trailers != new.trailers, "request trailers");
    let (old, new) = (&before.response, &after.response);
    add_if(old.body != new.body, "response body");
    add_if(old.trailers != new.trailers, "response trailers");
    add_if(before.stream != after.stream, "stream");
    locations.extend(changed_headers(
        &before.request.fields,
        &after.request.fields,
    ));
    locations.extend(changed_headers(
        &before.response.fields,
        &after.response.fields,
    ));
    locations
}

fn changed_headers(before: &Fields, after: &Fields) -> Vec<String> {
    let mut names: Vec<_> = before.iter().chain(after.iter()).map(|(n, _)| n).collect();
    names.sort_by_key(|name| name.as_str());
    names.dedup();
    names.retain(|name| {
        !before
            .get_all(name.as_str())
            .eq(after.get_all(name.as_str()))
    });
    names
        .into_iter()
        .map(|name| format!("header {name}"))
        .collect()
}

/// The exchanges of a session: from memory, or from its cassette if that is small.
fn entries(sessions: &Sessions, session: &Session) -> Vec<Arc<Entry>> {
    let entries = session.replayable();
    if !entries.is_empty() {
        return entries;
    }
    let folder = sessions.folder();
    let is_large = folder
        .session_path(session.name())
        .ok()
        .and_then(|path| path.metadata().ok())
        .is_some_and(|metadata| metadata.len() > MAX_CASSETTE_BYTES);
    if is_large {
        return Vec::new();
    }
    let current = folder.load(session.name(), ChangePolicy::Mark);
    let current = current.ok().flatten().filter(|it| !it.exchanges.is_empty());
    // A run of `record` has put the cassette aside, and has recorded nothing yet.
    let previous = || folder.load_previous(session.name(), MAX_CASSETTE_BYTES);
    let Some(loaded) = current.or_else(previous) else {
        return Vec::new();
    };
    let entries = loaded.exchanges.into_iter();
    entries
        .map(|it| Arc::new(Entry::new(it.ordinal, it.exchange)))
        .collect()
}

/// An exchange with all bodies in memory; `None` if a body cannot be read.
fn full_exchange(sessions: &Sessions, session: &Session, entry: &Entry) -> Option<Exchange> {
    let mut exchange = Exchange {
        endpoint: entry.endpoint.clone(),
        request: Request::clone(&entry.request),
        response: entry.response.clone(),
        stream: entry.stream.clone(),
        failure: entry.failure,
        tags: Vec::new(),
    };
    let folder = sessions.folder();
    folder.read_bodies(session.name(), &mut exchange).ok()?;
    Some(exchange)
}
