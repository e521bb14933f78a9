//! Closes the sessions that nobody uses.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::registry::Sessions;
use super::session_state::Session;

impl Sessions {
    /// Closes the sessions that nobody has used for `limits.session_idle_timeout`.
    pub(crate) fn close_idle(&self) {
        self.close_idle_at(self.started.elapsed());
    }

    fn close_idle_at(&self, now: Duration) {
        let timeout = self.rules.read().idle_timeout;
        let Some(last_used) = now.checked_sub(timeout) else {
            return;
        };
        let is_due = |session: &Arc<Session>| session.last_used() <= last_used;
        if !self.open.read().values().any(is_due) {
            return;
        }
        let removed = self.remove_idle(&mut self.open.write(), last_used, usize::MAX);
        self.close(removed);
    }

    /// Takes the names of the forgotten sessions. Their cassettes can be released.
    pub(crate) fn take_forgotten(&self) -> Vec<Arc<str>> {
        std::mem::take(&mut self.forgotten.lock())
    }

    /// Removes at most `max` of the sessions that were used before `last_used` and that nothing
    /// refers to, the least recently used first. They are known as closed from now on.
    pub(super) fn remove_idle(
        &self,
        open: &mut HashMap<Arc<str>, Arc<Session>>,
        last_used: Duration,
        max: usize,
    ) -> Vec<Arc<str>> {
        let rules = self.rules.read();
        let due = open.iter().filter(|(name, session)| {
            session.last_used() <= last_used && !rules.kept.contains(*name)
        });
        let mut due: Vec<_> = due
            .map(|(name, session)| (session.last_used(), Arc::clone(name)))
            .collect();
        due.sort();
        let mut closed = self.closed.lock();
        let mut removed = Vec::new();
        for (_, name) in due {
            if removed.len() == max {
                break;
            }
            let is_idle = |session: &Arc<Session>| {
                !session.has_unwritten() && rules.indexes.remove_unused(session)
            };
            if open.get(&name).is_some_and(is_idle)
                && let Some(session) = open.remove(&name)
                && !session.is_untouched()
            {
                closed.add_whole(session);
                removed.push(name);
            }
        }
        removed
    }

    /// Frees what the sessions that were just removed hold, unless they are used again.
    pub(super) fn close(&self, removed: Vec<Arc<str>>) {
        for name in removed {
            let Some(session) = self.closed.lock().get(&name).cloned() else {
                continue;
            };
            let last_used = session.last_used();
            // Without a lock: it takes long for a large cassette.
            session.compact_secrets();
            let compact = session.to_closed();
            let mut closed = self.closed.lock();
            let is_same = |found: &Arc<Session>| {
                Arc::ptr_eq(found, &session) && session.last_used() == last_used
            };
            if closed.get(&name).is_some_and(is_same)
                && (Arc::ptr_eq(&session, &compact) || session.begin_closed(&compact))
            {
                closed.add(compact);
                tracing::debug!(session = %name, "closed");
            }
        }
        let max_bytes = self.rules.read().max_closed_bytes;
        let names = self.closed.lock().forget_above(max_bytes);
        if !names.is_empty() {
            tracing::debug!("{} closed sessions are not known any more", names.len());
            self.forgotten.lock().extend(names);
        }
    }
}

#[cfg(test)]
mod tests {
    use tempfile::{TempDir, tempdir};

    use super::*;
    use crate::session::{Outcome, SessionError};
    use ouli_cassette::CassetteDir;
    use ouli_config::Limits;

    fn sessions(max_open: usize) -> (TempDir, Sessions) {
        let home = tempdir().unwrap();
        let folder = CassetteDir::open(home.path(), 1 << 20).unwrap();
        let limits = Limits {
            sessions: max_open,
            ..Limits::default()
        };
        let sessions = Sessions::new(Arc::new(folder), &limits, Vec::new());
        (home, sessions)
    }

    fn hit(sessions: &Sessions, name: &str) -> Arc<Session> {
        let session = sessions.get_or_create(name).unwrap();
        session.counters().count(Outcome::Hit);
        session
    }

    fn names(sessions: &[Arc<Session>]) -> Vec<&str> {
        sessions.iter().map(|session| &**session.name()).collect()
    }

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn an_idle_session_is_closed_after_its_time() {
        let (_home, sessions) = sessions(100);
        drop((hit(&sessions, "a"), sessions.get_or_create("untouched")));
        let used = hit(&sessions, "b");
        sessions.close_idle_at(Duration::ZERO);
        assert_eq!(names(&sessions.all()), ["a", "b", "untouched"]);
        sessions.close_idle_at(HOUR);
        assert_eq!(names(&sessions.all()), ["b"]);
        assert_eq!(names(&sessions.all_reported()), ["a", "b"]);
        assert_eq!(sessions.find("a").unwrap().total_counters().hits(), 1);
        drop(used);
        sessions.close_idle_at(HOUR);
        assert!(sessions.all().is_empty());
        assert_eq!(hit(&sessions, "a").counters().hits(), 2, "it continues");
        assert_eq!(names(&sessions.all()), ["a"]);
        assert_eq!(names(&sessions.all_reported()), ["a", "b"]);
    }

    #[test]
    fn an_exchange_that_is_not_written_keeps_its_session_open() {
        let (_home, sessions) = sessions(100);
        let unwritten = hit(&sessions, "a").unwritten_exchange();
        sessions.close_idle_at(HOUR);
        assert_eq!(names(&sessions.all()), ["a"]);
        drop(unwritten);
        sessions.close_idle_at(HOUR);
        assert!(sessions.all().is_empty());
    }

    #[test]
    fn the_least_recently_used_session_gives_its_place() {
        let (_home, sessions) = sessions(3);
        let first = hit(&sessions, "a");
        drop((
            hit(&sessions, "b"),
            hit(&sessions, "c"),
            hit(&sessions, "b"),
        ));
        drop(hit(&sessions, "d"));
        assert_eq!(names(&sessions.all()), ["a", "b", "d"], "a is in use");
        let others = [sessions.find("b"), sessions.find("d")];
        let refused = sessions.get_or_create("e").err();
        assert_eq!(refused, Some(SessionError::TooMany(3)));
        drop((first, others));
    }
}
