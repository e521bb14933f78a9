//! Two generations of plugins on the same recorded exchanges: which keys, redactions and verdicts
//! differ.
//!
//! Runs beside the traffic: with secrets of its own, so that a version that is not taken leaves
//! nothing behind.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use super::{Entry, Session, Sessions};
use ouli_cassette::ChangePolicy;
use ouli_codec::MessageView;
use ouli_matching::key::{DescribedPart, Key};
use ouli_message::{Exchange, Fields, Request};
use ouli_plugin::{Decision, PluginFailure, Plugins};
use ouli_redaction::Secrets;

/// Examples that a report shows of each kind.
const MAX_EXAMPLES: usize = 3;

/// Bytes of a cassette that is read for a comparison where the session has nothing in memory.
const MAX_CASSETTE_BYTES: u64 = 16 << 20;

/// What there is to compare: the recorded exchanges of the sessions in use.
pub struct Corpus {
    exchanges: Vec<(Arc<str>, u64, Exchange)>,
    /// Exchanges that there are, those beyond the limit included.
    total: usize,
    named_secrets: Vec<(String, String)>,
}

/// What differs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Exchanges that were compared.
    pub compared: usize,
    /// Exchanges that there are.
    pub total: usize,
    /// Keys.
    pub keys: Differences,
    /// How many unequal requests there are, before and after.
    pub distinct_keys: (usize, usize),
    /// Redactions.
    pub redactions: Differences,
    /// Verdicts of recording policies.
    pub verdicts: Differences,
    /// Exchanges on which the new version fails and the old one does not.
    pub failures: Differences,
}

/// Exchanges that differ in one respect.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Differences {
    /// How many.
    pub count: usize,
    /// The first few, a line each.
    pub examples: Vec<String>,
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
    /// True where nothing differs.
    pub fn is_equal(&self) -> bool {
        let all = [&self.keys, &self.redactions, &self.verdicts, &self.failures];
        all.iter().all(|one| one.count == 0)
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.compared == 0 {
            return write!(f, "nothing recorded to compare on");
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
            write!(f, "; {before} unequal requests become {after}")?;
        }
        if self.failures.count > 0 {
            write!(f, "; it fails on {}", self.failures.count)?;
        }
        let all = kinds.iter().flat_map(|(_, one)| &one.examples);
        for example in all.chain(&self.failures.examples) {
            write!(f, "\n    {example}")?;
        }
        Ok(())
    }
}

impl Corpus {
    /// At most so many exchanges of the sessions in use, the latest ones of each.
    /// Reads cassettes that are not in memory: not for a thread that serves.
    pub fn of(sessions: &Sessions, most: usize) -> Self {
        let mut corpus = Self {
            exchanges: Vec::new(),
            total: 0,
            named_secrets: sessions.named_secrets().to_vec(),
        };
        for session in sessions.all() {
            let entries = entries(sessions, &session);
            corpus.total += entries.len();
            let room = most.saturating_sub(corpus.exchanges.len());
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

    /// Compares two generations until all is compared or `enough` says so.
    pub fn compare(
        &self,
        old: &Plugins,
        new: &Plugins,
        mut enough: impl FnMut() -> bool,
    ) -> Comparison {
        let mut comparison = Comparison {
            total: self.total,
            ..Comparison::default()
        };
        let mut unequal = (HashSet::new(), HashSet::new());
        for (session, ordinal, exchange) in &self.exchanges {
            if enough() {
                break;
            }
            let place = || {
                let (method, target) = (&exchange.request.method, &exchange.request.target);
                format!("{session} {ordinal} {method} {target}")
            };
            let before = self.evaluate(old, session, exchange);
            let after = self.evaluate(new, session, exchange);
            comparison.compared += 1;
            match (before, after) {
                (Ok(before), Ok(after)) => {
                    unequal.0.insert(before.key.hash());
                    unequal.1.insert(after.key.hash());
                    comparison.add((old, &before), (new, &after), place);
                }
                (Ok(_), Err(failure)) => {
                    comparison
                        .failures
                        .add(|| format!("{}: {failure}", place()));
                }
                (Err(_), Ok(_) | Err(_)) => {}
            }
        }
        comparison.distinct_keys = (unequal.0.len(), unequal.1.len());
        comparison
    }

    /// What one generation makes of one exchange.
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
        let key = plugins.key(&view, &secrets)?.key;
        let redacted = plugins.redact(exchange.clone(), session, &secrets)?;
        let decision = plugins.decide(&redacted.exchange, session, &secrets)?;
        Ok(Evaluation {
            key,
            request_view: view,
            secrets,
            exchange: redacted.exchange,
            decision,
        })
    }
}

struct Evaluation {
    key: Key,
    request_view: Arc<dyn MessageView>,
    secrets: Arc<Secrets>,
    exchange: Exchange,
    decision: Decision,
}

impl Evaluation {
    /// The parts of the key, which an example alone needs.
    fn describe(&self, plugins: &Plugins) -> Vec<DescribedPart> {
        let described = plugins.describe(&self.request_view, &self.secrets);
        // It has just made a key of the same request.
        described.unwrap_or_default()
    }
}

impl Comparison {
    fn add(
        &mut self,
        (old, before): (&Plugins, &Evaluation),
        (new, after): (&Plugins, &Evaluation),
        place: impl Fn() -> String,
    ) {
        if before.key != after.key {
            self.keys.add(|| {
                let (before, after) = (before.describe(old), after.describe(new));
                format!("{}: {}", place(), key_part_changes(&before, &after))
            });
        }
        if before.exchange != after.exchange {
            self.redactions.add(|| {
                let places = redaction_changes(&before.exchange, &after.exchange).join(", ");
                format!("{}: {places} redacted otherwise", place())
            });
        }
        if before.decision != after.decision {
            self.verdicts.add(|| {
                let (before, after) = (&before.decision, &after.decision);
                format!("{}: {before} becomes {after}", place())
            });
        }
    }
}

/// The parts of a key that came, went or changed.
fn key_part_changes(before: &[DescribedPart], after: &[DescribedPart]) -> String {
    let find = |all: &'_ [DescribedPart], name: &str| all.iter().position(|part| part.name == name);
    let mut words = Vec::new();
    for part in before {
        match find(after, &part.name) {
            None => words.push(format!("part `{}` is gone", part.name)),
            Some(place) if after[place] != *part => {
                words.push(format!("part `{}` changes", part.name));
            }
            Some(_) => {}
        }
    }
    for part in after {
        if find(before, &part.name).is_none() {
            words.push(format!("part `{}` is new", part.name));
        }
    }
    if words.is_empty() {
        // The same parts in another order, or pieces that reports do not show.
        return "the same parts make another key".to_owned();
    }
    words.join(", ")
}

/// The places in which two redactions of one exchange differ.
fn redaction_changes(before: &Exchange, after: &Exchange) -> Vec<String> {
    let mut places = Vec::new();
    let mut note = |differs: bool, place: &str| {
        if differs {
            places.push(place.to_owned());
        }
    };
    let (old, new) = (&before.request, &after.request);
    note(old.target != new.target, "target");
    note(old.body != new.body, "request body");
    note(old.trailers != new.trailers, "request trailers");
    let (old, new) = (&before.response, &after.response);
    note(old.body != new.body, "response body");
    note(old.trailers != new.trailers, "response trailers");
    note(before.stream != after.stream, "stream");
    places.extend(headers(&before.request.fields, &after.request.fields));
    places.extend(headers(&before.response.fields, &after.response.fields));
    places
}

fn headers(before: &Fields, after: &Fields) -> Vec<String> {
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

/// The exchanges of a session: those in memory, or those of a small cassette.
fn entries(sessions: &Sessions, session: &Session) -> Vec<Arc<Entry>> {
    let entries = session.entries_from(0);
    if !entries.is_empty() {
        return entries;
    }
    let folder = sessions.folder();
    let small = folder
        .session_path(session.name())
        .ok()
        .and_then(|path| path.metadata().ok())
        .is_some_and(|metadata| metadata.len() <= MAX_CASSETTE_BYTES);
    if !small {
        return Vec::new();
    }
    let Ok(Some(loaded)) = folder.load(session.name(), ChangePolicy::Mark) else {
        return Vec::new();
    };
    let entries = loaded.exchanges.into_iter();
    entries
        .map(|one| Arc::new(Entry::new(one.ordinal, one.exchange)))
        .collect()
}

/// An exchange with all its bodies in memory; none where one cannot be read.
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
