//! The index of each run of a session.

use std::sync::Arc;

use parking_lot::{Mutex, RwLock};

use super::index::Index;
use super::session_state::Session;

impl Index {
    /// The same index for another run, which begins with the same exchanges. No key of them is
    /// derived again. None if it does not begin with them.
    pub(crate) fn rewound(&self, session: &Arc<Session>) -> Option<Self> {
        let mut entries = session.entries_from(0);
        let state = self.state.read();
        let indexed = state.entries.len();
        entries.truncate(indexed);
        let known = state.entries.iter().map(|(entry, _)| entry);
        // An exchange that ended late may stand at another position in another run.
        let is_same = indexed > 0
            && entries.len() == indexed
            && known.zip(&entries).all(|(known, it)| it.is_rewound(known));
        let state = is_same.then(|| state.with_entries(entries))?;
        let index = Self {
            session: Arc::clone(session),
            plugins: Arc::clone(&self.plugins),
            folder: Arc::clone(&self.folder),
            state: RwLock::new(state),
            cursors: Mutex::default(),
            returned: Arc::default(),
            indexing: Arc::default(),
            part_keys: Mutex::default(),
            refused: Arc::clone(&self.refused),
            client_message_keys: Mutex::new(self.client_message_keys.lock().clone()),
        };
        index.add_unindexed(&index.session.entries_from(indexed));
        Some(index)
    }

    /// True if it is the index of this run.
    pub(crate) fn is_of(&self, session: &Arc<Session>) -> bool {
        Arc::ptr_eq(&self.session, session)
    }

    /// The run that it is the index of.
    pub(crate) fn session(&self) -> &Arc<Session> {
        &self.session
    }
}
