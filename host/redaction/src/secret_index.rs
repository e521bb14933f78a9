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
        let long = self.pending.long_in(len);
        match long.is_empty() {
            true => self.searcher.clone(),
            false => {
                let anchors = long.iter().flat_map(anchors).collect();
                self.searcher.with_anchors(anchors)
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
        self.registry.read().searcher().clone()
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
        let registry = self.read_until(Some(deadline))?;
        Some(SecretsSnapshot {
            searcher: registry.searcher().clone(),
            forgotten: registry.forgotten.clone(),
        })
    }

    /// The secrets that are known now. They stay known to the guard of an exchange that is written
    /// later.
    pub fn known(&self) -> KnownSecrets {
        let searcher = self.searcher_for(0);
        let registry = self.registry.read();
        KnownSecrets {
            searcher,
            pending: registry.pending().clone(),
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
        if self.read_until(deadline)?.pending().is_empty_for(len) {
            return Some(());
        }
        let building = &self.building;
        self.build_those(&building.short, deadline, |it| it.short().to_vec())?;
        self.build_those(&building.long, deadline, |it| it.long_in(len))
    }

    fn build_those(
        &self,
        lock: &Mutex<()>,
        deadline: Option<Instant>,
        needed: impl Fn(&PendingSecrets) -> Vec<Arc<Secret>>,
    ) -> Option<()> {
        if needed(self.read_until(deadline)?.pending()).is_empty() {
            return Some(());
        }
        let _building = match deadline {
            Some(deadline) => lock.try_lock_until(deadline)?,
            None => lock.lock(),
        };
        // Another thread may have built them.
        let needed = needed(self.read_until(deadline)?.pending());
        for batch in needed.chunks(BATCH) {
            let mut encoded = Vec::new();
            for secret in batch {
                if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                    return None;
                }
                #[cfg(test)]
                self.building.encoded.fetch_add(1, Ordering::Relaxed);
                encoded.extend(anchors(secret));
            }
            self.add_to_searcher(batch, encoded);
        }
        Some(())
    }

    /// Adds pending secrets to the searcher. It is sorted without the lock of the registry.
    fn add_to_searcher(&self, secrets: &[Arc<Secret>], mut encoded: Vec<Anchor>) {
        let is_replaced = |encoded: Vec<Anchor>| {
            let (searcher, changes) = self.registry.read().searcher_state();
            let built = searcher.with_anchors(encoded);
            self.change(|registry| registry.replace_searcher(secrets, built, changes))
        };
        // In between, secrets may be forgotten, or longer ones added.
        while !is_replaced(encoded.clone()) {
            encoded.retain(|anchor| !anchor.secret.is_forgotten());
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
