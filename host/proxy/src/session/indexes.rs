//! The indexes of the sessions in use, under one generation of plugins.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::RwLock;

use super::index::Index;
use super::session_state::Session;

/// The index of each session that was replayed.
#[derive(Default)]
pub struct Indexes {
    by_session: RwLock<HashMap<Arc<str>, Arc<Index>>>,
}

impl Indexes {
    /// The names of the sessions that have an index.
    pub(crate) fn sessions(&self) -> Vec<Arc<str>> {
        self.by_session.read().keys().cloned().collect()
    }

    /// The index of a session, if it was built.
    pub(crate) fn get(&self, session: &str) -> Option<Arc<Index>> {
        self.by_session.read().get(session).cloned()
    }

    /// Keeps an index of a session, unless there is one of this run or of a later one. Returns the
    /// index of this run.
    pub(crate) fn keep(&self, session: &Arc<Session>, built: Arc<Index>) -> Arc<Index> {
        let mut indexes = self.by_session.write();
        match indexes.get(session.name()) {
            Some(index) if index.is_of(session) => return Arc::clone(index),
            Some(index) if index.session().version() > session.version() => {}
            Some(_) | None => {
                indexes.insert(Arc::clone(session.name()), Arc::clone(&built));
            }
        }
        built
    }

    /// Removes the index of a session that only the index, complete exchanges and the caller refer
    /// to. Returns false, and removes nothing, if a request uses the session.
    ///
    /// References of exchanges come and go meanwhile, so a session in use may be taken for unused
    /// in a rare case. Nothing of it is freed then: see `ClosedSessions::take_written`.
    pub(super) fn remove_unused(&self, session: &Arc<Session>) -> bool {
        let mut indexes = self.by_session.write();
        let index = indexes.get(session.name());
        let own = index.is_some_and(|index| index.is_of(session));
        let is_used = index.is_some_and(|index| Arc::strong_count(index) > 1)
            || Arc::strong_count(session) > 1 + usize::from(own) + session.recorder_handles();
        if !is_used {
            indexes.remove(session.name());
        }
        !is_used
    }

    /// Removes all indexes: another generation has replaced this one. Requests keep theirs.
    pub(super) fn clear(&self) {
        let indexes = std::mem::take(&mut *self.by_session.write());
        drop(indexes);
    }
}
