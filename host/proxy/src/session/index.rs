//! Finds recorded exchanges by key, with a hash lookup.
//!
//! An index belongs to one generation of plugins, because keys are derived by the matchers and not
//! stored. The replay count belongs to the exchange, so a new generation does not restart a
//! sequence of replays.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};

use super::candidates::Candidates;
use super::claimed_entry::ClaimedEntry;
use super::client_message_key::ClientMessageKey;
use super::derived_key::DerivedKey;
use super::entry::Entry;
use super::key_group::{KeyGroup, Unused};
use super::session_state::Session;
use super::truncated_index::TruncatedEntries;
use ouli_cassette::CassetteDir;
use ouli_codec::MessageView;
use ouli_codec::identity::Identity;
use ouli_matching::key::{Key, Variant};
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
    pub(super) state: RwLock<IndexState>,
    /// Held while keys of new exchanges are derived. Who waits for it blocks no thread.
    pub(super) indexing: Arc<tokio::sync::Mutex<()>>,
    /// The keys of the first parts of recorded requests that were derived for a comparison.
    pub(super) part_keys: Mutex<HashMap<(u64, u64), u128>>,
    /// The keys of the edited exchanges that are not replayed, with their ordinals.
    pub(super) refused: Arc<[(u64, DerivedKey)]>,
    /// Cached keys of the client messages of conversations, by the ordinal of the exchange.
    pub(super) client_message_keys: Mutex<HashMap<u64, Arc<[ClientMessageKey]>>>,
}

#[derive(Default)]
pub(super) struct IndexState {
    pub(super) entries: Vec<(Arc<Entry>, Option<Key>)>,
    /// The exchanges of each key, a group for each variant.
    groups: HashMap<u128, Vec<KeyGroup>>,
    /// What selected the response at each position; none if it suits every request.
    variants: Vec<Option<Arc<Variant>>>,
    /// The different ones among them.
    known_variants: HashSet<Arc<Variant>>,
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
            state: RwLock::default(),
            indexing: Arc::default(),
            part_keys: Mutex::default(),
            refused: Arc::default(),
            client_message_keys: Mutex::default(),
        };
        index.add_unindexed(&index.session.entries_from(0));
        let refused = index.session.refused();
        let keys = index.derive_all(&refused).into_iter().zip(&refused);
        let keys = keys.filter_map(|(derived, entry)| Some((entry.ordinal, derived?)));
        index.refused = keys.collect();
        index
    }

    /// The next exchange for a key, whose response suits a request with these fields.
    pub fn find(&self, key: &Key, live: &Fields, exhausted: ExhaustedPolicy) -> LookupResult {
        let state = self.state.read();
        if key.identities().is_empty() {
            return state.take_next(key.hash(), live, exhausted);
        }
        let groups: Vec<_> = state.suitable(key.hash(), live).collect();
        let Some(first) = groups.first() else {
            return LookupResult::NotFound;
        };
        let (from, positions) = match groups.as_slice() {
            [one] => (one.first_unclaimed(&state.entries), None),
            _ => (0, Some(state.positions(key, live))),
        };
        let candidates = Candidates {
            positions: positions.as_deref().unwrap_or(first.positions()),
            from,
            returned: Some(first.returned()),
        };
        self.choose(&state, &candidates, key.identities(), exhausted)
    }

    /// Any exchange that has a key.
    pub fn any_entry(&self) -> Option<(Arc<Entry>, Key)> {
        let state = self.state.read();
        let mut keyed = state.entries.iter();
        keyed.find_map(|(entry, key)| Some((Arc::clone(entry), key.clone()?)))
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
        let mut conflict = None;
        let mut found = Vec::new();
        for position in state.positions(key, live) {
            match self.identity_conflict(&state, position, key.identities()) {
                None => found.push(Arc::clone(&state.entries[position].0)),
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

impl IndexState {
    /// The same keys for the exchanges of another run, which are at the same positions.
    pub(super) fn with_entries(&self, entries: Vec<Arc<Entry>>) -> Self {
        let keys = self.entries.iter().map(|(_, key)| key.clone());
        let groups = self.groups.iter();
        let groups = groups.map(|(hash, groups)| (*hash, KeyGroup::rewound(groups)));
        Self {
            entries: entries.into_iter().zip(keys).collect(),
            groups: groups.collect(),
            variants: self.variants.clone(),
            known_variants: self.known_variants.clone(),
            identities: self.identities.clone(),
            with_secrets: self.with_secrets.clone(),
            largest_with_secrets: self.largest_with_secrets,
            truncated: self.truncated.clone(),
            whole: self.whole.clone(),
        }
    }

    /// The exchanges of a key whose responses suit a request with these fields.
    fn suitable<'a>(&'a self, key: u128, live: &'a Fields) -> impl Iterator<Item = &'a KeyGroup> {
        let groups = self.groups.get(&key).into_iter().flatten();
        groups.filter(|group| group.suits(live))
    }

    /// Their positions, in recorded order.
    pub(super) fn positions(&self, key: &Key, live: &Fields) -> Vec<usize> {
        KeyGroup::all_positions(self.suitable(key.hash(), live))
    }

    /// True if the response at a position suits a request with these fields.
    pub(super) fn suits(&self, position: usize, live: &Fields) -> bool {
        let variant = self.variants[position].as_ref();
        variant.is_none_or(|variant| variant.suits(live))
    }

    /// The positions of all exchanges of a key.
    pub(super) fn all_positions(&self, key: &Key) -> Vec<usize> {
        KeyGroup::all_positions(self.groups.get(&key.hash()).into_iter().flatten())
    }

    /// The place of an exchange among these positions.
    pub(super) fn place_of(&self, entry: &Entry, positions: &[usize]) -> Option<usize> {
        let is_same = |position: &usize| self.entries[*position].0.ordinal == entry.ordinal;
        positions.iter().position(is_same)
    }

    /// Adds an exchange with its key, at the next position.
    pub(super) fn add(&mut self, entry: Arc<Entry>, derived: Option<DerivedKey>) {
        let position = self.entries.len();
        let variant = derived.as_ref().map(|it| &it.variant);
        let variant = variant.and_then(|variant| self.shared_variant(variant));
        self.variants.push(variant.clone());
        if let Some(derived) = &derived
            && !self
                .truncated
                .add(&entry, derived.truncated.as_ref(), position)
        {
            let groups = self.groups.entry(derived.key.hash()).or_default();
            KeyGroup::add(groups, variant, position);
            if let Some(whole) = derived.whole {
                self.whole.entry(whole).or_default().push(position);
            }
        }
        let uses = derived.as_ref().map(|derived| derived.key.identities());
        let uses = uses.unwrap_or_default().iter().map(|it| &it.identity);
        self.identities.extend(uses.clone().cloned());
        let is_secret = |identity: &Identity| !matches!(identity, Identity::Minted(_));
        if uses.into_iter().any(is_secret) {
            self.with_secrets.push(position);
            let size = usize::try_from(entry.request.body.size()).unwrap_or(usize::MAX);
            self.largest_with_secrets = self.largest_with_secrets.max(size);
        }
        self.entries
            .push((entry, derived.map(|derived| derived.key)));
    }

    /// Most responses of a session were selected by the same.
    fn shared_variant(&mut self, variant: &Variant) -> Option<Arc<Variant>> {
        if variant.is_any() {
            return None;
        }
        if let Some(known) = self.known_variants.get(variant) {
            return Some(Arc::clone(known));
        }
        let variant = Arc::new(variant.clone());
        self.known_variants.insert(Arc::clone(&variant));
        Some(variant)
    }

    fn take_next(&self, key: u128, live: &Fields, exhausted: ExhaustedPolicy) -> LookupResult {
        loop {
            let (mut next, mut last, mut count) = (None, None, 0);
            for group in self.suitable(key, live) {
                if let Some(unused) = group.next_unused(&self.entries) {
                    let is_earlier = |(known, _): &(Unused, _)| unused.position < known.position;
                    if next.as_ref().is_none_or(is_earlier) {
                        next = Some((unused, group));
                    }
                }
                last = last.max(group.positions().last());
                count += group.positions().len();
            }
            let Some((unused, group)) = next else {
                let repeat = |last: &usize| self.repeat_last(*last, count, exhausted);
                return last.map_or(LookupResult::NotFound, repeat);
            };
            // Another request may have taken it meanwhile.
            if let Some(claimed) = group.claim(unused, &self.entries[unused.position].0) {
                return LookupResult::Hit(claimed);
            }
        }
    }

    /// Repeats the exchange at this position, the last one of `count`.
    pub(super) fn repeat_last(
        &self,
        last: usize,
        count: usize,
        exhausted: ExhaustedPolicy,
    ) -> LookupResult {
        let (last, _) = &self.entries[last];
        if !exhausted.repeats(last) {
            return LookupResult::Exhausted(count);
        }
        last.count_replay();
        LookupResult::Hit(ClaimedEntry::repeated(last))
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
