//! One secret and its placeholder.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use parking_lot::RwLock;

use crate::placeholder;

/// The class and the number of a placeholder.
pub(super) type Name = (Arc<str>, u64);

/// A secret of a session.
pub struct Secret {
    value: Arc<[u8]>,
    /// A keyed digest of the value.
    digest: u128,
    class: Arc<str>,
    /// Its placeholder: of the class, or one of a recorded secret that it stands for.
    name: RwLock<Name>,
    rule: Arc<str>,
    is_word: bool,
    kind: SecretKind,
    /// The time of the registry when it was seen last.
    last_seen: AtomicU64,
    /// The time of the registry when it was seen first.
    first_seen: u64,
    is_recorded: AtomicBool,
    is_minted: AtomicBool,
    is_sent: AtomicBool,
    /// The eviction of the registry that forgot it.
    forgotten_by: AtomicU64,
    /// The number of its anchors in the searcher of the registry.
    anchors: AtomicUsize,
}

/// Where a secret is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SeenIn {
    /// In a request that is looked up.
    Lookup,
    /// In what a client sent, which is recorded.
    Request,
    /// In a response that is recorded.
    Response {
        /// The time of the registry when it began: the client cannot have known it before.
        begun: u64,
    },
}

impl SeenIn {
    fn is_recording(self) -> bool {
        self != Self::Lookup
    }
}

/// How a secret is kept and used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SecretKind {
    /// It is never forgotten.
    pub(super) is_pinned: bool,
    /// It is searched for in texts.
    pub(super) is_searched_for: bool,
}

impl Secret {
    pub(super) fn new(
        rule: Arc<str>,
        (class, name): (Arc<str>, Name),
        (value, digest): (&[u8], u128),
        (kind, now): (SecretKind, u64),
    ) -> Self {
        Self {
            value: value.into(),
            digest,
            class,
            name: RwLock::new(name),
            rule,
            is_word: value.len() < LONG_VALUE_LEN && value.iter().all(u8::is_ascii_alphanumeric),
            kind,
            last_seen: AtomicU64::new(now),
            first_seen: now,
            is_recorded: AtomicBool::new(false),
            is_minted: AtomicBool::new(false),
            is_sent: AtomicBool::new(false),
            forgotten_by: AtomicU64::new(NEVER),
            anchors: AtomicUsize::new(0),
        }
    }

    /// The value of the secret.
    pub(super) fn value(&self) -> &Arc<[u8]> {
        &self.value
    }

    /// A keyed digest of the value.
    pub(super) fn digest(&self) -> u128 {
        self.digest
    }

    /// The class of the rule that found it first.
    pub fn class(&self) -> &Arc<str> {
        &self.class
    }

    /// The id of the rule that found it first.
    pub fn rule(&self) -> &Arc<str> {
        &self.rule
    }

    /// Its placeholder, such as `<token-1>`.
    pub fn placeholder(&self) -> String {
        let (class, number) = &*self.name.read();
        placeholder::numbered(class, *number)
    }

    /// The class and the number of its placeholder.
    pub(super) fn name(&self) -> Name {
        self.name.read().clone()
    }

    /// Its placeholder is this one from now on.
    pub(super) fn rename(&self, name: Name) {
        *self.name.write() = name;
    }

    /// True if it looks like a word: it is found only between word boundaries.
    pub(super) fn is_word(&self) -> bool {
        self.is_word
    }

    /// True if it is never forgotten.
    pub(super) fn is_pinned(&self) -> bool {
        self.kind.is_pinned
    }

    /// True if it is searched for in texts.
    pub(super) fn is_searched_for(&self) -> bool {
        self.kind.is_searched_for
    }

    /// It is seen at this time of the registry. True if a request is the first that is recorded
    /// with it.
    pub(super) fn see(&self, now: u64, place: SeenIn) -> bool {
        self.last_seen.fetch_max(now, Ordering::Relaxed);
        if !place.is_recording() {
            return false;
        }
        let is_first = !self.is_recorded.swap(true, Ordering::AcqRel);
        if let SeenIn::Response { begun } = place
            && is_first
            && self.first_seen > begun
        {
            self.is_minted.store(true, Ordering::Release);
        }
        is_first && place == SeenIn::Request
    }

    /// True if a response revealed it, before any client sent it. `is_told` is true if the upstream
    /// has told it until now.
    pub(super) fn is_minted(&self, is_told: impl FnOnce() -> bool) -> bool {
        self.is_minted.load(Ordering::Acquire) || !self.is_sent.load(Ordering::Acquire) && is_told()
    }

    /// It is sent to the upstream, which may repeat it from now on.
    pub(super) fn send(&self, is_told: impl FnOnce() -> bool) {
        if self.is_minted(is_told) {
            self.is_minted.store(true, Ordering::Release);
        }
        self.is_sent.store(true, Ordering::Release);
    }

    /// The time of the registry when it was seen last.
    pub(super) fn last_seen(&self) -> u64 {
        self.last_seen.load(Ordering::Relaxed)
    }

    /// True if it was seen in an exchange to be recorded.
    pub(super) fn is_recorded(&self) -> bool {
        self.is_recorded.load(Ordering::Relaxed)
    }

    /// The registry does not know it any more, from this eviction on.
    pub(super) fn forget(&self, eviction: u64) {
        self.forgotten_by.store(eviction, Ordering::Relaxed);
    }

    /// True if the registry does not know it any more.
    pub(super) fn is_forgotten(&self) -> bool {
        self.forgotten_by.load(Ordering::Relaxed) != NEVER
    }

    /// True if the registry did not know it any more after this eviction.
    pub(super) fn is_forgotten_by(&self, eviction: u64) -> bool {
        self.forgotten_by.load(Ordering::Relaxed) <= eviction
    }

    /// The searcher of the registry has so many anchors of it.
    pub(super) fn set_anchors(&self, anchors: usize) {
        self.anchors.store(anchors, Ordering::Relaxed);
    }

    /// The number of its anchors in the searcher of the registry.
    pub(super) fn anchors(&self) -> usize {
        self.anchors.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.placeholder())
    }
}

/// A value of at least this many bytes is not an ordinary word.
const LONG_VALUE_LEN: usize = 16;

/// No eviction.
const NEVER: u64 = u64::MAX;
