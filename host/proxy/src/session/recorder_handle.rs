//! The session of an exchange that waits for the recorder or the writer. No request needs it any
//! more, so it does not keep the session open.

use std::ops::Deref;
use std::sync::Arc;

use super::session_state::Session;

/// A session, held for an exchange that is complete.
pub struct RecorderHandle(Arc<Session>);

impl RecorderHandle {
    pub(crate) fn new(session: Arc<Session>) -> Self {
        // Counted after the reference that it stands for, and not counted any more before it.
        session.count_recorder_handle();
        Self(session)
    }
}

impl Clone for RecorderHandle {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.0))
    }
}

impl Drop for RecorderHandle {
    fn drop(&mut self) {
        self.0.discount_recorder_handle();
    }
}

impl Deref for RecorderHandle {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.0
    }
}
