//! Work for a registry that takes long, and is done while nobody waits for the registry: tiers of
//! its searcher are merged, and fingerprints of forgotten secrets made.

use std::sync::Arc;
use std::time::Instant;

use crate::forgotten_secrets::ForgottenSecrets;
use crate::searcher_tier::Tier;
use crate::secret_bounds::SecretBounds;
use crate::secret_memory::{SecretMemory, SharedRegistry};
use crate::secret_registry::Registry;
use crate::secrets::Secrets;

/// A new secret does this work once there are so many forgotten secrets without fingerprints.
const MAX_UNPRINTED: usize = 64;

impl Secrets {
    /// Changes the registry, and does what is due then.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut Registry) -> T) -> T {
        let result = self.change_only(change);
        self.tidy_up();
        result
    }

    /// Changes the registry. What is due then is left to the caller.
    pub(super) fn change_only<T>(&self, change: impl FnOnce(&mut Registry) -> T) -> T {
        let mut registry = self.registry.write();
        let result = change(&mut registry);
        self.memory.count(&mut registry);
        result
    }

    /// Makes room in the memory of all sessions if they grow beyond it, and does work that is due
    /// for the registry. The caller holds no lock.
    pub(super) fn tidy_up(&self) {
        self.memory.make_room();
        let (is_merging_due, unprinted) = {
            let registry = self.registry.read();
            let tiers = registry.index.tiers_to_merge(true);
            (!tiers.is_empty(), registry.unprinted.len())
        };
        if unprinted >= MAX_UNPRINTED {
            // If another thread makes them, nobody waits for it.
            let _ = self.make_fingerprints(Some(Instant::now()));
        }
        if is_merging_due {
            self.memory.merge_tiers(&self.registry, true);
        }
    }

    /// Makes the fingerprints of the secrets that were forgotten.
    pub(super) fn make_fingerprints(&self, deadline: Option<Instant>) -> Option<()> {
        let (registry, bounds) = (&self.registry, self.bounds);
        self.memory.make_fingerprints(registry, bounds, deadline)
    }
}

impl SecretMemory {
    /// Merges the tiers of a searcher that are due; all that hold forgotten secrets unless that
    /// `may_wait`. Does nothing if another thread does it.
    pub(super) fn merge_tiers(&self, registry: &SharedRegistry, mut may_wait: bool) {
        let locks = Arc::clone(&registry.read().locks);
        let Some(_merging) = locks.merging.try_lock() else {
            return;
        };
        loop {
            let (tiers, evictions) = {
                let registry = registry.read();
                (registry.index.tiers_to_merge(may_wait), registry.evictions)
            };
            if tiers.is_empty() {
                return;
            }
            let merged = Tier::merge(&tiers, evictions);
            let mut written = registry.write();
            let replaced = written.index.replace_tiers(&tiers, merged);
            self.count(&mut written);
            drop(written);
            may_wait |= replaced.is_some();
        }
    }

    /// Makes the fingerprints of the secrets that were forgotten. `None` if that takes longer than
    /// until the deadline.
    pub(super) fn make_fingerprints(
        &self,
        registry: &SharedRegistry,
        bounds: SecretBounds,
        deadline: Option<Instant>,
    ) -> Option<()> {
        let locks = {
            let registry = registry.read();
            if registry.unprinted.is_empty() {
                return Some(());
            }
            Arc::clone(&registry.locks)
        };
        let _fingerprinting = match deadline {
            Some(deadline) => locks.fingerprinting.try_lock_until(deadline)?,
            None => locks.fingerprinting.lock(),
        };
        loop {
            let (secrets, before) = {
                let registry = registry.read();
                let first = registry.unprinted.iter().take(MAX_UNPRINTED);
                let first: Vec<_> = first.cloned().collect();
                (first, registry.forgotten.clone())
            };
            if secrets.is_empty() {
                return Some(());
            }
            let forgotten = before.as_deref().cloned();
            let mut forgotten =
                forgotten.unwrap_or_else(|| ForgottenSecrets::new(bounds.fingerprint_bytes));
            let lost = forgotten.add(secrets.iter().map(Arc::as_ref));
            let mut written = registry.write();
            // The session may have ended, or the fingerprints may be dropped.
            if !Arc::ptr_eq(&written.locks, &locks) {
                return Some(());
            }
            let is_changed =
                written.forgotten.as_ref().map(Arc::as_ptr) != before.as_ref().map(Arc::as_ptr);
            if !is_changed {
                written.unprinted.drain(..secrets.len());
                written.forgotten = Some(Arc::new(forgotten));
                written.uncounted += lost;
                self.count(&mut written);
            }
        }
    }
}
