//! The index of each run of a session.

use std::sync::Arc;

use parking_lot::Mutex;

use super::index::Index;
use super::session_state::Session;

impl Index {
    /// The same index for another run of the same exchanges. None if it has others.
    pub fn rewound(&self, session: &Arc<Session>) -> Option<Self> {
        let (own, other) = (&self.session.entries, &session.entries);
        Arc::ptr_eq(own.replayable(), other.replayable()).then(|| Self {
            session: Arc::clone(session),
            plugins: Arc::clone(&self.plugins),
            folder: Arc::clone(&self.folder),
            state: Arc::clone(&self.state),
            cursors: Mutex::default(),
            returned: Arc::default(),
            indexing: Arc::clone(&self.indexing),
            part_keys: Mutex::default(),
            refused: Arc::clone(&self.refused),
            client_message_keys: Arc::clone(&self.client_message_keys),
            message_identities: Arc::clone(&self.message_identities),
            received: Arc::clone(&self.received),
        })
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
