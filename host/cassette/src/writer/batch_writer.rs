//! What the writer's thread does: stage exchanges, append them as groups, and wait for the disk.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::appender::{Appender, LockedFile};
use super::open_cassette::OpenCassette;
use super::queue::{
    Ack, CheckRejection, OnUnsynced, SyncPolicy, WriteCheck, WriteError, WriteRequest,
    WriterOptions,
};
use crate::format::digest::body_digest;
use crate::format::encode::encode;
use crate::store::error::CassetteError;
use crate::store::folder::CassetteDir;
use crate::store::session_name::SessionName;
use ouli_message::{Content, Exchange};

/// The cassettes that are open, and what is staged for them.
pub(super) struct BatchWriter {
    folder: CassetteDir,
    options: WriterOptions,
    open_cassettes: HashMap<SessionName, OpenCassette>,
    use_counter: u64,
    sync_due: Option<Instant>,
    unreported_error: Option<WriteError>,
    on_unsynced: OnUnsynced,
    /// Cassettes that are kept from others and not written yet.
    claims: HashMap<SessionName, LockedFile>,
    /// Cassettes that could not be opened or were given up, and until when they are left alone:
    /// opening one reads all of it, which is not to be done for every exchange.
    backoff: HashMap<SessionName, (Instant, WriteError)>,
}

/// How long a cassette that failed is left alone.
const RETRY_BACKOFF: Duration = Duration::from_millis(500);

impl BatchWriter {
    pub(super) fn new(folder: CassetteDir, options: WriterOptions, unsynced: OnUnsynced) -> Self {
        Self {
            folder,
            options,
            open_cassettes: HashMap::new(),
            use_counter: 0,
            sync_due: None,
            unreported_error: None,
            on_unsynced: unsynced,
            claims: HashMap::new(),
            backoff: HashMap::new(),
        }
    }

    /// How long the thread may wait for work; none for as long as it likes.
    pub(super) fn time_until_sync(&self) -> Option<Duration> {
        let due = self.sync_due?;
        Some(due.saturating_duration_since(Instant::now()))
    }

    /// Stages an exchange, or tells why not.
    pub(super) fn add(&mut self, item: WriteRequest) {
        let WriteRequest {
            session,
            exchange,
            check,
            completion: done,
        } = item;
        match self.stage(&session, exchange, &*check) {
            Ok((name, ack)) => {
                if let Some(slot) = self.open_cassettes.get_mut(&name) {
                    slot.completions.push((done, ack));
                }
            }
            Err(error) => done.complete(Err(error)),
        }
    }

    /// Appends what is staged and tells of it; syncs where that is due.
    pub(super) fn commit(&mut self) {
        let each = self.options.sync == SyncPolicy::EveryExchange;
        let (folder, resting) = (&self.folder, &mut self.backoff);
        self.open_cassettes
            .retain(|name, slot| match slot.commit(folder, each) {
                Ok(()) => true,
                Err(error) => {
                    // What was written before is no longer confirmed by this file either.
                    if let Err(unconfirmed) = slot.sync(folder) {
                        report_unsynced(
                            &self.on_unsynced,
                            &mut self.unreported_error,
                            name,
                            unconfirmed,
                        );
                    }
                    resting.insert(name.clone(), (Instant::now() + RETRY_BACKOFF, error));
                    false
                }
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

    /// Keeps a session's cassette from other gateways, where it has one.
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

    /// Starts a cassette anew and keeps it open.
    pub(super) fn rotate(&mut self, session: &str) -> Result<(), WriteError> {
        self.release(session)?;
        let name = SessionName::parse(session).map_err(CassetteError::from)?;
        self.acquire(name, Appender::rotate)
    }

    /// Writes, syncs and closes a cassette.
    pub(super) fn release(&mut self, session: &str) -> Result<(), WriteError> {
        let name = SessionName::parse(session).map_err(CassetteError::from)?;
        self.commit();
        self.claims.remove(&name);
        match self.open_cassettes.remove(&name) {
            Some(slot) => self.close(&name, slot),
            None => Ok(()),
        }
    }

    /// Writes and syncs everything; tells the first error that nobody was told of.
    pub(super) fn flush(&mut self) -> Result<(), WriteError> {
        self.commit();
        self.sync();
        self.unreported_error.take().map_or(Ok(()), Err)
    }

    /// A cassette that the disk did not confirm is closed: opened anew, it is read, so that nothing
    /// is appended to what is not there.
    fn sync(&mut self) {
        self.sync_due = None;
        let folder = &self.folder;
        self.open_cassettes
            .retain(|name, slot| match slot.sync(folder) {
                Ok(()) => true,
                Err(unconfirmed) => {
                    report_unsynced(
                        &self.on_unsynced,
                        &mut self.unreported_error,
                        name,
                        unconfirmed,
                    );
                    false
                }
            });
    }

    fn stage(
        &mut self,
        session: &str,
        mut exchange: Exchange,
        check: &dyn WriteCheck,
    ) -> Result<(SessionName, Ack), WriteError> {
        let name = SessionName::parse(session).map_err(CassetteError::from)?;
        self.ensure_open(&name)?;
        self.check_stored(session, &exchange)?;
        let large = self.take_large(&mut exchange);
        let Some(slot) = self.open_cassettes.get_mut(&name) else {
            return Err(WriteError::Closed);
        };
        let ordinal = slot.appender.next_ordinal() + slot.completions.len() as u64;
        let start = slot.staged.len();
        encode(&mut slot.staged, ordinal, &exchange, &name.bodies_dir());
        let bytes = (slot.staged.len() - start) as u64;
        let sync = self.options.sync == SyncPolicy::EveryExchange;
        let outcome = check_all(check, &slot.staged[start..], &large)
            .and_then(|()| slot.store(&self.folder, &name, &large, sync));
        match outcome {
            Ok(stored) => {
                let bytes = bytes + stored;
                Ok((name, Ack { ordinal, bytes }))
            }
            Err(error) => {
                slot.staged.truncate(start);
                Err(error)
            }
        }
    }

    /// An exchange may name bodies that are stored already, and only such.
    fn check_stored(&self, session: &str, exchange: &Exchange) -> Result<(), WriteError> {
        for body in exchange.contents() {
            if let Content::Stored { digest, size } = body {
                let found = self.folder.open_body(session, digest);
                let whole = found.and_then(|(_, found)| match found == *size {
                    true => Ok(()),
                    false => Err(ErrorKind::InvalidData.into()),
                });
                whole.map_err(CassetteError::io("find the stored body", digest.as_ref()))?;
            }
        }
        Ok(())
    }

    /// Puts the names of bodies and messages over the limit in their place.
    fn take_large(&self, exchange: &mut Exchange) -> Vec<(String, Bytes)> {
        let mut large = Vec::new();
        for body in exchange.contents_mut() {
            if let Content::Inline(bytes) = body
                && bytes.len() as u64 > self.options.inline_limit
            {
                let (digest, size) = (body_digest(bytes), bytes.len() as u64);
                large.push((digest.clone(), mem::take(bytes)));
                *body = Content::Stored { digest, size };
            }
        }
        large
    }

    /// Makes sure that a cassette is open; closes the one that was used least lately where there
    /// are too many.
    fn ensure_open(&mut self, name: &SessionName) -> Result<(), WriteError> {
        self.use_counter += 1;
        if let Some(slot) = self.open_cassettes.get_mut(name) {
            slot.last_used = self.use_counter;
            return Ok(());
        }
        self.acquire(name.clone(), Appender::open)
    }

    fn acquire(
        &mut self,
        name: SessionName,
        open: impl FnOnce(&CassetteDir, &SessionName) -> Result<Appender, CassetteError>,
    ) -> Result<(), WriteError> {
        let now = Instant::now();
        self.backoff.retain(|_, (until, _)| *until > now);
        if let Some((_, error)) = self.backoff.get(&name) {
            return Err(error.clone());
        }
        self.claims.remove(&name);
        match open(&self.folder, &name) {
            Ok(appender) => {
                self.insert(name, appender);
                Ok(())
            }
            Err(error) => {
                let error = WriteError::from(error);
                // Above the bound the others are only tried more often.
                if self.backoff.len() < self.options.max_open.get() {
                    self.backoff
                        .insert(name, (now + RETRY_BACKOFF, error.clone()));
                }
                Err(error)
            }
        }
    }

    fn insert(&mut self, name: SessionName, appender: Appender) {
        if self.open_cassettes.len() >= self.options.max_open.get() {
            self.commit();
            self.close_one();
        }
        self.use_counter += 1;
        let slot = OpenCassette::new(appender, self.folder.cassette_path(&name), self.use_counter);
        self.open_cassettes.insert(name, slot);
    }

    fn close_one(&mut self) {
        let oldest = self
            .open_cassettes
            .iter()
            .min_by_key(|(_, slot)| slot.last_used);
        let Some(name) = oldest.map(|(name, _)| name.clone()) else {
            return;
        };
        if let Some(slot) = self.open_cassettes.remove(&name) {
            // It was told.
            let _ = self.close(&name, slot);
        }
    }

    fn close(&mut self, name: &SessionName, mut slot: OpenCassette) -> Result<(), WriteError> {
        slot.sync(&self.folder).map_err(|unconfirmed| {
            let error = unconfirmed.1.clone();
            report_unsynced(
                &self.on_unsynced,
                &mut self.unreported_error,
                name,
                unconfirmed,
            );
            error
        })
    }
}

/// Tells of exchanges that count as written and were not confirmed by the disk.
fn report_unsynced(
    unsynced: &OnUnsynced,
    fault: &mut Option<WriteError>,
    name: &SessionName,
    (count, error): (u64, WriteError),
) {
    unsynced(name.as_str(), count, &error);
    fault.get_or_insert(error);
}

fn check_all(
    check: &dyn WriteCheck,
    text: &[u8],
    large: &[(String, Bytes)],
) -> Result<(), WriteError> {
    let all = || {
        check.check(text)?;
        large.iter().try_for_each(|(_, bytes)| check.check(bytes))
    };
    // A check that panics has not agreed.
    catch_unwind(AssertUnwindSafe(all))
        .unwrap_or_else(|_| {
            Err(CheckRejection {
                rule: "check".to_owned(),
                reason: "the check panicked".to_owned(),
            })
        })
        .map_err(WriteError::Refused)
}
