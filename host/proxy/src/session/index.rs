//! Finds recorded exchanges by key, with a hash lookup.
//!
//! An index belongs to one generation of plugins, because keys are derived by the matchers and not
//! stored. The replay count belongs to the exchange, so a new generation does not restart a
//! sequence of replays.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard, RwLock};

use super::candidates::Sources;
use super::claimed_entry::ClaimedEntry;
use super::client_message_key::ClientMessageKey;
use super::cursors::{ClaimedPosition, Cursors, Returned};
use super::derived_key::DerivedKey;
use super::entry::Entry;
use super::key_group::KeyGroup;
use super::key_groups::KeyGroups;
use super::position_list::{ListIds, PositionList};
use super::received_placeholders::ReceivedPlaceholders;
use super::session_state::Session;
use super::truncated_index::TruncatedEntries;
use ouli_cassette::CassetteDir;
use ouli_codec::MessageView;
use ouli_codec::identity::Identity;
use ouli_matching::key::{Criteria, Key, SelectingFields, Variant};
use ouli_matching::miss::IdentityConflict;
use ouli_message::Fields;
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
    /// The key is recorded, but only with other secrets.
    OtherIdentity(IdentityConflict),
}

/// The index of one session under one generation of plugins.
pub struct Index {
    pub(super) session: Arc<Session>,
    pub(super) plugins: Arc<Plugins>,
    pub(super) folder: Arc<CassetteDir>,
    /// Shared by the indexes of all runs.
    pub(super) state: Arc<RwLock<IndexState>>,
    /// Where the lists of exchanges go on. Locked after the state and the bindings.
    pub(super) cursors: Mutex<Cursors>,
    pub(super) returned: Arc<Returned>,
    /// Held while keys of new exchanges are derived. Who waits for it blocks no thread.
    pub(super) indexing: Arc<tokio::sync::Mutex<()>>,
    /// The keys of the first parts of recorded requests that were derived for a comparison.
    pub(super) part_keys: Mutex<HashMap<(u64, u64), u128>>,
    /// The keys of the edited exchanges that are not replayed, with their ordinals.
    pub(super) refused: Arc<[(u64, DerivedKey)]>,
    /// Cached keys of the client messages of conversations, by the ordinal of the exchange.
    pub(super) client_message_keys: Arc<Mutex<HashMap<u64, Arc<[ClientMessageKey]>>>>,
    /// The identities in these messages.
    pub(super) message_identities: Arc<RwLock<HashSet<Identity>>>,
    /// The placeholders that recorded responses have.
    pub(super) received: Arc<Mutex<ReceivedPlaceholders>>,
}

#[derive(Default)]
pub(super) struct IndexState {
    pub(super) entries: Vec<(Arc<Entry>, Option<Key>)>,
    /// The exchanges of each key, a group for each variant.
    groups: HashMap<u128, Box<KeyGroups>>,
    list_ids: ListIds,
    /// The position of each exchange by its number in the cassette.
    by_ordinal: HashMap<u64, usize>,
    /// What selected the response at each position; none if it suits every request.
    variants: Vec<Option<Arc<Variant>>>,
    /// The different ones among them.
    known_variants: HashSet<Arc<Variant>>,
    known_criteria: HashSet<Arc<Criteria>>,
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

impl Index {
    /// Derives the keys of all exchanges of the session. Blocks for a long time if there are many.
    pub fn build(session: Arc<Session>, plugins: Arc<Plugins>, folder: Arc<CassetteDir>) -> Self {
        let mut index = Self {
            session,
            plugins,
            folder,
            state: Arc::default(),
            cursors: Mutex::default(),
            returned: Arc::default(),
            indexing: Arc::default(),
            part_keys: Mutex::default(),
            refused: Arc::default(),
            client_message_keys: Arc::default(),
            message_identities: Arc::default(),
            received: Arc::default(),
        };
        index.add_unindexed(0, &index.session.entries.replayable().all_from(0));
        let refused = index.session.refused();
        let keys = index.derive_all(&refused).into_iter().zip(&refused);
        let keys = keys.filter_map(|(derived, entry)| Some((entry.ordinal, derived?)));
        index.refused = keys.collect();
        index
    }

    /// The next exchange for a key, whose response suits a request with these fields.
    pub fn find(&self, key: &Key, live: &Fields, exhausted: ExhaustedPolicy) -> LookupResult {
        let state = self.state.read();
        let groups = state.suitable(key.hash(), live);
        if key.identities().is_empty() {
            return self.take_next(&state, &groups, exhausted);
        }
        let sources = Sources::of_key(groups);
        self.choose(&state, &sources, key.identities(), exhausted)
    }

    /// Any exchange that has a key.
    pub fn any_entry(&self) -> Option<(Arc<Entry>, Key)> {
        let state = self.state.read();
        let mut keyed = state.entries.iter();
        keyed.find_map(|(entry, key)| Some((Arc::clone(entry), key.clone()?)))
    }

    /// True if a request with this target is recorded.
    pub(crate) fn has_target(&self, target: &str) -> bool {
        let state = self.state.read();
        let mut entries = state.entries.iter();
        entries.any(|(entry, _)| entry.request.target == target)
    }

    /// The exchanges of a key whose responses suit a request with these fields and whose secrets
    /// are those of the request, in recorded order. An error if there are none, but some with other
    /// secrets.
    pub(super) fn entries_for_key(
        &self,
        key: &Key,
        live: &Fields,
    ) -> Result<Vec<Arc<Entry>>, IdentityConflict> {
        let state = self.state.read();
        let sources = Sources::of_key(state.suitable(key.hash(), live));
        let found = self.all_fitting(&state, &sources, key.identities())?;
        let entries = found.iter().map(|it| Arc::clone(&state.entries[*it].0));
        Ok(entries.collect())
    }

    /// Claims the first exchange of these groups that was not replayed, or repeats the last one.
    fn take_next(
        &self,
        state: &IndexState,
        groups: &[&KeyGroup],
        exhausted: ExhaustedPolicy,
    ) -> LookupResult {
        let mut cursors = self.lock_cursors(state);
        let uses = self.session.entries.uses();
        let is_used = |position: usize| uses.is_used(&state.entries[position].0);
        loop {
            let next = groups.iter().filter_map(|group| {
                let start = cursors.start(group.list(), is_used);
                group.positions().get(start).copied()
            });
            let Some(position) = next.min() else {
                break;
            };
            // Another request may take it meanwhile.
            let (entry, _) = &state.entries[position];
            if uses.claim_first(entry) {
                return LookupResult::Hit(self.claimed(entry, position));
            }
        }
        // A later run alone has what it recorded.
        let latest = |group: &&KeyGroup| {
            let mut positions = group.positions().iter().rev().copied();
            positions.find(|it| uses.has(&state.entries[*it].0))
        };
        let last = groups.iter().filter_map(latest).max();
        let count = groups.iter().map(|group| group.positions().len()).sum();
        last.map_or(LookupResult::NotFound, |last| {
            self.repeat_last(&state.entries[last].0, count, exhausted)
        })
    }

    /// An exchange at this position that is claimed.
    pub(super) fn claimed(&self, entry: &Arc<Entry>, position: usize) -> ClaimedEntry {
        let returned = Arc::clone(&self.returned);
        let claimed = ClaimedEntry::new(entry, self.session.entries.uses());
        claimed.at(ClaimedPosition { position, returned })
    }

    /// Repeats the exchange at this position, the last one of `count`.
    pub(super) fn repeat_last(
        &self,
        last: &Arc<Entry>,
        count: usize,
        exhausted: ExhaustedPolicy,
    ) -> LookupResult {
        if !exhausted.repeats(last) {
            return LookupResult::Exhausted(count);
        }
        let uses = self.session.entries.uses();
        uses.count_replay(last);
        LookupResult::Hit(ClaimedEntry::repeated(last, uses))
    }

    /// Where the lists of exchanges go on.
    pub(super) fn lock_cursors(&self, state: &IndexState) -> MutexGuard<'_, Cursors> {
        let mut cursors = self.cursors.lock();
        for position in self.returned.take() {
            for list in state.lists_of(position) {
                cursors.give_back(list, position);
            }
        }
        cursors
    }
}

impl IndexState {
    /// The exchanges of a key whose responses suit a request with these fields.
    pub(super) fn suitable(&self, key: u128, live: &Fields) -> Vec<&KeyGroup> {
        let groups = self.groups.get(&key);
        groups.map_or_else(Vec::new, |groups| groups.suitable(live))
    }

    /// The lists that have the exchange at this position.
    fn lists_of(&self, position: usize) -> impl Iterator<Item = &PositionList> {
        let variant = self.variants[position].as_ref();
        let key = self.entries[position].1.as_ref();
        let groups = key.and_then(|key| self.groups.get(&key.hash()));
        let group = groups.and_then(|groups| groups.of_variant(variant));
        group.into_iter().flat_map(move |group| {
            let uses = key.map_or(&[][..], Key::identities);
            group.identities().lists_of(uses).chain([group.list()])
        })
    }

    /// Their positions, in recorded order.
    pub(super) fn positions(&self, key: &Key, live: &Fields) -> Vec<usize> {
        KeyGroup::all_positions(self.suitable(key.hash(), live).into_iter())
    }

    /// True if the response at a position suits a request with these fields.
    pub(super) fn suits(&self, position: usize, live: &SelectingFields<'_>) -> bool {
        let variant = self.variants[position].as_ref();
        variant.is_none_or(|variant| variant.suits(live))
    }

    /// The groups of a key.
    pub(super) fn groups(&self, key: u128) -> impl Iterator<Item = &KeyGroup> {
        self.groups.get(&key).into_iter().flat_map(|it| it.all())
    }

    /// The position of an exchange with this key.
    pub(super) fn position_of(&self, entry: &Entry, key: &Key) -> Option<usize> {
        let position = *self.by_ordinal.get(&entry.ordinal)?;
        let (_, found) = &self.entries[position];
        (found.as_ref() == Some(key)).then_some(position)
    }

    /// Adds an exchange with its key, at the next position. False if it cannot be found, because
    /// the responses of its key were selected by too many criteria.
    pub(super) fn add(&mut self, entry: Arc<Entry>, derived: Option<DerivedKey>) -> bool {
        let position = self.entries.len();
        self.by_ordinal.insert(entry.ordinal, position);
        let variant = derived.as_ref().map(|it| &it.variant);
        let variant = variant.and_then(|variant| self.shared_variant(variant));
        self.variants.push(variant.clone());
        let mut is_found = true;
        if let Some(derived) = &derived
            && !self
                .truncated
                .add(&entry, derived.truncated.as_ref(), position)
        {
            let groups = self.groups.entry(derived.key.hash()).or_default();
            let exchange = (position, derived.key.identities());
            is_found = groups.add(variant.as_ref(), exchange, &mut self.list_ids);
            if let Some(whole) = derived.whole {
                self.whole.entry(whole).or_default().push(position);
            }
        }
        let uses = derived.as_ref().map(|derived| derived.key.identities());
        let uses = uses.unwrap_or_default().iter().map(|it| &it.identity);
        self.identities.extend(uses.clone().cloned());
        let is_secret = |identity: &Identity| !identity.is_minted();
        if uses.into_iter().any(is_secret) {
            self.with_secrets.push(position);
            let size = usize::try_from(entry.request.body.size()).unwrap_or(usize::MAX);
            self.largest_with_secrets = self.largest_with_secrets.max(size);
        }
        self.entries
            .push((entry, derived.map(|derived| derived.key)));
        is_found
    }

    /// Most responses of a session were selected by the same.
    fn shared_variant(&mut self, variant: &Variant) -> Option<Arc<Variant>> {
        if variant.is_any() {
            return None;
        }
        if let Some(known) = self.known_variants.get(variant) {
            return Some(Arc::clone(known));
        }
        let criteria = variant.criteria();
        let criteria = match self.known_criteria.get(criteria) {
            Some(known) => Arc::clone(known),
            None => {
                self.known_criteria.insert(Arc::clone(criteria));
                Arc::clone(criteria)
            }
        };
        let variant = Arc::new(variant.clone().with_shared(&criteria));
        self.known_variants.insert(Arc::clone(&variant));
        Some(variant)
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
