//! The cache of matcher results.
//!
//! The result of `identify` depends on the request alone, so equal requests need one call. The
//! cache is used if a call costs more than a look-up and the plugin keeps no state between calls.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::sandbox::call_output::CallOutput;
use ouli_matching::key::KeyPart;

/// The result of `identify`.
#[derive(Clone, Debug)]
pub(crate) struct IdentifyResult {
    pub(crate) abstain: bool,
    pub(crate) parts: Arc<[KeyPart]>,
}

impl From<CallOutput> for IdentifyResult {
    fn from(output: CallOutput) -> Self {
        Self {
            abstain: output.abstain,
            parts: output.parts.into(),
        }
    }
}

/// A cache of limited size: when the newer generation is full, it replaces the older one.
#[derive(Debug)]
pub(crate) struct AnswerCache {
    max_bytes: usize,
    generations: Mutex<Generations>,
}

#[derive(Debug, Default)]
struct Generations {
    new: HashMap<u128, IdentifyResult>,
    old: HashMap<u128, IdentifyResult>,
    /// Bytes of the newer generation.
    new_bytes: usize,
}

/// Bytes that a result, or one of its parts, takes in addition to its texts.
const ENTRY_OVERHEAD: usize = 160;

impl AnswerCache {
    pub(crate) fn new(max_bytes: usize) -> Self {
        Self {
            max_bytes,
            generations: Mutex::default(),
        }
    }

    /// The result for a request with this digest.
    pub(crate) fn get(&self, digest: u128) -> Option<IdentifyResult> {
        let mut generations = self.generations.lock();
        if let Some(result) = generations.new.get(&digest) {
            return Some(result.clone());
        }
        let result = generations.old.remove(&digest)?;
        generations.insert(digest, result.clone(), self.max_bytes);
        Some(result)
    }

    /// Adds a result.
    pub(crate) fn insert(&self, digest: u128, result: IdentifyResult) {
        let mut generations = self.generations.lock();
        generations.insert(digest, result, self.max_bytes);
    }
}

impl Generations {
    fn insert(&mut self, digest: u128, result: IdentifyResult, max_bytes: usize) {
        let bytes = size(&result);
        if bytes > max_bytes / 2 {
            return;
        }
        if self.new_bytes + bytes > max_bytes / 2 {
            self.old = std::mem::take(&mut self.new);
            self.new_bytes = 0;
        }
        self.new_bytes += bytes;
        self.new.insert(digest, result);
    }
}

fn size(result: &IdentifyResult) -> usize {
    let parts = result.parts.iter().map(|part| match part {
        KeyPart::Custom { name, value } => ENTRY_OVERHEAD + name.len() + value.len(),
        // Lists of excluded names are short.
        _ => 2 * ENTRY_OVERHEAD,
    });
    ENTRY_OVERHEAD + parts.sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(bytes: usize) -> IdentifyResult {
        let value = vec![0; bytes].into();
        let name = "part".to_owned();
        IdentifyResult {
            abstain: false,
            parts: Arc::new([KeyPart::Custom { name, value }]),
        }
    }

    #[test]
    fn results_in_use_stay_and_others_are_evicted() {
        let cache = AnswerCache::new(20_000);
        for number in 0..100 {
            cache.insert(number, result(1_000));
            assert!(cache.get(0).is_some(), "{number}: in use");
        }
        assert!(cache.get(50).is_none());
        assert!(cache.get(99).is_some());
        let generations = cache.generations.lock();
        assert!(generations.new.len() + generations.old.len() <= 20);
    }

    #[test]
    fn a_result_larger_than_half_the_cache_is_not_kept() {
        let cache = AnswerCache::new(1_000);
        cache.insert(1, result(1_000));
        assert!(cache.get(1).is_none());
        let disabled = AnswerCache::new(0);
        disabled.insert(1, result(1));
        assert!(disabled.get(1).is_none());
    }
}
