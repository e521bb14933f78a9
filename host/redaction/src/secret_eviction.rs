//! How a registry forgets secrets: some with each new one, so that no step takes long.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::common_values::is_searchable;
use crate::forgetting_order::Order;
use crate::search_index::Replaced;
use crate::secret::Secret;
use crate::secret_bounds::SecretBounds;
use crate::secret_registry::{Registry, identity};

/// The share of the limits that is freed once they are reached.
const FREED_SHARE: usize = 8;

/// So many secrets are forgotten with a new one, unless it needs more room.
pub(super) const MAX_FORGOTTEN: usize = 32;

/// So many secrets that were seen again are looked at with a new one.
const MAX_STEPS: usize = 4096;

/// So many secrets are forgotten while the registry is locked once.
const MAX_LOCKED: usize = 256;

impl Registry {
    /// True if there is room for so many bytes, after secrets were forgotten: those that were never
    /// recorded first, and the least recently seen first.
    pub(super) fn has_room_for(&mut self, bytes: usize, bounds: SecretBounds) -> bool {
        if bounds.count == 0 || bytes > bounds.bytes {
            return false;
        }
        let max_count = bounds.count - bounds.count.div_ceil(FREED_SHARE);
        let max_bytes = (bounds.bytes - bounds.bytes / FREED_SHARE).saturating_sub(bytes);
        let (mut count, mut own_bytes) = (self.count, self.bytes);
        let mut forgotten = Vec::new();
        let mut steps = MAX_STEPS;
        loop {
            let fits = count < bounds.count && own_bytes + bytes <= bounds.bytes;
            // From the limit on, until a share of it is free.
            self.is_freeing &= count > max_count || own_bytes > max_bytes;
            self.is_freeing |= !fits;
            let is_tired = forgotten.len() >= MAX_FORGOTTEN || steps == 0;
            if fits && (is_tired || !self.is_freeing) {
                break;
            }
            let Some(secret) = self.order.take(&mut steps) else {
                break;
            };
            // The least recently seen of those that were looked at may have its place still.
            secret.forget(self.evictions + 1);
            count -= 1;
            own_bytes -= secret.value().len();
            forgotten.push(secret);
        }
        self.forget(&forgotten);
        count < bounds.count && own_bytes + bytes <= bounds.bytes
    }

    /// Forgets secrets as far as this place in the order, until about so many bytes are free.
    /// Returns the bytes that are free then.
    pub(super) fn forget_until(&mut self, last: Option<Order>, bytes: usize) -> usize {
        let (mut steps, mut freed, mut forgotten) = (MAX_STEPS, 0, Vec::new());
        while freed < bytes
            && forgotten.len() < MAX_LOCKED
            && let Some(next) = self.order.next(&mut steps)
            && steps > 0
            && last.is_none_or(|last| next <= last)
            && let Some(secret) = self.order.take(&mut steps)
        {
            freed += self.freed_by(&secret);
            forgotten.push(secret);
        }
        self.forget(&forgotten);
        freed
    }

    /// Forgets some of the secrets that were never recorded. False if there are no more.
    pub(super) fn forget_unrecorded(&mut self) -> bool {
        let (mut steps, mut forgotten) = (usize::MAX, Vec::new());
        while forgotten.len() < MAX_LOCKED
            && let Some((false, _)) = self.order.next(&mut steps)
            && let Some(secret) = self.order.take(&mut steps)
        {
            forgotten.push(secret);
        }
        self.forget(&forgotten);
        !forgotten.is_empty()
    }

    /// Forgets what the secrets are searched by. It is built again when it is needed.
    pub(super) fn restart_index(&mut self) -> Replaced {
        self.version.fetch_add(1, Ordering::AcqRel);
        let all = self.secrets.values();
        let searched = all.filter(|it| it.is_searched_for() && is_searchable(it.value()));
        let replaced = self.index.restart(searched);
        self.secrets.shrink_to_fit();
        self.by_digest.shrink_to_fit();
        self.owners.shrink_to_fit();
        self.order.shrink();
        replaced
    }

    /// These are forgotten; they are not in the order any more.
    fn forget(&mut self, forgotten: &[Arc<Secret>]) {
        if forgotten.is_empty() {
            return;
        }
        self.evictions += 1;
        for secret in forgotten {
            secret.forget(self.evictions);
            self.secrets.remove(secret.value());
            self.by_digest.remove(&secret.digest());
            let name = secret.name();
            if self.adopted.get(&secret.digest()) != Some(&name) {
                self.owners.remove(&identity(&name));
            }
            self.count -= 1;
            self.bytes -= secret.value().len();
            self.index.forget(secret);
            if secret.is_recorded() {
                self.forgotten_until = self.forgotten_until.max(secret.last_seen());
                self.keep_fingerprints(secret);
            }
        }
        self.index.pending.remove_forgotten(self.secrets.len());
        self.version.fetch_add(1, Ordering::AcqRel);
    }

    /// Fingerprints of a recorded secret are to be kept, if it would be searched for.
    pub(super) fn keep_fingerprints(&mut self, secret: &Arc<Secret>) {
        if secret.is_searched_for() && is_searchable(secret.value()) {
            self.unprinted.push(Arc::clone(secret));
        }
    }
}
