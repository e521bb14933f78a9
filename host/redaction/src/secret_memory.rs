//! The memory of the secrets of all sessions, within a limit: beyond it those are forgotten that
//! were seen least recently in any session.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::{Mutex, RwLock};

use crate::secret::Secret;
use crate::secret_bounds::SecretBounds;
use crate::secret_registry::Registry;

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
    pub(super) fn new_registry(&self, bounds: SecretBounds) -> SharedRegistry {
        let registry = SharedRegistry::default();
        let mut registries = self.registries.lock();
        if registries.len() == registries.capacity() {
            registries.retain(|member| member.registry.strong_count() > 0);
        }
        registries.push(Member {
            registry: Arc::downgrade(&registry),
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
        // A difference below zero wraps.
        self.used
            .fetch_add(bytes.wrapping_sub(before), Ordering::Relaxed);
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

    fn members(&self) -> Vec<(SharedRegistry, SecretBounds)> {
        let registries = self.registries.lock();
        let alive = registries.iter();
        alive
            .filter_map(|member| Some((member.registry.upgrade()?, member.bounds)))
            .collect()
    }

    fn forget_oldest(&self, members: &[(SharedRegistry, SecretBounds)], mut bytes: usize) {
        let mut oldest_first = Vec::new();
        for (place, (registry, _)) in members.iter().enumerate() {
            let registry = registry.read();
            oldest_first.extend(registry.may_go().map(|secret| Candidate {
                is_recorded: secret.is_recorded(),
                last_seen: secret.last_seen(),
                place,
                bytes: registry.freed_by(secret),
                secret: Arc::clone(secret),
            }));
        }
        oldest_first.sort_unstable_by_key(|it| (it.is_recorded, it.last_seen));
        let mut forgotten: Vec<Vec<Arc<Secret>>> = members.iter().map(|_| Vec::new()).collect();
        for candidate in oldest_first {
            if bytes == 0 {
                break;
            }
            bytes = bytes.saturating_sub(candidate.bytes);
            forgotten[candidate.place].push(candidate.secret);
        }
        for ((registry, bounds), mut forgotten) in members.iter().zip(forgotten) {
            if !forgotten.is_empty() {
                let mut registry = registry.write();
                // One may have been forgotten in between.
                forgotten.retain(|secret| registry.holds(secret));
                registry.forget(&forgotten, *bounds);
                self.count(&mut registry);
            }
        }
    }

    /// Drops fingerprints until the others take at most half of so many bytes, if they take more:
    /// first those of the sessions whose last secret was seen least recently.
    fn drop_fingerprints(&self, members: &[(SharedRegistry, SecretBounds)], max_bytes: usize) {
        let mut taken: Vec<_> = members
            .iter()
            .map(|(registry, _)| {
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

/// A secret that may be forgotten.
struct Candidate {
    is_recorded: bool,
    last_seen: u64,
    /// The place of its session.
    place: usize,
    /// An estimate of the memory that is free without it.
    bytes: usize,
    secret: Arc<Secret>,
}
