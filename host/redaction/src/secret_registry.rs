//! The secrets that a session knows, within limits: the least recently seen ones are forgotten.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::build_locks::UpkeepLocks;
use crate::common_values::is_searchable;
use crate::forgetting_order::ForgettingOrder;
use crate::forgotten_secrets::ForgottenSecrets;
use crate::placeholder;
use crate::search_index::SearchIndex;
use crate::secret::{Name, Secret};
use crate::secret_bounds::SecretBounds;
use crate::secret_searcher::SecretSearcher;
use ouli_codec::identity::{FIRST_KEYED, Identity};

#[derive(Default)]
pub(super) struct Registry {
    pub(super) secrets: HashMap<Arc<[u8]>, Arc<Secret>>,
    pub(super) by_digest: HashMap<u128, Arc<Secret>>,
    /// The secret that has a placeholder, by its digest.
    pub(super) owners: HashMap<Identity, u128>,
    /// The placeholders of recorded secrets that others stand for, also after they are forgotten.
    pub(super) adopted: HashMap<u128, Name>,
    /// The last placeholder number of each class.
    numbers: HashMap<Arc<str>, u64>,
    /// Number and bytes of the secrets that may be forgotten.
    pub(super) count: usize,
    pub(super) bytes: usize,
    /// These secrets, some that are forgotten among them.
    pub(super) order: ForgettingOrder,
    /// A limit was reached, and secrets are forgotten until a share of it is free.
    pub(super) is_freeing: bool,
    pub(super) index: SearchIndex,
    /// Increases with each secret that is new or forgotten.
    pub(super) version: Arc<AtomicU64>,
    /// The time at which one of the secrets was seen last.
    pub(super) last_seen: Arc<AtomicU64>,
    /// Bytes that are counted in the memory of all sessions.
    pub(super) counted_bytes: usize,
    /// Those of them that are held for forgotten secrets.
    pub(super) counted_forgotten: usize,
    pub(super) locks: Arc<UpkeepLocks>,
    /// The time of the last use of a recorded secret that is forgotten.
    pub(super) forgotten_until: u64,
    /// How often secrets were forgotten.
    pub(super) evictions: u64,
    /// The recorded secrets that were forgotten. None if there are none.
    pub(super) forgotten: Option<Arc<ForgottenSecrets>>,
    /// Forgotten secrets that are not in `forgotten` yet.
    pub(super) unprinted: Vec<Arc<Secret>>,
    /// Number of recorded secrets that cannot be found any more, and are not counted yet.
    pub(super) uncounted: u64,
}

impl Registry {
    /// Its session has ended.
    pub(super) fn clear(&mut self) {
        *self = Self {
            counted_bytes: self.counted_bytes,
            counted_forgotten: self.counted_forgotten,
            ..Self::default()
        };
    }

    pub(super) fn len(&self) -> usize {
        self.secrets.len()
    }

    pub(super) fn get(&self, value: &[u8]) -> Option<&Arc<Secret>> {
        self.secrets.get(value)
    }

    /// Adds a secret; false if it has no room even if all others are forgotten.
    pub(super) fn insert(&mut self, secret: &Arc<Secret>, bounds: SecretBounds) -> bool {
        self.version.fetch_add(1, Ordering::AcqRel);
        let bytes = secret.value().len();
        if !secret.is_pinned() {
            if !self.has_room_for(bytes, bounds) {
                return false;
            }
            self.count += 1;
            self.bytes += bytes;
            self.order.push(secret);
        }
        self.secrets
            .insert(Arc::clone(secret.value()), Arc::clone(secret));
        self.by_digest.insert(secret.digest(), Arc::clone(secret));
        self.owners
            .insert(identity(&secret.name()), secret.digest());
        if secret.is_searched_for() && is_searchable(secret.value()) {
            self.index.pending.push(Arc::clone(secret));
        }
        true
    }

    /// Creates a number for the next secret of a class.
    pub(super) fn next_number(&mut self, class: &str) -> (Arc<str>, u64) {
        let class: Arc<str> = match self.numbers.get_key_value(class) {
            Some((class, _)) => Arc::clone(class),
            None => class.into(),
        };
        let number = self.numbers.entry(Arc::clone(&class)).or_default();
        *number += 1;
        (class, *number)
    }

    /// The placeholder for a new secret: that of the recorded one that it stands for, one with this
    /// number, or the next one of its class.
    pub(super) fn name_for(
        &mut self,
        class: &str,
        digest: u128,
        number: Option<u64>,
    ) -> (Arc<str>, Name) {
        let class: Arc<str> = match self.numbers.get_key_value(class) {
            Some((class, _)) => Arc::clone(class),
            None => class.into(),
        };
        let keyed = number.map(|number| (Arc::clone(&class), number));
        let keyed = keyed.filter(|name| self.owner(name).is_none_or(|owner| owner == digest));
        let adopted = self.adopted.get(&digest).cloned();
        let name = adopted
            .or(keyed)
            .unwrap_or_else(|| self.next_number(&class));
        (class, name)
    }

    /// The secret with this digest stands for the recorded one with this placeholder. Another one
    /// that had it, such as that of an earlier run, gets a new placeholder.
    pub(super) fn adopt(&mut self, digest: u128, name: &Name) {
        let before = self.owners.insert(identity(name), digest);
        if let Some(other) = before.filter(|other| *other != digest) {
            self.adopted.remove(&other);
            if let Some(other) = self.by_digest.get(&other).cloned() {
                let new = self.next_number(&Arc::clone(other.class()));
                self.owners.insert(identity(&new), other.digest());
                other.rename(new);
            }
        }
        if let Some(secret) = self.by_digest.get(&digest) {
            let old = identity(&secret.name());
            if old != identity(name) && self.owners.get(&old) == Some(&digest) {
                self.owners.remove(&old);
            }
            secret.rename(name.clone());
        }
        self.adopted.insert(digest, name.clone());
    }

    /// The secret with this digest does not stand for the recorded one with this placeholder.
    pub(super) fn disown(&mut self, digest: u128, name: &Name) {
        if self.adopted.get(&digest) != Some(name) {
            return;
        }
        self.adopted.remove(&digest);
        self.owners.remove(&identity(name));
        if let Some(secret) = self.by_digest.get(&digest).cloned() {
            let new = self.next_number(&Arc::clone(secret.class()));
            self.owners.insert(identity(&new), digest);
            secret.rename(new);
        }
    }

    /// The secret with this digest.
    pub(super) fn with_digest(&self, digest: u128) -> Option<&Arc<Secret>> {
        self.by_digest.get(&digest)
    }

    /// The secret with this placeholder.
    pub(super) fn owner(&self, name: &Name) -> Option<u128> {
        self.owners.get(&identity(name)).copied()
    }

    /// The placeholder under which the secret with this digest is recorded: by this process, or as
    /// the one that it stands for. One whose number follows from it may be recorded anywhere.
    pub(super) fn recorded_name(&self, digest: u128) -> Option<Name> {
        if let Some(name) = self.adopted.get(&digest) {
            return Some(name.clone());
        }
        let secret = self.by_digest.get(&digest)?;
        let name = secret.name();
        (secret.is_recorded() || name.1 >= FIRST_KEYED).then_some(name)
    }

    /// Continues the numbering after the placeholders of a text.
    pub(super) fn resume_numbering(&mut self, text: &str) {
        for found in placeholder::find_all(text) {
            let found_number = found.number.unwrap_or_default();
            if found_number >= FIRST_KEYED {
                continue;
            }
            match self.numbers.get_mut(found.class) {
                Some(number) => *number = found_number.max(*number),
                None => {
                    self.numbers.insert(found.class.into(), found_number);
                }
            }
        }
    }

    /// The searcher, unless it lacks secrets that a text of this length may contain.
    pub(super) fn complete_searcher(&self, len: usize) -> Option<SecretSearcher> {
        let is_complete = self.index.pending.is_empty_for(len);
        is_complete.then(|| self.searcher())
    }

    pub(super) fn searcher(&self) -> SecretSearcher {
        self.index.searcher(self.evictions).0
    }

    /// The secrets that are searched for.
    pub(super) fn searched(&self) -> impl Iterator<Item = &Arc<Secret>> {
        let all = self.secrets.values();
        all.filter(|it| it.is_searched_for() && is_searchable(it.value()))
    }

    /// True if a secret was recorded, other than those of the environment.
    pub(super) fn has_recorded(&self) -> bool {
        let mut found = self.secrets.values().filter(|it| !it.is_pinned());
        self.forgotten_until > 0 || found.any(|it| it.is_recorded())
    }

    /// The bytes of the secrets that may be forgotten, and of what is left of those that are.
    pub(super) fn bytes(&self) -> usize {
        self.bytes + self.fingerprint_bytes()
    }

    /// An estimate of the memory of the secrets, with what they are searched by, and of the
    /// fingerprints of those that are forgotten.
    pub(super) fn memory(&self) -> usize {
        self.count * SECRET_BYTES + self.bytes() + self.index.bytes()
    }

    /// The memory that is free once a secret is forgotten.
    pub(super) fn freed_by(&self, secret: &Secret) -> usize {
        let searcher = self.index.bytes() - self.index.forgotten_bytes();
        let searcher = searcher / self.secrets.len().max(1);
        let fingerprints = if secret.is_recorded() {
            FINGERPRINTS_BYTES
        } else {
            0
        };
        let bytes = SECRET_BYTES + secret.value().len() + searcher;
        bytes.saturating_sub(fingerprints)
    }

    /// Bytes of the fingerprints of forgotten secrets.
    pub(super) fn fingerprint_bytes(&self) -> usize {
        self.forgotten.as_ref().map_or(0, |it| it.bytes())
    }

    /// Drops the fingerprints of forgotten secrets, which cannot be found any more.
    pub(super) fn drop_fingerprints(&mut self) -> Option<Arc<ForgottenSecrets>> {
        let dropped = self.forgotten.take()?;
        self.uncounted += dropped.secrets();
        Some(dropped)
    }
}

/// The memory of a secret beside its value: its fields, and its entries in the maps.
const SECRET_BYTES: usize = size_of::<Secret>() + 192;

/// What is left of a token that is forgotten: the fingerprints of some encodings.
const FINGERPRINTS_BYTES: usize = 160;

/// The identity of what has a placeholder.
pub(super) fn identity((class, number): &Name) -> Identity {
    Identity::Placeholder(Arc::clone(class), *number)
}
