//! Derives the keys of recorded exchanges for an index.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tokio::sync::OwnedMutexGuard;

use super::derived_key::DerivedKey;
use super::entry::Entry;
use super::index::Index;

/// Fewer exchanges than this are not worth a second thread.
const MIN_ENTRIES_PER_THREAD: usize = 2_000;

/// The exchanges that an index does not have yet, and the turn to add them.
pub(crate) struct Unindexed {
    /// Their positions begin here.
    from: usize,
    entries: Vec<Arc<Entry>>,
    turn: OwnedMutexGuard<()>,
}

impl Unindexed {
    /// The size in bytes of the requests whose keys are derived.
    pub(crate) fn size(&self) -> usize {
        let sizes = self.entries.iter().map(|entry| entry.request.body.size());
        usize::try_from(sizes.sum::<u64>()).unwrap_or(usize::MAX)
    }
}

impl Index {
    /// True if it has all exchanges of its session.
    pub(crate) fn is_current(&self) -> bool {
        self.state.read().entries.len() == self.session.entries.replayable().len()
    }

    /// The exchanges that it does not have yet. Waits for the keys that are derived already: they
    /// take long for large bodies, so no thread waits for them.
    pub(crate) async fn unindexed(&self) -> Unindexed {
        let turn = Arc::clone(&self.indexing).lock_owned().await;
        let from = self.state.read().entries.len();
        Unindexed {
            from,
            entries: self.session.entries.replayable().all_from(from),
            turn,
        }
    }

    /// Derives the keys of these exchanges and adds them.
    pub(crate) fn add(&self, new: Unindexed) {
        let Unindexed {
            from,
            entries,
            turn,
        } = new;
        self.add_unindexed(from, &entries);
        drop(turn);
    }

    /// The same for exchanges whose positions begin at `from`. The caller has its turn, or nobody
    /// else knows the index.
    pub(super) fn add_unindexed(&self, from: usize, new: &[Arc<Entry>]) {
        let keys = self.derive_all(new);
        let mut state = self.state.write();
        let known = state.entries.len().saturating_sub(from);
        for (entry, derived) in new.iter().zip(keys).skip(known) {
            if !state.add(Arc::clone(entry), derived) {
                let (session, ordinal) = (self.session.name(), entry.ordinal);
                tracing::error!(
                    %session,
                    "exchange {ordinal} is not replayed: the responses of its key name too many \
                     different headers in vary"
                );
            }
        }
    }

    pub(super) fn derive_all(&self, entries: &[Arc<Entry>]) -> Vec<Option<DerivedKey>> {
        if !entries.is_empty() {
            let (session, count) = (self.session.name(), entries.len());
            tracing::debug!(%session, "deriving the keys of {count} recorded exchanges");
        }
        let known = self.session.secrets().minted().added();
        let derived = self.derive_parts(entries);
        // A value that a client made up counts in every request, also before its own place.
        match self.session.secrets().minted().added() == known {
            true => derived,
            false => self.derive_parts(entries),
        }
    }

    fn derive_parts(&self, entries: &[Arc<Entry>]) -> Vec<Option<DerivedKey>> {
        if entries.len() <= MIN_ENTRIES_PER_THREAD {
            return self.derive_part(entries);
        }
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let part_size = entries.len().div_ceil(threads).max(MIN_ENTRIES_PER_THREAD);
        std::thread::scope(|scope| {
            let parts: Vec<_> = entries
                .chunks(part_size)
                .map(|part| scope.spawn(|| self.derive_part(part)))
                .collect();
            let joined = parts.into_iter().zip(entries.chunks(part_size));
            joined
                .flat_map(|(part, entries)| {
                    // The exchanges of a thread that panicked have no keys: they are misses, not
                    // wrong responses.
                    part.join().unwrap_or_else(|_| vec![None; entries.len()])
                })
                .collect()
        })
    }

    fn derive_part(&self, entries: &[Arc<Entry>]) -> Vec<Option<DerivedKey>> {
        entries
            .iter()
            .map(|entry| {
                let size = usize::try_from(entry.request.body.size()).unwrap_or(usize::MAX);
                let _memory = self.session.all_runs.memory.reserve_work(size);
                match self.derive_catching_panics(entry) {
                    Ok(derived) => Some(derived),
                    Err(reason) => {
                        let (session, ordinal) = (self.session.name(), entry.ordinal);
                        tracing::error!(%session, "exchange {ordinal} has no key: {reason}");
                        None
                    }
                }
            })
            .collect()
    }

    /// A panic is the failure of this exchange alone. Its message is in the log; it may have a part
    /// of a secret.
    fn derive_catching_panics(&self, entry: &Arc<Entry>) -> Result<DerivedKey, String> {
        let derived = catch_unwind(AssertUnwindSafe(|| self.derive(entry)));
        derived.unwrap_or_else(|_| Err("the gateway itself failed at it".to_owned()))
    }

    fn derive(&self, entry: &Arc<Entry>) -> Result<DerivedKey, String> {
        let view = self.request_view(entry)?;
        let secrets = self.session.secrets();
        let keyed = self
            .plugins
            .recorded_key(&view, secrets, &entry.response.fields);
        let (keyed, variant) = keyed.map_err(|error| error.to_string())?;
        self.session.count_failed_matcher(&keyed);
        let key = keyed.key;
        secrets.see_minted(key.minted(), true);
        Ok(DerivedKey {
            whole: self.whole_key(entry)?,
            truncated: self.truncated_identity(&entry.request, key.hash())?,
            key,
            variant,
        })
    }
}
