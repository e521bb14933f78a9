//! The sessions that are closed, within a bound on their memory. Beyond it, those that were closed
//! first are counted together and not known by name any more: those without a defect before others.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use super::closed_exchanges::ClosedExchanges;
use super::counters::Counters;
use super::forgotten_session::ForgottenSession;
use super::session_state::Session;
use ouli_config::Defect;

/// Maximum number of lines of each kind that are kept of forgotten sessions.
const MAX_LINES: usize = 64;

/// What happens to an idle session with exchanges that are not written yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unwritten {
    /// It stays open.
    Keep,
    /// It gives its place at once, and what it holds is freed once they are written.
    Close,
}

/// The closed sessions by name.
#[derive(Default)]
pub(super) struct ClosedSessions {
    by_name: HashMap<Arc<str>, ClosedSession>,
    /// Those with exchanges that wait for the recorder.
    unwritten: HashMap<Arc<str>, Arc<Session>>,
    /// Names in the order in which they were closed: of sessions without a defect, and of others.
    clean: BTreeMap<u64, Arc<str>>,
    defective: BTreeMap<u64, Arc<str>>,
    next: u64,
    bytes: usize,
    forgotten: ForgottenSessions,
    /// What a forgotten session must know to record again, by the hash of its name: a few bytes
    /// for each session that recorded.
    traces: HashMap<u64, ForgottenSession>,
    hasher: RandomState,
}

struct ClosedSession {
    session: Arc<Session>,
    number: u64,
    bytes: usize,
}

/// The sum of the sessions that are not known by name any more.
#[derive(Default)]
struct ForgottenSessions {
    count: u64,
    total: Arc<Counters>,
    exchanges: ClosedExchanges,
    damage: Vec<String>,
}

impl ClosedSessions {
    pub(super) fn get(&self, name: &str) -> Option<&Arc<Session>> {
        let waiting = self.unwritten.get(name);
        waiting.or_else(|| Some(&self.by_name.get(name)?.session))
    }

    /// Takes a session out, because it is used again.
    pub(super) fn take(&mut self, name: &str) -> Option<Arc<Session>> {
        if let Some(session) = self.unwritten.remove(name) {
            return Some(session);
        }
        let closed = self.by_name.remove(name)?;
        self.clean.remove(&closed.number);
        self.defective.remove(&closed.number);
        self.bytes -= closed.bytes;
        Some(closed.session)
    }

    /// What stays of a session of this name, if it is forgotten.
    pub(super) fn trace(&self, name: &str) -> Option<ForgottenSession> {
        self.traces.get(&self.hasher.hash_one(name)).copied()
    }

    /// Adds a session that still holds its exchanges. It is replaced soon.
    pub(super) fn add_whole(&mut self, session: Arc<Session>) {
        self.insert(session, false, 0);
    }

    /// Adds a session with exchanges that wait for the recorder. It is whole, and not forgotten,
    /// until they are written. There are no more of these than exchanges in the queues.
    pub(super) fn add_unwritten(&mut self, session: Arc<Session>) {
        let name = Arc::clone(session.name());
        self.unwritten.insert(name, session);
    }

    /// Adds the sessions of [`Self::add_unwritten`] as whole ones whose exchanges are written and
    /// that nobody uses. Returns the names.
    pub(super) fn take_written(&mut self) -> Vec<Arc<str>> {
        let is_written =
            |session: &Arc<Session>| !session.has_unwritten() && Arc::strong_count(session) == 1;
        let written = self.unwritten.extract_if(|_, session| is_written(session));
        let written: Vec<_> = written.collect();
        let add = |(name, session)| {
            self.add_whole(session);
            name
        };
        written.into_iter().map(add).collect()
    }

    /// Adds a session in place of the one that still held its exchanges.
    pub(super) fn add(&mut self, session: Arc<Session>) {
        self.take(session.name());
        let (is_clean, bytes) = (session.has_no_defect(), session.closed_bytes());
        self.insert(session, is_clean, bytes);
    }

    fn insert(&mut self, session: Arc<Session>, is_clean: bool, bytes: usize) {
        let name = Arc::clone(session.name());
        self.next += 1;
        let number = self.next;
        let queue = match is_clean {
            true => &mut self.clean,
            false => &mut self.defective,
        };
        queue.insert(number, Arc::clone(&name));
        self.bytes += bytes;
        let closed = ClosedSession {
            session,
            number,
            bytes,
        };
        self.by_name.insert(name, closed);
    }

    /// Forgets sessions until the others take at most `max_bytes`. Returns the names.
    pub(super) fn forget_above(&mut self, max_bytes: usize) -> Vec<Arc<str>> {
        let mut names = Vec::new();
        while self.bytes > max_bytes
            && let Some((number, name)) = self.clean.pop_first()
        {
            // An exchange may have been found lost after the session was closed.
            let is_clean = self.get(&name).is_some_and(|it| it.has_no_defect());
            if is_clean {
                self.forget(&name);
                names.push(name);
            } else {
                self.defective.insert(number, name);
            }
        }
        while self.bytes > max_bytes
            && let Some((_, name)) = self.defective.pop_first()
        {
            self.forget(&name);
            names.push(name);
        }
        names
    }

    /// Counts exchanges of a forgotten session that were acknowledged and then not synced.
    pub(super) fn count_unconfirmed(&mut self, reason: &str, count: u64) {
        self.forgotten.count = self.forgotten.count.max(1);
        let total = &self.forgotten.total;
        total.count_defects(Defect::NotWritten, reason, count);
    }

    fn forget(&mut self, name: &str) {
        let Some(session) = self.take(name) else {
            return;
        };
        let trace = session.trace();
        if trace.run > 1 || trace.rotated_by > 0 || trace.lost_secrets {
            self.traces.insert(self.hasher.hash_one(name), trace);
        }
        let forgotten = &mut self.forgotten;
        forgotten.count += 1;
        forgotten.total.add_all(session.total_counters());
        if let Some(reason) = session.incomplete() {
            forgotten.total.count_defects(Defect::Incomplete, reason, 1);
        }
        let exchanges = &mut forgotten.exchanges;
        exchanges.count += session.exchange_count();
        if let Some(closed) = session.closed_exchanges() {
            let unused = closed.unused.iter().filter(|it| it.in_all_runs).cloned();
            extend(&mut exchanges.unused, unused);
        }
        extend(&mut exchanges.report.edited, session.edited().into_iter());
        extend(
            &mut forgotten.damage,
            session.damage_of_all_runs().into_iter(),
        );
    }

    /// The closed sessions, and one for all that are forgotten.
    pub(super) fn all(&self) -> Vec<Arc<Session>> {
        let known = self.by_name.values();
        let mut all: Vec<_> = known.map(|closed| Arc::clone(&closed.session)).collect();
        all.extend(self.unwritten.values().map(Arc::clone));
        let ForgottenSessions {
            count,
            total,
            exchanges,
            damage,
        } = &self.forgotten;
        if *count > 0 {
            let name = format!("({count} more sessions)");
            let (total, exchanges) = (Arc::clone(total), exchanges.clone());
            let sum = Session::sum(name.into(), total, exchanges, damage.clone());
            all.push(Arc::new(sum));
        }
        all
    }
}

fn extend<T>(lines: &mut Vec<T>, more: impl Iterator<Item = T>) {
    let room = MAX_LINES.saturating_sub(lines.len());
    lines.extend(more.take(room));
}
