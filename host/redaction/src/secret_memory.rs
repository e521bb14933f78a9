//! The memory of the secrets of all sessions and of the values that their clients made up, within a
//! limit: beyond it those are forgotten that were seen least recently in any session.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::{Mutex, RwLock};

use crate::secret::Secret;
use crate::secret_bounds::SecretBounds;
use crate::secret_registry::Registry;
use ouli_codec::minted_values::{MintedValues, Seen};

/// The registry of one session.
pub(super) type SharedRegistry = Arc<RwLock<Registry>>;

/// The memory of the secrets of all sessions.
#[derive(Debug)]
pub struct SecretMemory {
    limit: AtomicUsize,
    used: AtomicUsize,
    /// Increases with each secret that is new, and with each exchange to be recorded.
    clock: AtomicU64,
    registries: Mutex<Vec<Member>>,
    /// Held by the thread that makes room.
    making_room: Mutex<()>,
}

#[derive(Debug)]
struct Member {
    registry: Weak<RwLock<Registry>>,
    minted: Weak<CountedValues>,
    bounds: SecretBounds,
}

/// The values that the clients of one session made up.
#[derive(Debug)]
pub(super) struct CountedValues {
    pub(super) values: MintedValues,
    /// Bytes that are counted in the memory of all sessions.
    counted_bytes: AtomicUsize,
}

impl CountedValues {
    /// No values; there may be so many.
    pub(super) fn with_limit(limit: usize) -> Self {
        Self {
            values: MintedValues::with_limit(limit),
            counted_bytes: AtomicUsize::new(0),
        }
    }
}

/// One session.
struct Session {
    registry: SharedRegistry,
    minted: Arc<CountedValues>,
    bounds: SecretBounds,
}

/// The share of the limit that is freed at once, so that forgetting costs little per secret.
const FREED_SHARE: usize = 8;

/// The share of the limit that fingerprints of forgotten secrets take at most.
const FINGERPRINT_SHARE: usize = 2;

impl Default for SecretMemory {
    fn default() -> Self {
        Self::new(usize::MAX)
    }
}

impl SecretMemory {
    /// A memory of so many bytes.
    pub fn new(limit: usize) -> Self {
        Self {
            limit: AtomicUsize::new(limit),
            used: AtomicUsize::new(0),
            clock: AtomicU64::new(1),
            registries: Mutex::default(),
            making_room: Mutex::default(),
        }
    }

    /// This limit is in force from now on.
    pub fn set_limit(&self, limit: usize) {
        self.limit.store(limit, Ordering::Relaxed);
    }

    /// An estimate of the bytes that the secrets take.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// The registry of a new session.
    pub(super) fn new_registry(
        &self,
        bounds: SecretBounds,
        minted: &Arc<CountedValues>,
    ) -> SharedRegistry {
        let registry = SharedRegistry::default();
        let mut registries = self.registries.lock();
        if registries.len() == registries.capacity() {
            registries.retain(|member| member.registry.strong_count() > 0);
        }
        registries.push(Member {
            registry: Arc::downgrade(&registry),
            minted: Arc::downgrade(minted),
            bounds,
        });
        registry
    }

    /// The time of the last event.
    pub(super) fn now(&self) -> u64 {
        self.clock.load(Ordering::Acquire)
    }

    /// The time of a new event.
    pub(super) fn tick(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::AcqRel) + 1
    }

    /// Counts what a registry takes now.
    pub(super) fn count(&self, registry: &mut Registry) {
        let bytes = registry.memory();
        let before = std::mem::replace(&mut registry.counted_bytes, bytes);
        self.count_difference(before, bytes);
    }

    /// Counts what the values of a session take now.
    pub(super) fn count_minted(&self, minted: &CountedValues) {
        let bytes = minted.values.bytes();
        let before = minted.counted_bytes.swap(bytes, Ordering::Relaxed);
        self.count_difference(before, bytes);
    }

    /// The session of these values has ended.
    pub(super) fn forget_session(&self, minted: &CountedValues) {
        self.count_difference(minted.counted_bytes.swap(0, Ordering::Relaxed), 0);
    }

    fn count_difference(&self, before: usize, after: usize) {
        // A difference below zero wraps.
        self.used
            .fetch_add(after.wrapping_sub(before), Ordering::Relaxed);
    }

    /// Counts bytes of what is kept beside the secrets of a session, until it ends.
    pub(super) fn add(&self, bytes: usize) {
        if bytes > 0 {
            self.used.fetch_add(bytes, Ordering::Relaxed);
            self.make_room();
        }
    }

    /// They are free.
    pub(super) fn remove(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Forgets secrets if they take more than the limit: those that were never recorded first, and
    /// the least recently seen first. The caller holds no registry.
    pub(super) fn make_room(&self) {
        let limit = self.limit.load(Ordering::Relaxed);
        if self.used() <= limit {
            return;
        }
        let _making_room = self.making_room.lock();
        let Some(excess) = self.used().checked_sub(limit).filter(|it| *it > 0) else {
            return;
        };
        let members = self.members();
        self.forget_oldest(&members, excess + limit / FREED_SHARE);
        self.drop_fingerprints(&members, limit / FINGERPRINT_SHARE);
    }

    fn members(&self) -> Vec<Session> {
        let registries = self.registries.lock();
        let alive = registries.iter().filter_map(|member| {
            Some(Session {
                registry: member.registry.upgrade()?,
                minted: member.minted.upgrade()?,
                bounds: member.bounds,
            })
        });
        alive.collect()
    }

    fn forget_oldest(&self, members: &[Session], mut bytes: usize) {
        let mut oldest_first = Vec::new();
        for (place, session) in members.iter().enumerate() {
            let minted = session.minted.values.uses().into_iter();
            oldest_first.extend(minted.map(|(seen, bytes)| Candidate {
                seen,
                place,
                bytes,
                secret: None,
            }));
            let registry = session.registry.read();
            oldest_first.extend(registry.may_go().map(|secret| Candidate {
                seen: Seen {
                    is_recorded: secret.is_recorded(),
                    at: secret.last_seen(),
                },
                place,
                bytes: registry.freed_by(secret),
                secret: Some(Arc::clone(secret)),
            }));
        }
        oldest_first.sort_unstable_by_key(|it| it.seen);
        let mut forgotten: Vec<Forgotten> = members.iter().map(|_| Forgotten::default()).collect();
        for candidate in oldest_first {
            if bytes == 0 {
                break;
            }
            bytes = bytes.saturating_sub(candidate.bytes);
            let forgotten = &mut forgotten[candidate.place];
            match candidate.secret {
                Some(secret) => forgotten.secrets.push(secret),
                None => forgotten.minted_until = Some(candidate.seen),
            }
        }
        for (session, mut forgotten) in members.iter().zip(forgotten) {
            if let Some(last) = forgotten.minted_until {
                session.minted.values.forget_until(last);
                self.count_minted(&session.minted);
            }
            if !forgotten.secrets.is_empty() {
                let mut registry = session.registry.write();
                // One may have been forgotten in between.
                forgotten.secrets.retain(|secret| registry.holds(secret));
                registry.forget(&forgotten.secrets, session.bounds);
                self.count(&mut registry);
            }
        }
    }

    /// Drops fingerprints until the others take at most half of so many bytes, if they take more:
    /// first those of the sessions whose last secret was seen least recently.
    fn drop_fingerprints(&self, members: &[Session], max_bytes: usize) {
        let mut taken: Vec<_> = members
            .iter()
            .map(|Session { registry, .. }| {
                let read = registry.read();
                (read.last_seen(), read.fingerprint_bytes(), registry)
            })
            .collect();
        let mut bytes: usize = taken.iter().map(|(_, bytes, _)| bytes).sum();
        if bytes <= max_bytes {
            return;
        }
        taken.sort_unstable_by_key(|(last_seen, ..)| *last_seen);
        for (_, own, registry) in taken {
            if bytes <= max_bytes / 2 {
                break;
            }
            let mut registry = registry.write();
            registry.drop_fingerprints();
            self.count(&mut registry);
            bytes -= own;
        }
    }
}

/// A secret, or a value that a client made up, that may be forgotten.
struct Candidate {
    seen: Seen,
    /// The place of its session.
    place: usize,
    /// An estimate of the memory that is free without it.
    bytes: usize,
    /// None for a value.
    secret: Option<Arc<Secret>>,
}

/// What a session forgets.
#[derive(Default)]
struct Forgotten {
    secrets: Vec<Arc<Secret>>,
    /// The last use of its values that are forgotten.
    minted_until: Option<Seen>,
}
