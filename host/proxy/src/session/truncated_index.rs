//! The exchanges of an index whose requests are truncated.
//!
//! They are found by the part of the body that was received, so a live request is looked up once
//! for each length at which recorded requests were truncated. A key is derived for each of them,
//! which is why those that are most likely to match come first ([`TruncatedCandidate`]).

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use bytes::Bytes;
use http::Method;
use xxhash_rust::xxh3::{Xxh3, xxh3_128};

use super::entry::Entry;
use super::truncated_request;

/// Bytes that are kept of each truncated body, to tell it from others before its end has arrived.
const MAX_BEGINNING: usize = 4096;

/// A length at which a request is truncated, and the hash of the key of that part.
pub(crate) type TruncatedKey = (u64, u128);

/// What identifies the part of a truncated request.
#[derive(Clone, Debug)]
pub(super) struct TruncatedIdentity {
    /// The key under which it is found.
    pub(super) key: TruncatedKey,
    /// The digest of the part, if it is recorded as it was received.
    pub(super) exact: Option<u128>,
    /// The first bytes of the part, up to a possible placeholder.
    pub(super) beginning: Bytes,
}

impl TruncatedIdentity {
    /// The identity of a part that is recorded as `body`.
    pub(super) fn new(key: TruncatedKey, body: &[u8]) -> Self {
        // A redacted or decoded body has another length.
        let is_exact = body.len() as u64 == key.0;
        let placeholder = memchr::memchr(b'<', body).filter(|_| !is_exact);
        let end = placeholder.unwrap_or(body.len()).min(MAX_BEGINNING);
        Self {
            key,
            exact: is_exact.then(|| xxh3_128(body)),
            beginning: Bytes::copy_from_slice(&body[..end]),
        }
    }
}

/// A length at which recorded requests are truncated, which the first part of a live request may
/// match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TruncatedCandidate {
    /// A recorded request has the same bytes.
    pub(crate) is_exact: bool,
    /// A recorded request has the same method and path.
    is_same_path: bool,
    pub(crate) length: u64,
    /// The position of the first exchange of this length that was not replayed yet.
    pub(crate) next: Option<usize>,
}

/// The exchanges whose requests are truncated, as positions in the index.
#[derive(Clone, Default)]
pub(super) struct TruncatedEntries {
    groups: HashMap<TruncatedKey, Vec<usize>>,
    by_length: BTreeMap<u64, TruncatedLength>,
    /// The lengths by method and path.
    by_path: HashMap<u64, BTreeSet<u64>>,
    /// The methods and paths of requests that are not truncated.
    whole_paths: HashSet<u64>,
    /// The first bytes of the parts by position.
    beginnings: HashMap<usize, Bytes>,
}

/// The exchanges whose requests are truncated at one length.
#[derive(Clone, Default)]
struct TruncatedLength {
    positions: Vec<usize>,
    /// The digests of the parts that are recorded as they were received.
    exact: HashSet<u128>,
}

impl TruncatedEntries {
    /// Adds an exchange. True if its request is truncated.
    pub(super) fn add(
        &mut self,
        entry: &Entry,
        identity: Option<&TruncatedIdentity>,
        position: usize,
    ) -> bool {
        let request = &entry.request;
        let path = path_hash(&request.method, request.path());
        let Some(identity) = identity else {
            self.whole_paths.insert(path);
            return false;
        };
        // It would match any body.
        if truncated_request::is_comparable(request) {
            let key = identity.key;
            let length = self.by_length.entry(key.0).or_default();
            length.positions.push(position);
            length.exact.extend(identity.exact);
            self.beginnings.insert(position, identity.beginning.clone());
            self.by_path.entry(path).or_default().insert(key.0);
            self.groups.entry(key).or_default().push(position);
        }
        true
    }

    /// True if recorded requests are truncated within the first `length` bytes of their bodies.
    pub(super) fn has_shorter(&self, length: u64) -> bool {
        let shortest = self.by_length.first_key_value();
        shortest.is_some_and(|(shortest, _)| *shortest <= length)
    }

    /// The lengths whose part of a body may match, the likeliest first: the same bytes before
    /// others, then exchanges that were not replayed yet, the same path, and the recorded order.
    pub(super) fn candidates(
        &self,
        (method, path): (&Method, &str),
        body: &[u8],
        is_unused: impl Fn(usize) -> bool,
    ) -> Vec<TruncatedCandidate> {
        let same_path = self.by_path.get(&path_hash(method, path));
        let (mut digest, mut digested) = (Xxh3::new(), 0);
        let mut candidates: Vec<_> = self
            .by_length
            .range(..=body.len() as u64)
            .map(|(length, recorded)| {
                let end = usize::try_from(*length).unwrap_or(body.len());
                if !recorded.exact.is_empty() {
                    digest.update(&body[digested..end]);
                    digested = end;
                }
                let mut positions = recorded.positions.iter().copied();
                TruncatedCandidate {
                    length: *length,
                    is_exact: !recorded.exact.is_empty()
                        && recorded.exact.contains(&digest.digest128()),
                    is_same_path: same_path.is_some_and(|lengths| lengths.contains(length)),
                    next: positions.find(|position| is_unused(*position)),
                }
            })
            .collect();
        candidates.sort_by_key(|it| {
            let is_unlikely = (!it.is_exact, it.next.is_none(), !it.is_same_path);
            (is_unlikely, it.next, it.length)
        });
        candidates
    }

    /// True if a part of this length has this digest.
    pub(super) fn has_exact(&self, length: u64, digest: u128) -> bool {
        let recorded = self.by_length.get(&length);
        recorded.is_some_and(|recorded| recorded.exact.contains(&digest))
    }

    /// The first bytes of the body of a truncated request, as the client sent them.
    pub(super) fn beginning<'a>(&'a self, position: usize, entry: &'a Entry) -> &'a [u8] {
        let body = entry.request.body.inline();
        if entry.request.truncated_at == Some(body.len() as u64) {
            return body;
        }
        self.beginnings.get(&position).map_or(&[], |it| it)
    }

    /// The lengths after which a request to this path can be answered before its end, because all
    /// recorded requests to the path are truncated.
    pub(super) fn early_lengths(&self, method: &Method, path: &str) -> Vec<u64> {
        let path = path_hash(method, path);
        let lengths = self.by_path.get(&path);
        let lengths = lengths.filter(|_| !self.whole_paths.contains(&path));
        lengths.into_iter().flatten().copied().collect()
    }

    /// The positions of a key, in recorded order.
    pub(super) fn positions(&self, key: TruncatedKey) -> &[usize] {
        self.groups.get(&key).map_or(&[], Vec::as_slice)
    }
}

fn path_hash(method: &Method, path: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (method, path).hash(&mut hasher);
    hasher.finish()
}
