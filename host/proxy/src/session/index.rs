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
use ouli_cassette::Folder;
use ouli_codec::Message;
use ouli_matching::key::{self, Described, Key};
use ouli_matching::miss::{self, Candidate, Cause, Miss, Missed};
use ouli_message::{Content, Request};
use ouli_plugin::{Keyed, PluginFailure, Plugins};

/// Candidates that are compared in full for the report of a miss.
const COMPARED: usize = 24;

/// Exchanges that one thread derives keys for before a second is worth its start.
const SHARE: usize = 2_000;

/// What happens when all exchanges of a key were replayed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Exhausted {
    /// The last one is replayed again.
    #[default]
    Repeat,
    /// The last one is replayed again, unless it failed: then the upstream is asked.
    RepeatAnswers,
    /// The request is a miss.
    Miss,
}

impl Exhausted {
    /// True where this exchange is replayed once more.
    pub(super) fn repeats(self, entry: &Entry) -> bool {
        match self {
            Self::Repeat => true,
            Self::RepeatAnswers => entry.failure.is_none(),
            Self::Miss => false,
        }
    }
}

/// The answer to a look-up.
#[derive(Debug)]
pub enum Found {
    /// This exchange is to be replayed.
    Hit(Arc<Entry>),
    /// This many are recorded, all were replayed, and none is to be repeated.
    Spent(usize),
    /// Nothing is recorded under this key.
    Nothing,
}

/// The index of one session under one generation of plugins.
pub struct Index {
    pub(super) session: Arc<Session>,
    pub(super) plugins: Arc<Plugins>,
    folder: Arc<Folder>,
    derived: RwLock<Derived>,
    /// What the clients of conversations said, as keys, by the ordinals of the exchanges.
    pub(super) said: Mutex<HashMap<u64, Arc<[u128]>>>,
}

#[derive(Default)]
struct Derived {
    entries: Vec<(Arc<Entry>, Option<Key>)>,
    groups: HashMap<u128, Group>,
    /// Places of requests in which placeholders stand that no rule puts there again.
    loose: Vec<usize>,
}

/// What is known of a recorded request under this generation of plugins.
#[derive(Clone)]
struct Known {
    key: Key,
    loose: bool,
}

/// The exchanges of one key in recorded order.
#[derive(Default)]
struct Group {
    places: Vec<usize>,
    next: AtomicUsize,
}

impl Index {
    /// Derives the keys of all exchanges of the session. Takes long for many of them: not for a
    /// thread that serves.
    pub fn build(session: Arc<Session>, plugins: Arc<Plugins>, folder: Arc<Folder>) -> Self {
        let index = Self {
            session,
            plugins,
            folder,
            derived: RwLock::default(),
            said: Mutex::default(),
        };
        index.catch_up();
        index
    }

    /// The next exchange for a key.
    pub fn find(&self, key: &Key, exhausted: Exhausted) -> Found {
        self.catch_up();
        let derived = self.derived.read().unwrap_or_else(PoisonError::into_inner);
        derived.take(key.hash(), exhausted)
    }

    /// Any exchange with its key, where there is one.
    pub fn sample(&self) -> Option<(Arc<Entry>, Key)> {
        let derived = self.derived.read().unwrap_or_else(PoisonError::into_inner);
        let mut keyed = derived.entries.iter();
        keyed.find_map(|(entry, key)| Some((Arc::clone(entry), key.clone()?)))
    }

    /// All exchanges of a key, in recorded order.
    pub(super) fn group(&self, key: &Key) -> Vec<Arc<Entry>> {
        self.catch_up();
        let derived = self.derived.read().unwrap_or_else(PoisonError::into_inner);
        let group = derived.groups.get(&key.hash());
        let places = group.into_iter().flat_map(|group| &group.places);
        places
            .map(|place| Arc::clone(&derived.entries[*place].0))
            .collect()
    }

    /// True where [`Self::find_loosely`] may find something.
    pub fn is_loose(&self) -> bool {
        let derived = self.derived.read().unwrap_or_else(PoisonError::into_inner);
        !derived.loose.is_empty()
    }

    /// The next exchange whose request is the live one with any text in the place of a placeholder.
    /// Where requests of several keys fit, none is taken.
    pub fn find_loosely(&self, key: &Key, live: &[Described], exhausted: Exhausted) -> Found {
        let derived = self.derived.read().unwrap_or_else(PoisonError::into_inner);
        let loose = derived.loose.iter().filter_map(|place| {
            let (_, key) = &derived.entries[*place];
            key.as_ref().map(|key| (*place, key))
        });
        let near = miss::rank(key, loose, COMPARED);
        let mut fitting = near.into_iter().filter_map(|place| {
            let (entry, key) = &derived.entries[place];
            let candidate = self.candidate(entry)?;
            let fits = key::fits(&candidate.described, live);
            fits.then(|| key.as_ref().map(Key::hash)).flatten()
        });
        match fitting.next() {
            Some(hash) if fitting.all(|other| other == hash) => derived.take(hash, exhausted),
            Some(_) | None => Found::Nothing,
        }
    }

    /// Explains why a request has no answer: the nearest recorded requests, part by part.
    pub fn explain(
        &self,
        request: &Arc<dyn Message>,
        keyed: &Keyed,
        described: Vec<Described>,
        spent: Option<usize>,
    ) -> Miss {
        let derived = self.derived.read().unwrap_or_else(PoisonError::into_inner);
        let keys = derived.entries.iter().enumerate();
        let keys = keys.filter_map(|(place, (_, key))| key.as_ref().map(|key| (place, key)));
        let nearest = miss::rank(&keyed.key, keys, COMPARED);
        let candidates = nearest
            .into_iter()
            .filter_map(|place| self.candidate(&derived.entries[place].0))
            .collect();
        let cause = match spent {
            Some(recorded) => Cause::Exhausted { recorded },
            None if derived.entries.is_empty() => Cause::Empty,
            None => Cause::Unequal,
        };
        let authority = request.authority();
        let missed = Missed {
            session: self.session.name().to_string(),
            line: format!("{} {}", request.method(), shown_target(&**request)),
            upstream: (!authority.is_empty()).then(|| authority.to_owned()),
            matcher: (!keyed.matcher.is_builtin()).then(|| keyed.matcher.name().to_owned()),
            described,
            cause,
        };
        miss::report(missed, candidates)
    }

    fn candidate(&self, entry: &Arc<Entry>) -> Option<Candidate> {
        let view = self.view(entry).ok()?;
        Some(Candidate {
            ordinal: usize::try_from(entry.ordinal).unwrap_or(usize::MAX),
            line: format!("{} {}", view.method(), shown_target(&*view)),
            used: entry.used(),
            described: self.plugins.describe(&view, self.session.secrets()).ok()?,
        })
    }

    /// Takes in what was recorded since the last time.
    fn catch_up(&self) {
        let known = {
            let derived = self.derived.read().unwrap_or_else(PoisonError::into_inner);
            derived.entries.len()
        };
        if self.session.len() == known {
            return;
        }
        let mut derived = self.derived.write().unwrap_or_else(PoisonError::into_inner);
        let new = self.session.entries_from(derived.entries.len());
        let keys = self.derive_all(&new);
        for (entry, known) in new.into_iter().zip(keys) {
            let place = derived.entries.len();
            if let Some(known) = &known {
                let group = derived.groups.entry(known.key.hash()).or_default();
                group.places.push(place);
                if known.loose {
                    derived.loose.push(place);
                }
            }
            derived.entries.push((entry, known.map(|known| known.key)));
        }
    }

    fn derive_all(&self, entries: &[Arc<Entry>]) -> Vec<Option<Known>> {
        if entries.len() <= SHARE {
            return self.derive_part(entries);
        }
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let share = entries.len().div_ceil(threads).max(SHARE);
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

    fn derive_part(&self, entries: &[Arc<Entry>]) -> Vec<Option<Known>> {
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

    fn derive(&self, entry: &Arc<Entry>) -> Result<Known, String> {
        let view = self.view(entry)?;
        let secrets = self.session.secrets();
        let keyed = self.plugins.key(&view, secrets);
        let key = keyed.map_err(|error| error.to_string())?.key;
        // Describing costs more than a key, and few requests have a placeholder at all.
        let loose = has_placeholder(&entry.request)
            && self
                .plugins
                .describe(&view, secrets)
                .is_ok_and(|parts| key::holds_placeholder(&parts));
        Ok(Known { key, loose })
    }

    /// The recorded request as matchers see it. Redaction runs here too, so that a rule that came
    /// after the recording hides the same places on both sides.
    pub(super) fn view(&self, entry: &Entry) -> Result<Arc<dyn Message>, String> {
        let request = self
            .whole(&entry.request)
            .map_err(|error| error.to_string())?;
        let view = self.plugins.view(
            entry.endpoint.as_str().into(),
            Arc::clone(self.session.name()),
            request,
            Arc::clone(self.session.secrets()),
        );
        view.map_err(|error: PluginFailure| error.to_string())
    }

    fn whole(&self, request: &Arc<Request>) -> std::io::Result<Arc<Request>> {
        match &request.body {
            Content::Inline(_) => Ok(Arc::clone(request)),
            stored @ Content::Stored { .. } => Ok(Arc::new(Request {
                body: Content::Inline(self.bytes(stored)?),
                ..Request::clone(request)
            })),
        }
    }

    /// The bytes of a body or a message, read where they are stored beside the cassette.
    pub(super) fn bytes(&self, content: &Content) -> std::io::Result<Bytes> {
        match content {
            Content::Inline(bytes) => Ok(bytes.clone()),
            Content::Stored { digest, .. } => self.folder.body(self.session.name(), digest),
        }
    }
}

impl Derived {
    fn take(&self, hash: u128, exhausted: Exhausted) -> Found {
        let Some(group) = self.groups.get(&hash) else {
            return Found::Nothing;
        };
        let places = &group.places;
        let mut next = group.next.load(Ordering::Relaxed);
        while let Some(place) = places.get(next) {
            let (entry, _) = &self.entries[*place];
            next += 1;
            if entry.take_first() {
                group.next.fetch_max(next, Ordering::Relaxed);
                return Found::Hit(Arc::clone(entry));
            }
        }
        let last = places.last().map(|place| &self.entries[*place].0);
        match last.filter(|last| exhausted.repeats(last)) {
            Some(last) => {
                last.replay_again();
                Found::Hit(Arc::clone(last))
            }
            None => Found::Spent(places.len()),
        }
    }
}

/// A cheap look: placeholders have these around them, in text and in URLs.
fn has_placeholder(request: &Request) -> bool {
    let in_text = |bytes: &[u8]| memchr::memchr(b'<', bytes).is_some();
    let target = request.target.as_bytes();
    in_text(target)
        || memchr::memmem::find(target, b"%3C").is_some()
        || in_text(request.body.inline())
}

/// Path and query of the redacted view.
pub(super) fn shown_target(request: &dyn Message) -> String {
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
