//! What the secrets of a registry are searched by. Those that are forgotten stay in the searcher,
//! which ignores them, until it is built again.

use std::collections::HashSet;
use std::sync::Arc;

use crate::pending_secrets::PendingSecrets;
use crate::searcher_tier::{Dropped, Tier};
use crate::secret::Secret;
use crate::secret_searcher::SecretSearcher;

#[derive(Default)]
pub(super) struct SearchIndex {
    /// Searchable secrets that are not in `searcher` yet.
    pub(super) pending: PendingSecrets,
    searcher: SecretSearcher,
    /// How often `searcher` was replaced.
    changes: u64,
    /// How often it was dropped, so that all secrets were pending again.
    restarts: u64,
    /// What `searcher` holds of forgotten secrets.
    forgotten: Dropped,
}

/// A searcher that was replaced. It is dropped without the lock of the registry, since that takes
/// long.
#[must_use]
pub(super) struct Replaced {
    _searcher: SecretSearcher,
}

impl SearchIndex {
    /// The searcher without the secrets that were forgotten by then, and how often it was replaced.
    pub(super) fn searcher(&self, evictions: u64) -> (SecretSearcher, u64) {
        (
            self.searcher.clone().without_forgotten_by(evictions),
            self.changes,
        )
    }

    #[cfg(test)]
    pub(super) fn forgotten(&self) -> Dropped {
        self.forgotten
    }

    pub(super) fn restarts(&self) -> u64 {
        self.restarts
    }

    /// The bytes that the searcher takes.
    pub(super) fn bytes(&self) -> usize {
        self.searcher.bytes() + self.forgotten.secret_bytes
    }

    /// The bytes that are free once forgotten secrets are dropped.
    pub(super) fn forgotten_bytes(&self) -> usize {
        let per_anchor = self.searcher.bytes() / self.searcher.anchors().max(1);
        self.forgotten.anchors * per_anchor + self.forgotten.secret_bytes
    }

    /// A secret is forgotten.
    pub(super) fn forget(&mut self, secret: &Secret) {
        self.forgotten.add_secret(secret);
    }

    /// These pending secrets are in `built`, which was made of the searcher after so many changes,
    /// without what was dropped. None if there was another one since: then nothing changes.
    pub(super) fn replace(
        &mut self,
        secrets: &[(Arc<Secret>, usize)],
        (built, dropped): (SecretSearcher, Dropped),
        changes: u64,
    ) -> Option<Replaced> {
        if self.changes != changes {
            return None;
        }
        let mut added = HashSet::with_capacity(secrets.len());
        for (secret, anchors) in secrets {
            added.insert(Arc::as_ptr(secret));
            secret.set_anchors(*anchors);
            if secret.is_forgotten() {
                self.forgotten.add_secret(secret);
            }
        }
        self.pending.remove(|it| added.contains(&Arc::as_ptr(it)));
        Some(self.set(built, dropped))
    }

    /// These tiers are merged, without what was dropped. None if one of them was replaced: then
    /// nothing changes.
    pub(super) fn replace_tiers(
        &mut self,
        merged: &[Arc<Tier>],
        (tier, dropped): (Option<Arc<Tier>>, Dropped),
    ) -> Option<Replaced> {
        let built = self.searcher.with_tiers_replaced(merged, tier)?;
        Some(self.set(built, dropped))
    }

    /// The tiers to merge now. If those with forgotten secrets may not wait, they are all.
    pub(super) fn tiers_to_merge(&self, may_wait: bool) -> Vec<Arc<Tier>> {
        let (forgotten, all) = (self.forgotten.anchors, self.searcher.anchors());
        match forgotten > 0 && (!may_wait || 2 * forgotten >= all) {
            true => self.searcher.tiers().to_vec(),
            false => self.searcher.tiers_to_merge(),
        }
    }

    /// Drops the searcher. These secrets are to be in the next one.
    pub(super) fn restart<'a>(
        &mut self,
        secrets: impl Iterator<Item = &'a Arc<Secret>>,
    ) -> Replaced {
        self.restarts += 1;
        self.pending = PendingSecrets::default();
        for secret in secrets {
            secret.set_anchors(0);
            self.pending.push(Arc::clone(secret));
        }
        let dropped = self.forgotten;
        self.set(SecretSearcher::default(), dropped)
    }

    fn set(&mut self, searcher: SecretSearcher, dropped: Dropped) -> Replaced {
        self.changes += 1;
        self.forgotten.subtract(dropped);
        Replaced {
            _searcher: std::mem::replace(&mut self.searcher, searcher),
        }
    }
}
