//! Finds recorded exchanges by key, with a hash lookup.
//!
//! An index belongs to one generation of plugins, because keys are derived by the matchers and not
//! stored. The replay count belongs to the exchange, so a new generation does not restart a
//! sequence of replays.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::{Mutex, RwLock};

use super::claimed_entry::ClaimedEntry;
use super::derived_key::DerivedKey;
use super::entry::Entry;
use super::hit::FoundBy;
use super::miss_comparison::MAX_COMPARED;
use super::session_state::Session;
use super::truncated_index::TruncatedEntries;
use ouli_cassette::CassetteDir;
use ouli_codec::MessageView;
use ouli_matching::key::{self, DescribedPart, Key};
use ouli_matching::miss;
use ouli_plugin::Plugins;

/// What happens once all exchanges of a key were replayed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExhaustedPolicy {
    /// The last one is replayed again.
    #[default]
    Repeat,
    /// The last one is replayed again, unless it failed or its status says that another attempt
    /// may succeed.
    RepeatUnlessFailed,
    /// The request is a miss.
    Miss,
}

impl ExhaustedPolicy {
    /// True if this exchange is replayed again.
    pub(super) fn repeats(self, entry: &Entry) -> bool {
        match self {
            Self::Repeat => true,
            Self::RepeatUnlessFailed => !entry.has_failed(),
            Self::Miss => false,
        }
    }
}

/// The result of a lookup.
#[derive(Debug)]
pub enum LookupResult {
    /// The exchange to replay.
    Hit(ClaimedEntry),
    /// All exchanges of this key were replayed, and none is repeated; their number.
    Exhausted(usize),
    /// Nothing is recorded under this key.
    NotFound,
}

impl LookupResult {
    /// The same, found otherwise than by an equal key.
    pub(super) fn found_by(self, found_by: FoundBy) -> Self {
        match self {
            Self::Hit(claimed) => Self::Hit(claimed.found_by(found_by)),
            other => other,
        }
    }
}

/// The index of one session under one generation of plugins.
pub struct Index {
    pub(super) session: Arc<Session>,
    pub(super) plugins: Arc<Plugins>,
    pub(super) folder: Arc<CassetteDir>,
    pub(super) state: RwLock<IndexState>,
    /// Held while keys of new exchanges are derived. Who waits for it blocks no thread.
    pub(super) indexing: Arc<tokio::sync::Mutex<()>>,
    /// The keys of the first parts of recorded requests that were derived for a comparison.
    pub(super) part_keys: Mutex<HashMap<(u64, u64), u128>>,
    /// The keys of the edited exchanges that are not replayed, with their ordinals.
    pub(super) refused: Arc<[(u64, Key)]>,
    /// Cached keys of the client messages of conversations, by the ordinal of the exchange.
    pub(super) client_message_keys: Mutex<HashMap<u64, Arc<[u128]>>>,
}

#[derive(Default)]
pub(super) struct IndexState {
    pub(super) entries: Vec<(Arc<Entry>, Option<Key>)>,
    groups: HashMap<u128, Group>,
    /// Positions of requests with placeholders, which may match as wildcards.
    wildcards: Vec<usize>,
    /// The size of the largest body among them.
    largest_wildcard: usize,
    pub(super) truncated: TruncatedEntries,
    /// The positions of whole resources that were recorded for a request with a condition or a
    /// range, by the key of the request without.
    pub(super) whole: HashMap<u128, Vec<usize>>,
}

/// The positions of the exchanges of one key, in recorded order.
#[derive(Default)]
struct Group {
    positions: Vec<usize>,
    /// Those before this one are claimed, except for those that were returned.
    next: AtomicUsize,
    returned: Arc<AtomicUsize>,
}

impl Index {
    /// Derives the keys of all exchanges of the session. Blocks for a long time if there are many.
    pub fn build(session: Arc<Session>, plugins: Arc<Plugins>, folder: Arc<CassetteDir>) -> Self {
        let mut index = Self {
            session,
            plugins,
            folder,
            state: RwLock::default(),
            indexing: Arc::default(),
            part_keys: Mutex::default(),
            refused: Arc::default(),
            client_message_keys: Mutex::default(),
        };
        index.add_unindexed(&index.session.entries_from(0));
        let refused = index.session.refused();
        let keys = index.derive_all(&refused).into_iter().zip(&refused);
        let keys = keys.filter_map(|(derived, entry)| Some((entry.ordinal, derived?.key)));
        index.refused = keys.collect();
        index
    }

    /// The next exchange for a key.
    pub fn find(&self, key: &Key, exhausted: ExhaustedPolicy) -> LookupResult {
        self.state.read().take_next(key.hash(), exhausted)
    }

    /// Any exchange that has a key.
    pub fn any_entry(&self) -> Option<(Arc<Entry>, Key)> {
        let state = self.state.read();
        let mut keyed = state.entries.iter();
        keyed.find_map(|(entry, key)| Some((Arc::clone(entry), key.clone()?)))
    }

    /// All exchanges of a key, in recorded order.
    pub(super) fn entries_for_key(&self, key: &Key) -> Vec<Arc<Entry>> {
        let state = self.state.read();
        let group = state.groups.get(&key.hash());
        let positions = group.into_iter().flat_map(|group| &group.positions);
        positions
            .map(|position| Arc::clone(&state.entries[*position].0))
            .collect()
    }

    /// The sizes of the largest body that [`Self::find_by_wildcard`] may compare, and of all of
    /// them; none if it finds nothing.
    pub fn wildcard_sizes(&self) -> Option<(usize, usize)> {
        let state = self.state.read();
        let count = state.wildcards.len().min(MAX_COMPARED);
        let largest = state.largest_wildcard;
        (count > 0).then(|| (largest, largest.saturating_mul(count)))
    }

    /// The next exchange whose recorded request matches the live request, with placeholders as
    /// wildcards. Finds nothing if requests with different keys match.
    pub fn find_by_wildcard(
        &self,
        key: &Key,
        live: &[DescribedPart],
        exhausted: ExhaustedPolicy,
    ) -> LookupResult {
        let nearest = self.nearest_wildcards(key);
        let mut matching = nearest.into_iter().filter_map(|(entry, hash)| {
            let view = self.request_view(&entry).ok()?;
            let described = self.plugins.describe(&view, self.session.secrets()).ok()?;
            key::matches_with_wildcards(&described, live).then_some(hash)
        });
        match matching.next() {
            Some(hash) if matching.all(|other| other == hash) => {
                let found = self.state.read().take_next(hash, exhausted);
                found.found_by(FoundBy::Placeholder)
            }
            Some(_) | None => LookupResult::NotFound,
        }
    }

    /// The requests with placeholders that are nearest to a key, with the hashes of their keys.
    /// They are compared without the lock.
    fn nearest_wildcards(&self, key: &Key) -> Vec<(Arc<Entry>, u128)> {
        let state = self.state.read();
        let wildcards = state.wildcards.iter().filter_map(|position| {
            let (_, key) = &state.entries[*position];
            key.as_ref().map(|key| (*position, key))
        });
        let nearest = miss::rank(key, wildcards, MAX_COMPARED).into_iter();
        let keyed = nearest.map(|position| &state.entries[position]);
        keyed
            .filter_map(|(entry, key)| Some((Arc::clone(entry), key.as_ref()?.hash())))
            .collect()
    }
}

impl IndexState {
    /// The same keys for the exchanges of another run, which are at the same positions.
    pub(super) fn with_entries(&self, entries: Vec<Arc<Entry>>) -> Self {
        let keys = self.entries.iter().map(|(_, key)| key.clone());
        let groups = self.groups.iter().map(|(hash, group)| {
            let positions = group.positions.clone();
            (
                *hash,
                Group {
                    positions,
                    ..Group::default()
                },
            )
        });
        Self {
            entries: entries.into_iter().zip(keys).collect(),
            groups: groups.collect(),
            wildcards: self.wildcards.clone(),
            largest_wildcard: self.largest_wildcard,
            truncated: self.truncated.clone(),
            whole: self.whole.clone(),
        }
    }

    /// The positions of the exchanges of a key.
    pub(super) fn positions(&self, key: &Key) -> &[usize] {
        let group = self.groups.get(&key.hash());
        group.map_or(&[], |group| &group.positions)
    }

    /// Adds an exchange with its key, at the next position.
    pub(super) fn add(&mut self, entry: Arc<Entry>, derived: Option<DerivedKey>) {
        let position = self.entries.len();
        if let Some(derived) = &derived
            && !self
                .truncated
                .add(&entry, derived.truncated.as_ref(), position)
        {
            let group = self.groups.entry(derived.key.hash()).or_default();
            group.positions.push(position);
            if let Some(whole) = derived.whole {
                self.whole.entry(whole).or_default().push(position);
            }
            if derived.has_wildcard {
                self.wildcards.push(position);
                let size = usize::try_from(entry.request.body.size()).unwrap_or(usize::MAX);
                self.largest_wildcard = self.largest_wildcard.max(size);
            }
        }
        self.entries
            .push((entry, derived.map(|derived| derived.key)));
    }

    fn take_next(&self, hash: u128, exhausted: ExhaustedPolicy) -> LookupResult {
        let Some(group) = self.groups.get(&hash) else {
            return LookupResult::NotFound;
        };
        let first = group.next.load(Ordering::Relaxed);
        let has_returned = group.returned.load(Ordering::Relaxed) > 0;
        let from = if has_returned { 0 } else { first };
        for (place, position) in group.positions.iter().enumerate().skip(from) {
            let (entry, _) = &self.entries[*position];
            if !entry.claim_first() {
                continue;
            }
            if place < first {
                let one_less = |count: usize| count.checked_sub(1);
                let relaxed = Ordering::Relaxed;
                // The one that returned it may not have counted it yet.
                let _ = group.returned.fetch_update(relaxed, relaxed, one_less);
            }
            group.next.fetch_max(place + 1, Ordering::Relaxed);
            return LookupResult::Hit(ClaimedEntry::of_list(entry, &group.returned));
        }
        self.repeat_last(&group.positions, exhausted)
    }

    pub(super) fn repeat_last(
        &self,
        positions: &[usize],
        exhausted: ExhaustedPolicy,
    ) -> LookupResult {
        let last = positions.last().map(|position| &self.entries[*position].0);
        match last.filter(|last| exhausted.repeats(last)) {
            Some(last) => {
                last.count_replay();
                LookupResult::Hit(ClaimedEntry::repeated(last))
            }
            None => LookupResult::Exhausted(positions.len()),
        }
    }
}

/// Method, path and query of the redacted request.
pub(super) fn request_line(request: &dyn MessageView) -> String {
    let (method, path, query) = (request.method(), request.path(), request.query());
    if query.is_empty() {
        return format!("{method} {path}");
    }
    let pairs: Vec<_> = query
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    format!("{method} {path}?{}", pairs.join("&"))
}
