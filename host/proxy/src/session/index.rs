//! Finds recorded exchanges by key: a hash look-up, whatever the cassette's size.
//!
//! An index belongs to one generation of plugins, since keys are derived by the matchers and not
//! stored. How often an exchange was replayed belongs to the exchange itself, so a change of
//! generation starts no sequence anew.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use bytes::Bytes;

use super::{Entry, Session};
use ouli_cassette::CassetteDir;
use ouli_codec::MessageView;
use ouli_matching::key::{self, DescribedPart, Key};
use ouli_matching::miss::{self, Candidate, Cause, Miss, MissedRequest};
use ouli_message::{Content, Request};
use ouli_plugin::{MatchKey, PluginFailure, Plugins};

/// Candidates that are compared in full for the report of a miss.
const MAX_COMPARED: usize = 24;

/// Exchanges that one thread derives keys for before a second is worth its start.
const MIN_ENTRIES_PER_THREAD: usize = 2_000;

/// What happens when all exchanges of a key were replayed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExhaustedPolicy {
    /// The last one is replayed again.
    #[default]
    Repeat,
    /// The last one is replayed again, unless it failed: then the upstream is asked.
    RepeatUnlessFailed,
    /// The request is a miss.
    Miss,
}

impl ExhaustedPolicy {
    /// True where this exchange is replayed once more.
    pub(super) fn repeats(self, entry: &Entry) -> bool {
        match self {
            Self::Repeat => true,
            Self::RepeatUnlessFailed => entry.failure.is_none(),
            Self::Miss => false,
        }
    }
}

/// The answer to a look-up.
#[derive(Debug)]
pub enum LookupResult {
    /// This exchange is to be replayed.
    Hit(Arc<Entry>),
    /// This many are recorded, all were replayed, and none is to be repeated.
    Exhausted(usize),
    /// Nothing is recorded under this key.
    NotFound,
}

/// The index of one session under one generation of plugins.
pub struct Index {
    pub(super) session: Arc<Session>,
    pub(super) plugins: Arc<Plugins>,
    folder: Arc<CassetteDir>,
    state: RwLock<IndexState>,
    /// What the clients of conversations said, as keys, by the ordinals of the exchanges.
    pub(super) client_message_keys: Mutex<HashMap<u64, Arc<[u128]>>>,
}

#[derive(Default)]
struct IndexState {
    entries: Vec<(Arc<Entry>, Option<Key>)>,
    groups: HashMap<u128, Group>,
    /// Places of requests in which placeholders stand that no rule puts there again.
    wildcards: Vec<usize>,
}

/// What is known of a recorded request under this generation of plugins.
#[derive(Clone)]
struct DerivedKey {
    key: Key,
    has_wildcard: bool,
}

/// The exchanges of one key in recorded order.
#[derive(Default)]
struct Group {
    positions: Vec<usize>,
    next: AtomicUsize,
}

impl Index {
    /// Derives the keys of all exchanges of the session. Takes long for many of them: not for a
    /// thread that serves.
    pub fn build(session: Arc<Session>, plugins: Arc<Plugins>, folder: Arc<CassetteDir>) -> Self {
        let index = Self {
            session,
            plugins,
            folder,
            state: RwLock::default(),
            client_message_keys: Mutex::default(),
        };
        index.index_new_entries();
        index
    }

    /// The next exchange for a key.
    pub fn find(&self, key: &Key, exhausted: ExhaustedPolicy) -> LookupResult {
        self.index_new_entries();
        let derived = self.state.read().unwrap_or_else(PoisonError::into_inner);
        derived.take_next(key.hash(), exhausted)
    }

    /// Any exchange with its key, where there is one.
    pub fn any_entry(&self) -> Option<(Arc<Entry>, Key)> {
        let derived = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let mut keyed = derived.entries.iter();
        keyed.find_map(|(entry, key)| Some((Arc::clone(entry), key.clone()?)))
    }

    /// All exchanges of a key, in recorded order.
    pub(super) fn entries_for_key(&self, key: &Key) -> Vec<Arc<Entry>> {
        self.index_new_entries();
        let derived = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let group = derived.groups.get(&key.hash());
        let places = group.into_iter().flat_map(|group| &group.positions);
        places
            .map(|place| Arc::clone(&derived.entries[*place].0))
            .collect()
    }

    /// True where [`Self::find_by_wildcard`] may find something.
    pub fn has_wildcards(&self) -> bool {
        let derived = self.state.read().unwrap_or_else(PoisonError::into_inner);
        !derived.wildcards.is_empty()
    }

    /// The next exchange whose request is the live one with any text in the place of a placeholder.
    /// Where requests of several keys fit, none is taken.
    pub fn find_by_wildcard(
        &self,
        key: &Key,
        live: &[DescribedPart],
        exhausted: ExhaustedPolicy,
    ) -> LookupResult {
        let derived = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let loose = derived.wildcards.iter().filter_map(|place| {
            let (_, key) = &derived.entries[*place];
            key.as_ref().map(|key| (*place, key))
        });
        let near = miss::rank(key, loose, MAX_COMPARED);
        let mut fitting = near.into_iter().filter_map(|place| {
            let (entry, key) = &derived.entries[place];
            let candidate = self.candidate(entry)?;
            let fits = key::matches_with_wildcards(&candidate.described, live);
            fits.then(|| key.as_ref().map(Key::hash)).flatten()
        });
        match fitting.next() {
            Some(hash) if fitting.all(|other| other == hash) => derived.take_next(hash, exhausted),
            Some(_) | None => LookupResult::NotFound,
        }
    }

    /// Explains why a request has no answer: the nearest recorded requests, part by part.
    pub fn explain_miss(
        &self,
        request: &Arc<dyn MessageView>,
        keyed: &MatchKey,
        described: Vec<DescribedPart>,
        spent: Option<usize>,
    ) -> Miss {
        let derived = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let keys = derived.entries.iter().enumerate();
        let keys = keys.filter_map(|(place, (_, key))| key.as_ref().map(|key| (place, key)));
        let nearest = miss::rank(&keyed.key, keys, MAX_COMPARED);
        let candidates = nearest
            .into_iter()
            .filter_map(|place| self.candidate(&derived.entries[place].0))
            .collect();
        let cause = match spent {
            Some(recorded) => Cause::Exhausted { recorded },
            None if derived.entries.is_empty() => Cause::Empty,
            None => Cause::NoMatch,
        };
        let authority = request.authority();
        let missed = MissedRequest {
            session: self.session.name().to_string(),
            request_line: format!("{} {}", request.method(), redacted_target(&**request)),
            upstream: (!authority.is_empty()).then(|| authority.to_owned()),
            matcher: (!keyed.matcher.is_builtin()).then(|| keyed.matcher.name().to_owned()),
            described,
            cause,
        };
        miss::report(missed, candidates)
    }

    fn candidate(&self, entry: &Arc<Entry>) -> Option<Candidate> {
        let view = self.request_view(entry).ok()?;
        Some(Candidate {
            ordinal: usize::try_from(entry.ordinal).unwrap_or(usize::MAX),
            request_line: format!("{} {}", view.method(), redacted_target(&*view)),
            replayed: entry.is_used(),
            described: self.plugins.describe(&view, self.session.secrets()).ok()?,
        })
    }

    /// Takes in what was recorded since the last time.
    fn index_new_entries(&self) {
        let known = {
            let derived = self.state.read().unwrap_or_else(PoisonError::into_inner);
            derived.entries.len()
        };
        if self.session.len() == known {
            return;
        }
        let mut derived = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let new = self.session.entries_from(derived.entries.len());
        let keys = self.derive_all(&new);
        for (entry, known) in new.into_iter().zip(keys) {
            let place = derived.entries.len();
            if let Some(known) = &known {
                let group = derived.groups.entry(known.key.hash()).or_default();
                group.positions.push(place);
                if known.has_wildcard {
                    derived.wildcards.push(place);
                }
            }
            derived.entries.push((entry, known.map(|known| known.key)));
        }
    }

    fn derive_all(&self, entries: &[Arc<Entry>]) -> Vec<Option<DerivedKey>> {
        if entries.len() <= MIN_ENTRIES_PER_THREAD {
            return self.derive_part(entries);
        }
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let share = entries.len().div_ceil(threads).max(MIN_ENTRIES_PER_THREAD);
        std::thread::scope(|scope| {
            let parts: Vec<_> = entries
                .chunks(share)
                .map(|part| scope.spawn(|| self.derive_part(part)))
                .collect();
            let joined = parts.into_iter().zip(entries.chunks(share));
            joined
                .flat_map(|(part, entries)| {
                    // A thread that panicked leaves its exchanges without keys: they are misses,
                    // not wrong answers.
                    part.join().unwrap_or_else(|_| vec![None; entries.len()])
                })
                .collect()
        })
    }

    fn derive_part(&self, entries: &[Arc<Entry>]) -> Vec<Option<DerivedKey>> {
        entries
            .iter()
            .map(|entry| match self.derive(entry) {
                Ok(known) => Some(known),
                Err(reason) => {
                    let (session, ordinal) = (self.session.name(), entry.ordinal);
                    tracing::error!(%session, "exchange {ordinal} has no key: {reason}");
                    None
                }
            })
            .collect()
    }

    fn derive(&self, entry: &Arc<Entry>) -> Result<DerivedKey, String> {
        let view = self.request_view(entry)?;
        let secrets = self.session.secrets();
        let keyed = self.plugins.key(&view, secrets);
        let key = keyed.map_err(|error| error.to_string())?.key;
        // Describing costs more than a key, and few requests have a placeholder at all.
        let loose = may_have_placeholder(&entry.request)
            && self
                .plugins
                .describe(&view, secrets)
                .is_ok_and(|parts| key::holds_placeholder(&parts));
        Ok(DerivedKey {
            key,
            has_wildcard: loose,
        })
    }

    /// The recorded request as matchers see it. Redaction runs here too, so that a rule that came
    /// after the recording hides the same places on both sides.
    pub(super) fn request_view(&self, entry: &Entry) -> Result<Arc<dyn MessageView>, String> {
        let request = self
            .load_body(&entry.request)
            .map_err(|error| error.to_string())?;
        let view = self.plugins.view(
            entry.endpoint.as_str().into(),
            Arc::clone(self.session.name()),
            request,
            Arc::clone(self.session.secrets()),
        );
        view.map_err(|error: PluginFailure| error.to_string())
    }

    fn load_body(&self, request: &Arc<Request>) -> std::io::Result<Arc<Request>> {
        match &request.body {
            Content::Inline(_) => Ok(Arc::clone(request)),
            stored @ Content::Stored { .. } => Ok(Arc::new(Request {
                body: Content::Inline(self.read_content(stored)?),
                ..Request::clone(request)
            })),
        }
    }

    /// The bytes of a body or a message, read where they are stored beside the cassette.
    pub(super) fn read_content(&self, content: &Content) -> std::io::Result<Bytes> {
        match content {
            Content::Inline(bytes) => Ok(bytes.clone()),
            Content::Stored { digest, .. } => self.folder.read_body(self.session.name(), digest),
        }
    }
}

impl IndexState {
    fn take_next(&self, hash: u128, exhausted: ExhaustedPolicy) -> LookupResult {
        let Some(group) = self.groups.get(&hash) else {
            return LookupResult::NotFound;
        };
        let places = &group.positions;
        let mut next = group.next.load(Ordering::Relaxed);
        while let Some(place) = places.get(next) {
            let (entry, _) = &self.entries[*place];
            next += 1;
            if entry.claim_first() {
                group.next.fetch_max(next, Ordering::Relaxed);
                return LookupResult::Hit(Arc::clone(entry));
            }
        }
        let last = places.last().map(|place| &self.entries[*place].0);
        match last.filter(|last| exhausted.repeats(last)) {
            Some(last) => {
                last.count_replay();
                LookupResult::Hit(Arc::clone(last))
            }
            None => LookupResult::Exhausted(places.len()),
        }
    }
}

/// A cheap look: placeholders have these around them, in text and in URLs.
fn may_have_placeholder(request: &Request) -> bool {
    let in_text = |bytes: &[u8]| memchr::memchr(b'<', bytes).is_some();
    let target = request.target.as_bytes();
    in_text(target)
        || memchr::memmem::find(target, b"%3C").is_some()
        || in_text(request.body.inline())
}

/// Path and query of the redacted view.
pub(super) fn redacted_target(request: &dyn MessageView) -> String {
    let query = request.query();
    let path = request.path();
    if query.is_empty() {
        return path.to_owned();
    }
    let pairs: Vec<_> = query
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    format!("{path}?{}", pairs.join("&"))
}
