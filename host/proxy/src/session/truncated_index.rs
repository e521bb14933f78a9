//! The exchanges of an index whose requests are truncated.
//!
//! They are found by the part of the body that was received, so a live request is looked up once
//! for each length at which recorded requests were truncated.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use http::Method;

use super::entry::Entry;
use super::truncated_request;

/// The lengths that a request is looked up with. Further ones are never found.
const MAX_LENGTHS: usize = 256;

/// A length at which a request is truncated, and the hash of the key of that part.
pub(crate) type TruncatedKey = (u64, u128);

/// The exchanges whose requests are truncated, as positions in the index.
#[derive(Clone, Default)]
pub(super) struct TruncatedEntries {
    groups: HashMap<TruncatedKey, Vec<usize>>,
    lengths: BTreeSet<u64>,
    /// The lengths by method and path.
    by_path: HashMap<u64, BTreeSet<u64>>,
    /// The methods and paths of requests that are not truncated.
    whole_paths: HashSet<u64>,
}

impl TruncatedEntries {
    /// Adds an exchange with the key of its request. True if the request is truncated.
    pub(super) fn add(&mut self, entry: &Entry, hash: u128, position: usize) -> bool {
        let request = &entry.request;
        let path = path_hash(&request.method, request.path());
        let Some(length) = request.truncated_at else {
            self.whole_paths.insert(path);
            return false;
        };
        if !truncated_request::is_comparable(request) {
            // It would match any body.
            return true;
        }
        if self.lengths.len() < MAX_LENGTHS || self.lengths.contains(&length) {
            self.lengths.insert(length);
            self.by_path.entry(path).or_default().insert(length);
            self.groups
                .entry((length, hash))
                .or_default()
                .push(position);
        }
        true
    }

    /// All lengths, the shortest first.
    pub(super) fn lengths(&self) -> Vec<u64> {
        self.lengths.iter().copied().collect()
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
