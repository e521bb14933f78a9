//! The index of each run of a session.

use std::sync::Arc;

use parking_lot::{Mutex, RwLock};

use super::index::Index;
use super::session_state::Session;

impl Index {
    /// The same index for the next run, which begins with the same exchanges. No key is derived
    /// again.
    pub(crate) fn rewound(&self, session: Arc<Session>) -> Self {
        let state = self.state.read().with_entries(session.entries_from(0));
        let index = Self {
            session,
            plugins: Arc::clone(&self.plugins),
            folder: Arc::clone(&self.folder),
            state: RwLock::new(state),
            indexing: Arc::default(),
            part_keys: Mutex::default(),
            refused: Arc::clone(&self.refused),
            client_message_keys: Mutex::new(self.client_message_keys.lock().clone()),
        };
        let indexed = index.state.read().entries.len();
        index.add_unindexed(&index.session.entries_from(indexed));
        index
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
