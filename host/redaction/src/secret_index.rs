//! What the secrets of a session are searched by. It is built once, when a text is searched: of
//! threads that need it at the same time, one builds and the others wait.

use std::sync::Arc;
#[cfg(test)]
use std::sync::atomic::Ordering;
use std::time::Instant;

use parking_lot::{Mutex, RwLockReadGuard};

use crate::forgotten_secrets::ForgottenSecrets;
use crate::pending_secrets::PendingSecrets;
use crate::secret::Secret;
use crate::secret_anchor::{Anchor, anchors};
use crate::secret_registry::Registry;
use crate::secret_searcher::SecretSearcher;
use crate::secrets::Secrets;

/// The state of a registry at one time.
#[derive(Clone, Debug)]
pub struct KnownSecrets {
    searcher: SecretSearcher,
    /// Long secrets that are not in `searcher`.
    pending: PendingSecrets,
    evictions: u64,
}

/// What is searched for in several short texts.
#[derive(Clone, Debug)]
pub struct SecretsSnapshot {
    pub(super) searcher: SecretSearcher,
    pub(super) forgotten: Option<Arc<ForgottenSecrets>>,
}

/// So many secrets are made ready at a time, and can be searched for from then on.
const BATCH: usize = 8192;

impl KnownSecrets {
    /// A searcher for the secrets that a text of this length may contain.
    fn searcher_for(&self, len: usize) -> SecretSearcher {
        let long = self.pending.first_long(len, usize::MAX);
        match long.is_empty() {
            true => self.searcher.clone(),
            false => {
                let anchors = long.iter().flat_map(anchors).collect();
                self.searcher.with_anchors(anchors).0
            }
        }
    }
}

impl Secrets {
    /// A searcher for all secrets that are known so far.
    pub fn searcher(&self) -> SecretSearcher {
        self.searcher_for(usize::MAX)
    }

    /// A searcher for the secrets that a text of this length may contain.
    pub fn searcher_for(&self, len: usize) -> SecretSearcher {
        if let Some(searcher) = self.registry.read().complete_searcher(len) {
            return searcher;
        }
        let built = self.build(len, None);
        debug_assert!(built.is_some(), "only a deadline ends it");
        self.registry.read().searcher()
    }

    /// What is searched for in texts of at most this length.
    pub fn snapshot(&self, len: usize) -> SecretsSnapshot {
        let searcher = self.searcher_for(len);
        let forgotten = self.forgotten();
        SecretsSnapshot {
            searcher,
            forgotten,
        }
    }

    /// The same; `None` if it is not ready until the deadline.
    pub fn snapshot_until(&self, len: usize, deadline: Instant) -> Option<SecretsSnapshot> {
        self.build(len, Some(deadline))?;
        let searcher = self.read_until(Some(deadline))?.searcher();
        // The searcher finds those that are forgotten from here on.
        self.make_fingerprints(Some(deadline))?;
        let forgotten = self.read_until(Some(deadline))?.forgotten.clone();
        Some(SecretsSnapshot {
            searcher,
            forgotten,
        })
    }

    /// The secrets that are known now. They stay known to the guard of an exchange that is written
    /// later.
    pub fn known(&self) -> KnownSecrets {
        let searcher = self.searcher_for(0);
        let registry = self.registry.read();
        KnownSecrets {
            searcher,
            pending: registry.index.pending.clone(),
            evictions: registry.evictions,
        }
    }

    /// The searcher for secrets that were known and are forgotten, for a text of this length;
    /// `None` if nothing is.
    pub(super) fn forgotten_of(&self, known: &KnownSecrets, len: usize) -> Option<SecretSearcher> {
        let is_forgotten = self.registry.read().evictions != known.evictions;
        is_forgotten.then(|| known.searcher_for(len))
    }

    /// Makes the secrets that a text of this length may contain ready to be searched for. `None` if
    /// that takes longer than until the deadline; what is ready by then stays.
    fn build(&self, len: usize, deadline: Option<Instant>) -> Option<()> {
        if self.read_until(deadline)?.index.pending.is_empty_for(len) {
            return Some(());
        }
        let building = &self.building;
        self.build_those(&building.short, deadline, |it| it.first_short(BATCH))?;
        self.build_those(&building.long, deadline, |it| it.first_long(len, BATCH))?;
        if deadline.is_none() {
            self.tidy_up();
        }
        Some(())
    }

    fn build_those(
        &self,
        lock: &Mutex<()>,
        deadline: Option<Instant>,
        needed: impl Fn(&PendingSecrets) -> Vec<Arc<Secret>>,
    ) -> Option<()> {
        let first = || {
            let registry = self.read_until(deadline)?;
            Some((needed(&registry.index.pending), registry.index.restarts()))
        };
        if first()?.0.is_empty() {
            return Some(());
        }
        let _building = match deadline {
            Some(deadline) => lock.try_lock_until(deadline)?,
            None => lock.lock(),
        };
        // Another thread may have built them.
        loop {
            let (batch, restarts) = first()?;
            if batch.is_empty() {
                return Some(());
            }
            let mut encoded = Vec::new();
            for secret in &batch {
                if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                    return None;
                }
                #[cfg(test)]
                self.building.encoded.fetch_add(1, Ordering::Relaxed);
                encoded.push((Arc::clone(secret), anchors(secret)));
            }
            self.add_to_searcher(encoded, restarts);
        }
    }

    /// Adds pending secrets to the searcher. It is sorted without the lock of the registry.
    fn add_to_searcher(&self, encoded: Vec<(Arc<Secret>, Vec<Anchor>)>, restarts: u64) {
        let counts = encoded.iter();
        let counts: Vec<_> = counts
            .map(|(secret, anchors)| (Arc::clone(secret), anchors.len()))
            .collect();
        let encoded: Vec<_> = encoded
            .into_iter()
            .flat_map(|(_, anchors)| anchors)
            .collect();
        // In between, longer ones may be added, tiers merged, or the searcher dropped: then they
        // are pending again.
        loop {
            let (searcher, changes) = {
                let registry = self.registry.read();
                if registry.index.restarts() != restarts {
                    return;
                }
                registry.index.searcher(registry.evictions)
            };
            let built = searcher.with_anchors(encoded.clone());
            let replaced =
                self.change_only(|registry| registry.index.replace(&counts, built, changes));
            if replaced.is_some() {
                return;
            }
        }
    }

    /// The registry. `None` if it is locked until the deadline.
    fn read_until(&self, deadline: Option<Instant>) -> Option<RwLockReadGuard<'_, Registry>> {
        match deadline {
            Some(deadline) => self.registry.try_read_until(deadline),
            None => Some(self.registry.read()),
        }
    }
}
