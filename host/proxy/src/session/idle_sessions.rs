//! Closes the sessions that nobody uses.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::closed_sessions::Unwritten;
use super::registry::{CLOSED_SHARE, Sessions};
use super::session_state::Session;

impl Sessions {
    /// Closes the sessions that nobody has used for `limits.session_idle_timeout`.
    pub(crate) fn close_idle(&self) {
        self.close_idle_at(self.started.elapsed());
    }

    fn close_idle_at(&self, now: Duration) {
        self.free_written();
        let timeout = self.rules.read().idle_timeout;
        let Some(last_used) = now.checked_sub(timeout) else {
            return;
        };
        let is_due = |session: &Arc<Session>| session.last_used() <= last_used;
        if !self.open.read().values().any(is_due) {
            return;
        }
        let removed = {
            let mut open = self.open.write();
            self.remove_idle(&mut open, last_used, usize::MAX, Unwritten::Keep)
        };
        self.close(removed);
    }

    /// Closes some of the sessions that no request uses, the least recently used first. False if
    /// there is none.
    pub(super) fn close_some_idle(&self) -> bool {
        let now = self.started.elapsed();
        let mut open = self.open.write();
        let before = open.len();
        let count = (before / CLOSED_SHARE).max(1);
        let removed = self.remove_idle(&mut open, now, count, Unwritten::Keep);
        let is_closed = open.len() < before;
        drop(open);
        self.close(removed);
        is_closed
    }

    /// Closes the least recently used of the sessions of endpoints that no request uses, and keeps
    /// its place: it reads its cassette again when it is used. False if there is none.
    pub(super) fn close_kept_idle(&self) -> bool {
        let Some(session) = self.idle_kept() else {
            return false;
        };
        let last_used = session.last_used();
        // Without a lock, as in `close`.
        session.compact_secrets();
        let compact = session.to_closed();
        let mut open = self.open.write();
        let Some(current) = open.get_mut(session.name()) else {
            return false;
        };
        let is_unused = Arc::ptr_eq(current, &session) && session.last_used() == last_used;
        let is_closed = is_unused && session.begin_closed(&compact);
        if is_closed {
            session.forget_minted();
            *current = compact;
        }
        is_closed
    }

    fn idle_kept(&self) -> Option<Arc<Session>> {
        let open = self.open.write();
        let rules = self.rules.read();
        let kept = rules.kept.iter().filter_map(|name| open.get(name));
        let mut kept: Vec<_> = kept.filter(|it| it.holds_exchanges()).collect();
        kept.sort_by_key(|session| session.last_used());
        let mut idle = kept.into_iter();
        idle.find(|session| !session.has_unwritten() && rules.indexes.remove_unused(session))
            .map(Arc::clone)
    }

    /// Takes the names of the forgotten sessions. Their cassettes can be released.
    pub(crate) fn take_forgotten(&self) -> Vec<Arc<str>> {
        std::mem::take(&mut self.forgotten.lock())
    }

    /// Takes the names of the closed sessions whose cassettes may have to be put into the order in
    /// which the requests began.
    pub(crate) fn take_unordered(&self) -> Vec<Arc<str>> {
        std::mem::take(&mut self.unordered.lock())
    }

    /// Removes at most `max` of the sessions that were used before `last_used` and that nothing
    /// refers to, the least recently used first. They are known as closed from now on.
    pub(super) fn remove_idle(
        &self,
        open: &mut HashMap<Arc<str>, Arc<Session>>,
        last_used: Duration,
        max: usize,
        unwritten: Unwritten,
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
        let mut removed = closed.take_written();
        let mut count = 0;
        for (_, name) in due {
            if count == max {
                break;
            }
            let is_idle = |session: &Arc<Session>| {
                (unwritten == Unwritten::Close || !session.has_unwritten())
                    && rules.indexes.remove_unused(session)
            };
            if open.get(&name).is_some_and(is_idle)
                && let Some(session) = open.remove(&name)
            {
                count += 1;
                if session.has_unwritten() || Arc::strong_count(&session) > 1 {
                    closed.add_unwritten(session);
                } else if !session.is_untouched() {
                    closed.add_whole(session);
                    removed.push(name);
                }
            }
        }
        removed
    }

    /// Frees what the sessions hold that were closed with exchanges that are written by now.
    pub(super) fn free_written(&self) {
        let written = self.closed.lock().take_written();
        self.close(written);
    }

    /// The same as far as there is time for it. Others are reported one by one.
    pub(crate) fn free_written_until(&self, deadline: Instant) {
        let written = self.closed.lock().take_written();
        for name in written {
            if Instant::now() >= deadline {
                return;
            }
            self.close(vec![name]);
        }
    }

    /// Frees what the sessions that were just removed hold, unless they are used again.
    pub(super) fn close(&self, removed: Vec<Arc<str>>) {
        for name in removed {
            let Some(session) = self.closed.lock().get(&name).cloned() else {
                continue;
            };
            let last_used = session.last_used();
            if session.start_order().is_unordered() {
                self.unordered.lock().push(Arc::clone(&name));
            }
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
                session.forget_minted();
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
    use crate::session::{Outcome, RecorderHandle, SessionError};
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
        session
            .counters()
            .count(Outcome::Hit(crate::session::Hit::default()));
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
    fn a_closed_session_gives_back_what_its_clients_made_up() {
        let (_home, sessions) = sessions(100);
        let ids: Vec<Arc<str>> = (0..1_000)
            .map(|it| format!("run-{it:08x}").into())
            .collect();
        let see = || {
            let session = hit(&sessions, "a");
            session.secrets().see_minted(&ids, false);
            assert_eq!(session.secrets().minted().len(), ids.len());
            sessions.secret_memory()
        };
        let used = see();
        sessions.close_idle_at(HOUR);
        assert!(sessions.all().is_empty() && sessions.secret_memory() < used / 10);
        assert_eq!(see(), used, "it continues");
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
    fn a_session_that_waits_for_the_recorder_gives_its_place_and_loses_nothing() {
        let (_home, sessions) = sessions(2);
        let mut unwritten = Vec::new();
        for number in 0..40 {
            let session = hit(&sessions, &format!("s{number}"));
            unwritten.push((
                session.unwritten_exchange(),
                RecorderHandle::new(Arc::clone(&session)),
            ));
        }
        assert_eq!(sessions.all().len(), 2, "none is refused");
        assert_eq!(sessions.all_reported().len(), 40);
        // It is the same session, with what it holds.
        let again = sessions.get_or_create("s0").unwrap();
        assert!(Arc::ptr_eq(&again.all_runs, &unwritten[0].1.all_runs));
        assert!(again.has_unwritten() && again.closed.is_none());
        drop(again);
        sessions.count_unwritten();
        let counted = |name: &str| sessions.find(name).unwrap().total_counters().is_empty();
        assert!(!counted("s0") && !counted("s39"));
        drop(unwritten);
        sessions.close_idle_at(HOUR);
        assert!(sessions.all().is_empty());
        assert_eq!(sessions.all_reported().len(), 40);
        assert_eq!(sessions.closed.lock().take_written(), [] as [Arc<str>; 0]);
        assert_eq!(hit(&sessions, "s1").counters().hits(), 2, "it continues");
    }

    #[test]
    fn a_session_in_use_is_not_freed_with_its_exchanges() {
        let (_home, sessions) = sessions(1);
        let in_use = hit(&sessions, "a");
        let unwritten = in_use.unwritten_exchange();
        let mut open = sessions.open.write();
        sessions
            .closed
            .lock()
            .add_unwritten(open.remove("a").unwrap());
        drop(open);
        drop(unwritten);
        sessions.free_written();
        let found = sessions.find("a").unwrap();
        assert!(Arc::ptr_eq(&found, &in_use), "a request has it");
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
