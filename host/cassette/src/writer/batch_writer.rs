//! The open cassettes of the writer: stages exchanges, commits them in batches, and syncs.

use std::collections::{BTreeSet, HashMap};
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::appender::Appender;
use super::check::WriteCheck;
use super::error::WriteError;
use super::large_bodies::{put_back, take_large};
use super::locked_file::LockedFile;
use super::open_cassette::OpenCassette;
use super::options::{SyncPolicy, WriterOptions};
use super::recording_runs::RecordingRuns;
use super::request::{Ack, OnUnsynced, WriteRequest};
use super::start_order::{Numbering, RequestStart};
use crate::store::{CassetteDir, CassetteError, SessionName};
use ouli_message::{Content, Exchange};

/// How long a cassette is not reopened after an error.
const RETRY_BACKOFF: Duration = Duration::from_millis(500);

/// The open cassettes, and the exchanges that are staged for them.
pub(super) struct BatchWriter {
    pub(super) folder: CassetteDir,
    options: WriterOptions,
    pub(super) open_cassettes: HashMap<SessionName, OpenCassette>,
    use_counter: u64,
    sync_due: Option<Instant>,
    pub(super) unsynced: UnsyncedReporter,
    /// Cassettes that were closed for others, and the number of their acknowledged exchanges.
    pub(super) closed: HashMap<SessionName, u64>,
    /// What the numbers of these can be compared with.
    pub(super) numberings: HashMap<SessionName, Numbering>,
    /// Cassettes that are not in the order in which their requests began.
    pub(super) unordered: Unordered,
    /// Cassettes with secrets that were found after they had been written, and what masks them.
    pub(super) told: HashMap<SessionName, Arc<dyn WriteCheck>>,
    /// Locked cassettes that were not written yet.
    pub(super) claims: HashMap<SessionName, LockedFile>,
    pub(super) runs: RecordingRuns,
    /// Cassettes that could not be opened or written, until when they are not reopened, and why.
    /// Opening a cassette reads all of it, which is too slow to repeat for every exchange.
    backoff: HashMap<SessionName, (Instant, WriteError)>,
}

/// Cassettes that are not in the order in which their requests began. Those that are left when the
/// writer is closed can be sorted then.
pub(super) type Unordered = Arc<Mutex<BTreeSet<SessionName>>>;

/// Reports acknowledged exchanges that were not synced to the disk.
pub(super) struct UnsyncedReporter {
    on_unsynced: OnUnsynced,
    /// The first error since the last flush.
    first_error: Option<WriteError>,
}

impl UnsyncedReporter {
    /// Reports exchanges that another program has removed, or a cassette that was written anew.
    pub(super) fn report_removed(&self, name: &SessionName, count: u64, error: &WriteError) {
        (self.on_unsynced)(name.as_str(), count, error);
    }

    pub(super) fn report(&mut self, name: &SessionName, (count, error): (u64, WriteError)) {
        (self.on_unsynced)(name.as_str(), count, &error);
        self.first_error.get_or_insert(error);
    }
}

impl BatchWriter {
    pub(super) fn new(
        folder: CassetteDir,
        options: WriterOptions,
        on_unsynced: OnUnsynced,
        unordered: Unordered,
    ) -> Self {
        Self {
            folder,
            options,
            open_cassettes: HashMap::new(),
            use_counter: 0,
            sync_due: None,
            unsynced: UnsyncedReporter {
                on_unsynced,
                first_error: None,
            },
            closed: HashMap::new(),
            numberings: HashMap::new(),
            unordered,
            told: HashMap::new(),
            claims: HashMap::new(),
            runs: RecordingRuns::default(),
            backoff: HashMap::new(),
        }
    }

    /// The time until a sync is due, if one is.
    pub(super) fn time_until_sync(&self) -> Option<Duration> {
        let due = self.sync_due?;
        Some(due.saturating_duration_since(Instant::now()))
    }

    /// Stages an exchange, or calls its completion with the error.
    pub(super) fn add(&mut self, request: WriteRequest) {
        let WriteRequest {
            session,
            is_recording,
            exchange,
            start,
            check,
            is_told,
            completion,
        } = request;
        let staged = self.stage(
            (&session, is_recording),
            (exchange, start.as_deref()),
            &*check,
        );
        match staged {
            Ok((cassette, ack)) => {
                cassette.acknowledge_on_commit(completion, ack);
                if let (true, Ok(name)) = (is_told, SessionName::parse(&session)) {
                    self.told.insert(name, check);
                }
            }
            Err(error) => {
                if let Ok(name) = SessionName::parse(&session) {
                    self.runs.fail(&name);
                }
                completion.complete(Err(error));
            }
        }
    }

    /// Appends the staged exchanges and calls their completions. Syncs if that is due.
    pub(super) fn commit(&mut self) {
        self.restore_removed(OpenCassette::has_staged);
        let sync_each = self.sync_each();
        let folder = &self.folder;
        self.open_cassettes.retain(|name, cassette| {
            let committed = cassette.commit(folder, sync_each);
            if cassette.take_unordered() {
                self.unordered.lock().insert(name.clone());
            }
            if cassette.has_lost() {
                self.runs.fail(name);
            }
            let Err(error) = committed else {
                return true;
            };
            // Exchanges that were written before cannot be confirmed by this file either.
            if let Err(unsynced) = cassette.sync(folder) {
                self.unsynced.report(name, unsynced);
            }
            let retry_at = Instant::now() + RETRY_BACKOFF;
            self.backoff.insert(name.clone(), (retry_at, error));
            false
        });
        if let SyncPolicy::Interval(interval) = self.options.sync
            && self.sync_due.is_none()
            && self.open_cassettes.values().any(OpenCassette::is_dirty)
        {
            self.sync_due = Instant::now().checked_add(interval);
        }
        if self.sync_due.is_some_and(|due| due <= Instant::now()) {
            self.sync();
        }
    }

    /// Locks a session's cassette against other gateways, if it exists.
    pub(super) fn claim(&mut self, session: &str) -> Result<(), WriteError> {
        let name = SessionName::parse(session).map_err(CassetteError::from)?;
        if self.open_cassettes.contains_key(&name) || self.claims.contains_key(&name) {
            return Ok(());
        }
        if let Some(locked) = LockedFile::lock_existing(&self.folder, &name)? {
            self.claims.insert(name, locked);
        }
        Ok(())
    }

    /// Starts a new cassette and keeps it open.
    pub(super) fn rotate(&mut self, session: &str) -> Result<(), WriteError> {
        self.release(session)?;
        let name = SessionName::parse(session).map_err(CassetteError::from)?;
        self.open(name.clone(), Appender::rotate)?;
        self.runs.begin(name);
        Ok(())
    }

    /// Commits and syncs everything, and marks the new cassettes as complete. Returns the error of
    /// [`Self::flush`].
    pub(super) fn finish(&mut self) -> Result<(), WriteError> {
        let outcome = self.flush();
        self.report_all_removed();
        self.mask_all();
        self.runs.end_all(&self.folder);
        outcome
    }

    /// Commits and syncs everything. Returns the first error since the last flush that no
    /// completion was called with.
    pub(super) fn flush(&mut self) -> Result<(), WriteError> {
        self.commit();
        self.restore_acknowledged();
        self.count_changed();
        self.sync();
        self.unsynced.first_error.take().map_or(Ok(()), Err)
    }

    /// Refuses the staged exchanges after a panic, and closes all cassettes. They are read again
    /// when they are used next.
    pub(super) fn recover(&mut self) {
        self.sync_due = None;
        let names: Vec<_> = self.open_cassettes.keys().cloned().collect();
        for name in names {
            self.runs.fail(&name);
            if let Some(mut cassette) = self.open_cassettes.remove(&name) {
                cassette.refuse_staged(&self.folder, &WriteError::Failed);
                self.closed.insert(name.clone(), cassette.acknowledged());
                // The error was reported.
                let _ = self.close(&name, cassette);
            }
        }
    }

    fn sync_each(&self) -> bool {
        self.options.sync == SyncPolicy::EveryExchange
    }

    /// Syncs all open cassettes. A cassette that cannot be synced is closed: it is read again when
    /// it is reopened, so that no exchange is appended to bytes that are not on the disk.
    fn sync(&mut self) {
        self.sync_due = None;
        let folder = &self.folder;
        self.open_cassettes
            .retain(|name, cassette| match cassette.sync(folder) {
                Ok(()) => true,
                Err(unsynced) => {
                    self.runs.fail(name);
                    self.unsynced.report(name, unsynced);
                    false
                }
            });
    }

    fn stage(
        &mut self,
        (session, is_recording): (&str, bool),
        (mut exchange, start): (Exchange, Option<&RequestStart>),
        check: &dyn WriteCheck,
    ) -> Result<(&mut OpenCassette, Ack), WriteError> {
        let name = SessionName::parse(session).map_err(CassetteError::from)?;
        if is_recording {
            self.resume_run(&name)?;
        }
        self.ensure_open(&name)?;
        self.check_stored(session, &exchange)?;
        let (sync, limit) = (self.sync_each(), self.options.inline_limit);
        let mut large = take_large(&mut exchange, limit);
        let Some(cassette) = self.open_cassettes.get_mut(&name) else {
            return Err(WriteError::Closed);
        };
        let place = (&self.folder, &name);
        let mut staged = cassette.stage(place, (&exchange, start), &large, check, sync);
        if let Err(WriteError::Refused(_)) = staged {
            // A secret of it may have become known after it was redacted.
            put_back(&mut exchange, large);
            if let Some(mut masked) = check.mask(&exchange).filter(|it| *it != exchange) {
                large = take_large(&mut masked, limit);
                staged = cassette.stage(place, (&masked, start), &large, check, sync);
            }
        }
        Ok((cassette, staged?))
    }

    /// Checks that the stored bodies of an exchange exist.
    fn check_stored(&self, session: &str, exchange: &Exchange) -> Result<(), WriteError> {
        for body in exchange.contents() {
            if let Content::Stored { digest, size } = body {
                self.folder
                    .open_body(session, digest)
                    .and_then(|(_, actual)| match actual == *size {
                        true => Ok(()),
                        false => Err(ErrorKind::InvalidData.into()),
                    })
                    .map_err(CassetteError::io("find the stored body", digest.as_ref()))?;
            }
        }
        Ok(())
    }

    /// Opens a cassette unless it is open, and closes the least recently used one if there are too
    /// many.
    fn ensure_open(&mut self, name: &SessionName) -> Result<(), WriteError> {
        self.use_counter += 1;
        if let Some(cassette) = self.open_cassettes.get_mut(name) {
            if !cassette.must_be_read_again() {
                cassette.last_used = self.use_counter;
                return Ok(());
            }
            let kept = self.count_lost(name);
            if let Some(cassette) = self.open_cassettes.remove(name) {
                self.closed.insert(name.clone(), kept);
                // The error was reported.
                let _ = self.close(name, cassette);
            }
        }
        let open = match self.runs.contains(name) {
            true => Appender::open_to_record,
            false => Appender::open,
        };
        self.open(name.clone(), open)
    }

    fn open(
        &mut self,
        name: SessionName,
        open: impl FnOnce(&CassetteDir, &SessionName) -> Result<Appender, CassetteError>,
    ) -> Result<(), WriteError> {
        let now = Instant::now();
        self.backoff.retain(|_, (retry_at, _)| *retry_at > now);
        if let Some((_, error)) = self.backoff.get(&name) {
            return Err(error.clone());
        }
        self.claims.remove(&name);
        self.report_if_removed(&name);
        match open(&self.folder, &name) {
            Ok(appender) => {
                self.insert(name, appender);
                Ok(())
            }
            Err(error) => {
                let error = WriteError::from(error);
                // The map is bounded. Cassettes beyond the bound are only retried more often.
                if self.backoff.len() < self.options.max_open.get() {
                    let retry_at = now + RETRY_BACKOFF;
                    self.backoff.insert(name, (retry_at, error.clone()));
                }
                Err(error)
            }
        }
    }

    fn insert(&mut self, name: SessionName, appender: Appender) {
        if self.open_cassettes.len() >= self.options.max_open.get() {
            self.commit();
            self.close_least_recently_used();
        }
        self.use_counter += 1;
        let path = self.folder.cassette_path(&name);
        let mut cassette = OpenCassette::new(appender, path, self.use_counter);
        cassette.set_acknowledged(self.closed.remove(&name).unwrap_or_default());
        if let Some(numbering) = self.numberings.remove(&name) {
            cassette.numbering = numbering;
        }
        self.open_cassettes.insert(name, cassette);
    }

    fn close_least_recently_used(&mut self) {
        let oldest = self
            .open_cassettes
            .iter()
            .min_by_key(|(_, cassette)| cassette.last_used);
        let Some(name) = oldest.map(|(name, _)| name.clone()) else {
            return;
        };
        if let Some(cassette) = self.open_cassettes.remove(&name) {
            if cassette.acknowledged() > 0 {
                self.closed.insert(name.clone(), cassette.acknowledged());
                self.numberings.insert(name.clone(), cassette.numbering);
            }
            // The error was reported.
            let _ = self.close(&name, cassette);
        }
    }

    pub(super) fn close(
        &mut self,
        name: &SessionName,
        mut cassette: OpenCassette,
    ) -> Result<(), WriteError> {
        cassette.sync(&self.folder).map_err(|unsynced| {
            let error = unsynced.1.clone();
            self.runs.fail(name);
            self.unsynced.report(name, unsynced);
            error
        })
    }
}
