//! The memory of the secrets of all sessions and of the values that their clients made up, within a
//! limit: beyond it those are forgotten that were seen least recently in any session.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::{Mutex, RwLock};

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
    /// The part of them that is held for forgotten secrets.
    forgotten: AtomicUsize,
    /// Increases with each secret that is new, and with each exchange to be recorded.
    clock: AtomicU64,
    registries: Mutex<Vec<Member>>,
    /// Held by the thread that makes room.
    making_room: Mutex<()>,
    /// Held by the thread that frees what is held for forgotten secrets.
    dropping: Mutex<()>,
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

/// The share of the limit that is left for what is held for forgotten secrets. It is freed once it
/// takes more.
const FORGOTTEN_SHARE: usize = 16;

/// The share of the limit that is freed beyond the need, so that forgetting costs little.
const FREED_SHARE: usize = 64;

/// So many bytes are freed beyond the need: no secret waits long for its room.
const MAX_FREED: usize = 256 << 10;

/// Or this share of the values that clients made up.
const MINTED_SHARE: usize = 8;

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
            forgotten: AtomicUsize::new(0),
            clock: AtomicU64::new(1),
            registries: Mutex::default(),
            making_room: Mutex::default(),
            dropping: Mutex::default(),
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
        let forgotten = registry.index.forgotten_bytes();
        let before = std::mem::replace(&mut registry.counted_forgotten, forgotten);
        self.forgotten
            .fetch_add(forgotten.wrapping_sub(before), Ordering::Relaxed);
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
        let max_known = limit - limit / FORGOTTEN_SHARE;
        if self.known() > max_known {
            self.forget_beyond(limit, max_known);
        }
        if self.used() > limit {
            self.drop_forgotten(limit / FORGOTTEN_SHARE / 2);
        }
    }

    /// The bytes that the secrets take, without what is held for forgotten ones.
    fn known(&self) -> usize {
        let forgotten = self.forgotten.load(Ordering::Relaxed);
        self.used().saturating_sub(forgotten)
    }

    fn forget_beyond(&self, limit: usize, max_known: usize) {
        let making_room = self.making_room.lock();
        let Some(excess) = self.known().checked_sub(max_known).filter(|it| *it > 0) else {
            return;
        };
        let members = self.members();
        // All values are looked at once: so many bytes of them are worth it.
        let minted = members.iter().map(|it| it.minted.values.bytes());
        let minted = minted.sum::<usize>() / MINTED_SHARE;
        let freed = MAX_FREED.max(minted).min(limit / FREED_SHARE);
        let changed = self.forget_oldest(&members, excess + freed);
        drop(making_room);
        for at in changed {
            let Session {
                registry, bounds, ..
            } = &members[at];
            let _ = self.make_fingerprints(registry, *bounds, None);
        }
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

    /// Forgets secrets and values until so many bytes are free. Returns the places of the sessions
    /// that forgot secrets. No registry is locked for long.
    fn forget_oldest(&self, members: &[Session], mut bytes: usize) -> HashSet<usize> {
        let mut values = minted_oldest_first(members).into_iter().peekable();
        let mut minted_until: HashMap<usize, Seen> = HashMap::new();
        let mut changed = HashSet::new();
        let earliest = |at: usize| {
            let registry = members[at].registry.read();
            Some(Reverse((registry.order.earliest()?, at)))
        };
        let mut sessions: BinaryHeap<_> = (0..members.len()).filter_map(earliest).collect();
        while bytes > 0 {
            let first = sessions.peek().map(|Reverse((order, _))| *order);
            let is_first = |(seen, ..): &(Seen, usize, usize)| {
                first.is_none_or(|first| (seen.is_recorded, seen.at) < first)
            };
            if let Some((seen, at, freed)) = values.next_if(is_first) {
                bytes = bytes.saturating_sub(freed);
                minted_until.insert(at, seen);
                continue;
            }
            let Some(Reverse((_, at))) = sessions.pop() else {
                break;
            };
            let next = sessions.peek().map(|Reverse((order, _))| *order);
            let value = values.peek().map(|(seen, ..)| (seen.is_recorded, seen.at));
            let last = next.into_iter().chain(value).min();
            let mut registry = members[at].registry.write();
            let freed = registry.forget_until(last, bytes);
            self.count(&mut registry);
            drop(registry);
            bytes = bytes.saturating_sub(freed);
            if freed > 0 {
                changed.insert(at);
            }
            sessions.extend(earliest(at));
        }
        for (at, last) in minted_until {
            members[at].minted.values.forget_until(last);
            self.count_minted(&members[at].minted);
        }
        changed
    }

    /// Frees what is held for forgotten secrets, first where it is most, until it takes at most so
    /// many bytes.
    fn drop_forgotten(&self, max_bytes: usize) {
        let is_enough = || self.forgotten.load(Ordering::Relaxed) <= max_bytes;
        let Some(_dropping) = self.dropping.try_lock().filter(|_| !is_enough()) else {
            return;
        };
        let members = self.members();
        let forgotten = members.iter().map(|Session { registry, .. }| {
            let bytes = registry.read().index.forgotten_bytes();
            (bytes, registry)
        });
        let mut most_first: Vec<_> = forgotten.filter(|(bytes, _)| *bytes > 0).collect();
        most_first.sort_unstable_by_key(|(bytes, _)| Reverse(*bytes));
        for (_, registry) in most_first {
            if is_enough() {
                break;
            }
            self.merge_tiers(registry, false);
        }
    }

    /// Drops fingerprints until the others take at most half of so many bytes, if they take more:
    /// first those of the sessions whose last secret was seen least recently.
    fn drop_fingerprints(&self, members: &[Session], max_bytes: usize) {
        let bytes_of = |registry: &SharedRegistry| registry.read().fingerprint_bytes();
        let mut bytes: usize = members.iter().map(|it| bytes_of(&it.registry)).sum();
        if bytes <= max_bytes {
            return;
        }
        let mut oldest_first: Vec<_> = members.iter().map(|it| &it.registry).collect();
        oldest_first
            .sort_by_cached_key(|registry| registry.read().last_seen.load(Ordering::Relaxed));
        for registry in oldest_first {
            if bytes <= max_bytes / 2 {
                break;
            }
            let mut registry = registry.write();
            let own = registry.fingerprint_bytes();
            let dropped = registry.drop_fingerprints();
            self.count(&mut registry);
            drop(registry);
            drop(dropped);
            bytes = bytes.saturating_sub(own);
        }
    }
}

/// The values that clients made up: when they were seen, the places of their sessions, and their
/// bytes.
fn minted_oldest_first(members: &[Session]) -> Vec<(Seen, usize, usize)> {
    let of_session = |(at, session): (usize, &Session)| {
        let uses = session.minted.values.uses().into_iter();
        uses.map(move |(seen, bytes)| (seen, at, bytes))
            .collect::<Vec<_>>()
    };
    let mut values: Vec<_> = members.iter().enumerate().flat_map(of_session).collect();
    values.sort_unstable();
    values
}
