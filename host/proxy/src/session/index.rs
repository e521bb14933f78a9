//! Finds recorded exchanges by key, with a hash lookup.
//!
//! An index belongs to one generation of plugins, because keys are derived by the matchers and not
//! stored. The replay count belongs to the exchange, so a new generation does not restart a
//! sequence of replays.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::{Mutex, RwLock};

use super::claimed_entry::ClaimedEntry;
use super::client_messages::ClientMessageKey;
use super::derived_key::DerivedKey;
use super::entry::Entry;
use super::index_identity::Candidates;
use super::session_state::Session;
use super::truncated_index::TruncatedEntries;
use ouli_cassette::CassetteDir;
use ouli_codec::MessageView;
use ouli_codec::identity::Identity;
use ouli_matching::key::Key;
use ouli_matching::miss::IdentityConflict;
use ouli_plugin::Plugins;

/// What happens once all exchanges of a key were replayed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExhaustedPolicy {
    /// The last one is replayed again.
    #[default]
    Repeat,
    /// The last one is replayed again, unless it failed: then the request is forwarded upstream.
    RepeatUnlessFailed,
    /// The request is a miss.
    Miss,
}

impl ExhaustedPolicy {
    /// True if this exchange is replayed again.
    pub(super) fn repeats(self, entry: &Entry) -> bool {
        match self {
            Self::Repeat => true,
            Self::RepeatUnlessFailed => entry.failure.is_none(),
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
    /// The key is recorded, but only with other secrets.
    OtherIdentity(IdentityConflict),
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
    pub(super) client_message_keys: Mutex<HashMap<u64, Arc<[ClientMessageKey]>>>,
}

#[derive(Default)]
pub(super) struct IndexState {
    pub(super) entries: Vec<(Arc<Entry>, Option<Key>)>,
    groups: HashMap<u128, Group>,
    /// The identities in the requests.
    pub(super) identities: HashSet<Identity>,
    /// Positions of requests with secrets.
    pub(super) with_secrets: Vec<usize>,
    /// The size of the largest body among them.
    pub(super) largest_with_secrets: usize,
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
        let state = self.state.read();
        if key.identities().is_empty() {
            return state.take_next(key.hash(), exhausted);
        }
        let Some(group) = state.groups.get(&key.hash()) else {
            return LookupResult::NotFound;
        };
        let candidates = Candidates {
            positions: &group.positions,
            from: group.first_unclaimed(&state.entries),
            returned: Some(&group.returned),
        };
        self.choose(&state, &candidates, key.identities(), exhausted)
    }

    /// Any exchange that has a key.
    pub fn any_entry(&self) -> Option<(Arc<Entry>, Key)> {
        let state = self.state.read();
        let mut keyed = state.entries.iter();
        keyed.find_map(|(entry, key)| Some((Arc::clone(entry), key.clone()?)))
    }

    /// The exchanges of a key whose secrets are those of the request, in recorded order. An error
    /// if there are none, but some with other secrets.
    pub(super) fn entries_for_key(&self, key: &Key) -> Result<Vec<Arc<Entry>>, IdentityConflict> {
        let state = self.state.read();
        let mut conflict = None;
        let mut found = Vec::new();
        for position in state.positions(key) {
            match self.identity_conflict(&state, *position, key.identities()) {
                None => found.push(Arc::clone(&state.entries[*position].0)),
                Some(other) => {
                    conflict.get_or_insert(other);
                }
            }
        }
        match conflict.filter(|_| found.is_empty()) {
            Some(conflict) => Err(conflict),
            None => Ok(found),
        }
    }
}

impl Group {
    /// The first place that may not be claimed.
    fn first_unclaimed(&self, entries: &[(Arc<Entry>, Option<Key>)]) -> usize {
        if self.returned.load(Ordering::Relaxed) > 0 {
            return 0;
        }
        let from = self.next.load(Ordering::Relaxed);
        let rest = self.positions.get(from..).unwrap_or_default().iter();
        let claimed = rest.take_while(|position| entries[**position].0.is_used());
        let from = from + claimed.count();
        self.next.fetch_max(from, Ordering::Relaxed);
        from
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
            identities: self.identities.clone(),
            with_secrets: self.with_secrets.clone(),
            largest_with_secrets: self.largest_with_secrets,
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
        }
        let uses = derived.as_ref().map(|derived| derived.key.identities());
        if let Some(uses) = uses.filter(|uses| !uses.is_empty()) {
            self.identities
                .extend(uses.iter().map(|it| it.identity.clone()));
            self.with_secrets.push(position);
            let size = usize::try_from(entry.request.body.size()).unwrap_or(usize::MAX);
            self.largest_with_secrets = self.largest_with_secrets.max(size);
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
                LookupResult::Hit(ClaimedEntry::new(last))
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
