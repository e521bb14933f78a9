//! Reads the cassettes of sessions in use again when another program has changed them.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use super::state::GatewayState;
use ouli_cassette::Completion;

impl GatewayState {
    /// Reads the cassettes again that another program has changed; returns true if there is one.
    /// The first request of a replacement waits for its index, which is built once.
    pub(super) fn reload_cassettes(&self) -> bool {
        // One at a time, and not while a snapshot is replaced.
        let _loaded = self.loaded.lock();
        let sessions = &self.shared.sessions;
        let snapshot = self.shared.snapshot.load_full();
        let replacements = sessions.read_changed(snapshot.config.strict);
        let is_changed = !replacements.is_empty();
        for replacement in replacements {
            sessions.apply(Arc::clone(&replacement));
            if let Err(error) = snapshot.make_index(sessions, &replacement) {
                tracing::error!("session {}: {error}", replacement.name());
            }
        }
        is_changed
    }

    /// Closes the sessions that nobody uses, and releases the cassettes of forgotten ones.
    pub(super) fn close_idle_sessions(&self) {
        let sessions = &self.shared.sessions;
        sessions.close_idle();
        for name in sessions.take_unordered() {
            let current = sessions.find(&name);
            let current = current.map(|it| Arc::clone(it.start_order()));
            // A failed sync is counted.
            let _ = self.writer.put_in_order(&name, current);
        }
        for name in self.shared.sessions.take_forgotten() {
            // A session that began anew under the name has the cassette.
            if self.shared.sessions.find(&name).is_none() {
                self.writer.release(&name, Completion::new(|_| ()));
            }
        }
    }

    /// The folders of the cassettes in use.
    pub(super) fn cassette_folders(&self) -> Vec<PathBuf> {
        let sessions = &self.shared.sessions;
        let loaded = sessions.all().into_iter().filter(|it| it.is_loaded());
        let paths = loaded.filter_map(|it| sessions.folder().session_path(it.name()).ok());
        let folders: BTreeSet<_> = paths
            .filter_map(|path| path.parent().map(PathBuf::from))
            .collect();
        folders.into_iter().collect()
    }
}
