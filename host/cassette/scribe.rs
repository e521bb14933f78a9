//! What the writer's thread does: stage exchanges, append them as groups, and wait for the disk.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::append::Appender;
use super::slot::Slot;
use super::{
    Ack, CassetteError, Check, Folder, Item, Options, Refusal, SessionName, SyncWhen, WriteError,
    body_digest, encode,
};
use crate::exchange::{Content, Exchange};

/// The cassettes that are open, and what is staged for them.
pub(super) struct Scribe {
    folder: Folder,
    options: Options,
    open: HashMap<SessionName, Slot>,
    uses: u64,
    due: Option<Instant>,
    fault: Option<WriteError>,
}

impl Scribe {
    pub(super) fn new(folder: Folder, options: Options) -> Self {
        Self {
            folder,
            options,
            open: HashMap::new(),
            uses: 0,
            due: None,
            fault: None,
        }
    }

    /// How long the thread may wait for work; none for as long as it likes.
    pub(super) fn patience(&self) -> Option<Duration> {
        let due = self.due?;
        Some(due.saturating_duration_since(Instant::now()))
    }

    /// Stages an exchange, or tells why not.
    pub(super) fn add(&mut self, item: Item) {
        let Item {
            session,
            exchange,
            check,
            done,
        } = item;
        match self.stage(&session, exchange, &*check) {
            Ok((name, ack)) => {
                if let Some(slot) = self.open.get_mut(&name) {
                    slot.waiting.push((done, ack));
                }
            }
            Err(error) => done.tell(Err(error)),
        }
    }

    /// Appends what is staged and tells of it; syncs where that is due.
    pub(super) fn commit(&mut self) {
        let each = self.options.sync == SyncWhen::Each;
        self.open.retain(|_, slot| slot.commit(each));
        if let SyncWhen::Interval(interval) = self.options.sync
            && self.due.is_none()
            && self.open.values().any(|slot| slot.dirty)
        {
            self.due = Instant::now().checked_add(interval);
        }
        if self.due.is_some_and(|due| due <= Instant::now()) {
            self.sync();
        }
    }

    /// Starts a cassette anew and keeps it open.
    pub(super) fn anew(&mut self, session: &str) -> Result<(), WriteError> {
        self.release(session)?;
        let name = SessionName::parse(session).map_err(CassetteError::from)?;
        let appender = Appender::anew(&self.folder, &name)?;
        self.insert(name, appender);
        Ok(())
    }

    /// Writes, syncs and closes a cassette.
    pub(super) fn release(&mut self, session: &str) -> Result<(), WriteError> {
        let name = SessionName::parse(session).map_err(CassetteError::from)?;
        self.commit();
        match self.open.remove(&name) {
            Some(mut slot) => slot.sync(),
            None => Ok(()),
        }
    }

    /// Writes and syncs everything; tells the first error that nobody was told of.
    pub(super) fn flush(&mut self) -> Result<(), WriteError> {
        self.commit();
        self.sync();
        self.fault.take().map_or(Ok(()), Err)
    }

    fn sync(&mut self) {
        self.due = None;
        for slot in self.open.values_mut() {
            if let Err(error) = slot.sync() {
                self.fault.get_or_insert(error);
            }
        }
    }

    fn stage(
        &mut self,
        session: &str,
        mut exchange: Exchange,
        check: &dyn Check,
    ) -> Result<(SessionName, Ack), WriteError> {
        let name = SessionName::parse(session).map_err(CassetteError::from)?;
        self.open(&name)?;
        self.check_stored(session, &exchange)?;
        let large = self.take_large(&mut exchange);
        let Some(slot) = self.open.get_mut(&name) else {
            return Err(WriteError::Closed);
        };
        let ordinal = slot.appender.next_ordinal() + slot.waiting.len() as u64;
        let start = slot.staged.len();
        encode(&mut slot.staged, ordinal, &exchange, &name.bodies());
        let bytes = (slot.staged.len() - start) as u64;
        let sync = self.options.sync == SyncWhen::Each;
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
                && bytes.len() as u64 > self.options.inline
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
    fn open(&mut self, name: &SessionName) -> Result<(), WriteError> {
        self.uses += 1;
        if let Some(slot) = self.open.get_mut(name) {
            slot.used = self.uses;
            return Ok(());
        }
        let appender = Appender::open(&self.folder, name)?;
        self.insert(name.clone(), appender);
        Ok(())
    }

    fn insert(&mut self, name: SessionName, appender: Appender) {
        if self.open.len() >= self.options.open.get() {
            self.commit();
            self.close_one();
        }
        self.uses += 1;
        let slot = Slot::new(appender, self.folder.path_of(&name), self.uses);
        self.open.insert(name, slot);
    }

    fn close_one(&mut self) {
        let oldest = self.open.iter().min_by_key(|(_, slot)| slot.used);
        let Some(name) = oldest.map(|(name, _)| name.clone()) else {
            return;
        };
        if let Some(Err(error)) = self.open.remove(&name).map(|mut slot| slot.sync()) {
            self.fault.get_or_insert(error);
        }
    }
}

fn check_all(check: &dyn Check, text: &[u8], large: &[(String, Bytes)]) -> Result<(), WriteError> {
    let all = || {
        check.check(text)?;
        large.iter().try_for_each(|(_, bytes)| check.check(bytes))
    };
    // A check that panics has not agreed.
    catch_unwind(AssertUnwindSafe(all))
        .unwrap_or_else(|_| {
            Err(Refusal {
                rule: "check".to_owned(),
                reason: "the check panicked".to_owned(),
            })
        })
        .map_err(WriteError::Refused)
}
