//! Loads the exchanges of a session from its cassette.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::cassette_memory::{ReadCassette, ReadError};
use super::cassette_state::{CassetteState, LoadReport, LoadState};
use super::entry::Entry;
use super::error::SessionError;
use super::session_state::Session;
use ouli_cassette::{CassetteDir, LoadedCassette, RecordedExchange};
use ouli_matching::miss::{DamagedExchange, Unavailable};
use ouli_message::error_chain::error_chain;
use ouli_message::stream::Stream;
use ouli_message::{Exchange, Fields};

impl Session {
    /// Reads the cassette from `folder` unless that was done before. Blocks on the disk. With
    /// `strict`, edited exchanges are not replayed.
    pub(super) fn load_from(&self, folder: &CassetteDir, strict: bool) -> Result<(), SessionError> {
        let _loading = self.lock_loading();
        if !self.is_loaded() {
            let mut refused = Vec::new();
            let (load, stamp) = match self.read_within_memory(folder) {
                Ok(Some(read)) => {
                    let stamp = read.stamp;
                    refused = refused_entries(&read, strict);
                    let report = self.add_loaded(read, strict);
                    self.note_incomplete(folder);
                    (LoadState::Loaded(report), Some(stamp))
                }
                Ok(None) => (LoadState::Loaded(LoadReport::missing()), None),
                // The next request tries again: memory may be free by then.
                Err(ReadError::Memory(error)) => return Err(error),
                Err(ReadError::Cassette(error)) => {
                    let stamp = folder.stamp(self.name());
                    (LoadState::Failed(error_chain(&error)), stamp)
                }
            };
            self.all_runs.set_stamp(stamp);
            *self.lock_cassette() = CassetteState { load, refused };
        }
        match &self.lock_cassette().load {
            LoadState::Failed(reason) => Err(SessionError::Cassette(reason.clone())),
            LoadState::NotLoaded | LoadState::Loaded(_) => Ok(()),
        }
    }

    /// Keeps and logs that the cassette is not complete, unless this process records it.
    fn note_incomplete(&self, folder: &CassetteDir) {
        if self.all_runs.rotated_by.load(Ordering::Acquire) > 0 {
            return;
        }
        let Some(reason) = folder.incomplete_reason(self.name()) else {
            return;
        };
        if self.all_runs.incomplete.set(reason.clone()).is_ok() {
            tracing::warn!(session = %self.name(), "{reason}");
        }
    }

    /// Why the cassette that was read is not complete; `None` if it is.
    pub(super) fn incomplete(&self) -> Option<&str> {
        self.all_runs.incomplete.get().map(String::as_str)
    }

    /// True once the cassette was read, so that loading it again does nothing.
    pub fn is_loaded(&self) -> bool {
        !matches!(self.lock_cassette().load, LoadState::NotLoaded)
    }

    /// Why the cassette, or exchanges of it, are not replayed; `None` if all are.
    pub(crate) fn withheld(&self) -> Option<String> {
        self.load_report().withheld()
    }

    /// The exchanges of the cassette that are not replayed.
    pub(super) fn unavailable(&self) -> Unavailable {
        self.load_report().unavailable()
    }

    /// The edited exchanges that are not replayed (`strict`).
    pub(super) fn refused(&self) -> Vec<Arc<Entry>> {
        self.lock_cassette().refused.clone()
    }

    /// True if the cassette was looked for and does not exist.
    pub(crate) fn has_no_cassette(&self) -> bool {
        self.load_report().is_missing
    }

    /// The parts of the cassette that cannot be read, a line each.
    pub fn damage(&self) -> Vec<String> {
        self.load_report().damage
    }

    /// The damage of this run and of those before it.
    pub(super) fn damage_of_all_runs(&self) -> Vec<String> {
        let mut damage = self.all_runs.kept_damage();
        let own = self.damage().into_iter();
        let new: Vec<_> = own.filter(|line| !damage.contains(line)).collect();
        damage.extend(new);
        damage
    }

    /// Ordinals of the exchanges that were edited.
    pub fn edited(&self) -> Vec<u64> {
        self.load_report().edited
    }

    fn add_loaded(&self, read: ReadCassette, strict: bool) -> LoadReport {
        let ReadCassette { loaded, memory, .. } = read;
        let report = self.report_on(&loaded, strict);
        // What was recorded in the meantime may be there already.
        let known = self.replayable();
        let known: HashSet<u64> = known.iter().map(|it| it.ordinal).collect();
        let found = loaded.exchanges.into_iter();
        let is_left_out =
            |it: &RecordedExchange| known.contains(&it.ordinal) || (it.edited && strict);
        let found = found.filter(|it| !is_left_out(it));
        let found = found.map(|it| Entry::loaded(it, &memory));
        for entry in self.continue_from_marks(found.collect()) {
            self.add(entry);
        }
        report
    }

    /// What was found in a cassette, which is logged. Reserves its placeholders.
    pub(super) fn report_on(&self, loaded: &LoadedCassette, strict: bool) -> LoadReport {
        for recorded in &loaded.exchanges {
            self.reserve_placeholders(&recorded.exchange);
        }
        let damage = loaded.damage.iter().chain(&loaded.torn_tail);
        let edited = loaded.exchanges.iter().filter(|it| it.edited);
        let damaged = damage.clone().map(|damage| DamagedExchange {
            ordinal: damage.error.exchange,
            line: damage.error.line,
        });
        let report = LoadReport {
            damaged: damaged.collect(),
            damage: damage.map(ToString::to_string).collect(),
            edited: edited.map(|it| it.ordinal).collect(),
            refuses_edited: strict,
            is_missing: false,
        };
        for line in &report.damage {
            tracing::warn!(session = %self.name(), "{line}");
        }
        if loaded.has_crlf {
            tracing::warn!(
                session = %self.name(),
                "the line ends of the cassette were converted to CRLF; recorded bytes are restored \
                 where the digest confirms them; to keep git from converting them, add \
                 `*.jsons -text` to .gitattributes"
            );
        }
        self.log_edited(&report.edited, strict);
        report
    }

    /// Keeps the placeholders of the recording from being assigned to other secrets.
    fn reserve_placeholders(&self, exchange: &Exchange) {
        let secrets = self.secrets();
        let (request, response) = (&exchange.request, &exchange.response);
        secrets.resume_numbering(request.target.as_bytes());
        let fields = [
            &request.fields,
            &request.trailers,
            &response.fields,
            &response.trailers,
        ];
        for (_, value) in fields.into_iter().flat_map(Fields::iter) {
            secrets.resume_numbering(value.as_bytes());
        }
        secrets.resume_numbering(response.reason.as_deref().unwrap_or_default().as_bytes());
        secrets.resume_numbering(request.body.inline());
        secrets.resume_numbering(response.body.inline());
        for message in exchange.stream.iter().flat_map(Stream::messages) {
            secrets.resume_numbering(message.kind.inline_bytes());
        }
    }

    fn log_edited(&self, edited: &[u64], strict: bool) {
        if edited.is_empty() {
            return;
        }
        let session = self.name();
        if strict {
            tracing::warn!(
                %session,
                "exchanges {edited:?} were edited and are not replayed (strict)"
            );
        } else {
            tracing::info!(%session, "exchanges {edited:?} were edited; they are replayed");
        }
    }
}

/// The edited exchanges that are not replayed.
pub(super) fn refused_entries(read: &ReadCassette, strict: bool) -> Vec<Arc<Entry>> {
    let exchanges = read.loaded.exchanges.iter();
    let edited = exchanges.filter(|it| strict && it.edited).cloned();
    edited
        .map(|it| Arc::new(Entry::loaded(it, &read.memory)))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::{TempDir, tempdir};

    use super::*;
    use crate::session::test_exchange::exchange;
    use ouli_cassette::{HEADER, encode};
    use ouli_redaction::Secrets;

    /// A folder whose session `x` has these bytes as its cassette.
    fn folder(cassette: &str) -> (TempDir, CassetteDir) {
        let home = tempdir().unwrap();
        let folder = CassetteDir::open(home.path(), 1 << 20).unwrap();
        fs::write(home.path().join("x.jsons"), cassette).unwrap();
        (home, folder)
    }

    fn cassette() -> String {
        let mut text = HEADER.as_bytes().to_vec();
        for ordinal in 1..=2 {
            encode(&mut text, ordinal, &exchange(), "x.bodies");
        }
        String::from_utf8(text).unwrap()
    }

    fn session() -> Session {
        Session::new("x".into(), Secrets::default(), Arc::default())
    }

    #[test]
    fn a_cassette_is_read_once() {
        let (home, folder) = folder(&cassette());
        let session = session();
        assert!(!session.is_loaded());
        session.load_from(&folder, false).unwrap();
        assert!(session.is_loaded());
        fs::write(home.path().join("x.jsons"), "not a cassette").unwrap();
        session.load_from(&folder, false).unwrap();
        assert_eq!((session.len(), session.damage().len()), (2, 0));
    }

    #[test]
    fn a_missing_cassette_counts_as_loaded() {
        let (home, folder) = folder("");
        fs::remove_file(home.path().join("x.jsons")).unwrap();
        let session = session();
        session.load_from(&folder, false).unwrap();
        assert!(session.is_loaded() && session.is_empty());
    }

    #[test]
    fn a_cassette_that_cannot_be_read_stays_failed() {
        let (home, folder) = folder("not a cassette");
        let session = session();
        let error = session.load_from(&folder, false).unwrap_err();
        fs::write(home.path().join("x.jsons"), cassette()).unwrap();
        assert_eq!(session.load_from(&folder, false), Err(error));
        assert!(session.is_loaded() && session.is_empty());
    }

    #[test]
    fn edited_exchanges_are_reported_and_replayed_unless_strict() {
        let edited = cassette().replacen("\"target\": \"/\"", "\"target\": \"/edited\"", 1);
        let (_home, folder) = folder(&edited);
        for (strict, replayed) in [(false, 2), (true, 1)] {
            let session = session();
            session.load_from(&folder, strict).unwrap();
            assert_eq!((session.edited(), session.len()), (vec![1], replayed));
        }
    }

    #[test]
    fn damaged_parts_are_reported() {
        let damaged = cassette().replacen("\"status\"", "\"state\"", 1);
        let (_home, folder) = folder(&damaged);
        let session = session();
        session.load_from(&folder, false).unwrap();
        assert_eq!((session.damage().len(), session.len()), (1, 1));
    }
}
