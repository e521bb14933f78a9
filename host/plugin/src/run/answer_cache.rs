//! Answers of a matcher for requests that were seen before.
//!
//! A matcher's answer depends on the request alone, so it need not be asked twice. Only a plugin
//! whose calls cost more than a look-up remembers, and none that keeps state.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::contract::call_state::Answer;
use ouli_matching::key::KeyPart;

/// What `identify` said.
#[derive(Clone, Debug)]
pub(crate) struct IdentifyAnswer {
    pub(crate) abstain: bool,
    pub(crate) parts: Arc<[KeyPart]>,
}

impl From<Answer> for IdentifyAnswer {
    fn from(answer: Answer) -> Self {
        Self {
            abstain: answer.abstain,
            parts: answer.parts.into(),
        }
    }
}

/// The answers, within a number of bytes: the older half goes when it is used up.
#[derive(Debug)]
pub(crate) struct AnswerCache {
    max_bytes: usize,
    generations: Mutex<CacheGenerations>,
}

#[derive(Debug, Default)]
struct CacheGenerations {
    new: HashMap<u128, IdentifyAnswer>,
    old: HashMap<u128, IdentifyAnswer>,
    /// Bytes of the newer half.
    new_bytes: usize,
}

/// What an answer takes beside its texts: its place in the map, and its parts.
const ENTRY_OVERHEAD: usize = 160;

impl AnswerCache {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            max_bytes: most,
            generations: Mutex::default(),
        }
    }

    /// The answer for a request with this digest.
    pub(crate) fn get(&self, digest: u128) -> Option<IdentifyAnswer> {
        let mut halves = self
            .generations
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = halves.new.get(&digest) {
            return Some(found.clone());
        }
        let found = halves.old.remove(&digest)?;
        halves.put(digest, found.clone(), self.max_bytes);
        Some(found)
    }

    /// Keeps an answer.
    pub(crate) fn insert(&self, digest: u128, answer: IdentifyAnswer) {
        let mut halves = self
            .generations
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        halves.put(digest, answer, self.max_bytes);
    }
}

impl CacheGenerations {
    fn put(&mut self, digest: u128, answer: IdentifyAnswer, most: usize) {
        let bytes = size(&answer);
        if bytes > most / 2 {
            return;
        }
        if self.new_bytes + bytes > most / 2 {
            self.old = std::mem::take(&mut self.new);
            self.new_bytes = 0;
        }
        self.new_bytes += bytes;
        self.new.insert(digest, answer);
    }
}

fn size(answer: &IdentifyAnswer) -> usize {
    let parts = answer.parts.iter().map(|part| match part {
        KeyPart::Custom { name, value } => ENTRY_OVERHEAD + name.len() + value.len(),
        // Names that are left out are few and short.
        _ => 2 * ENTRY_OVERHEAD,
    });
    ENTRY_OVERHEAD + parts.sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(bytes: usize) -> IdentifyAnswer {
        let value = vec![0; bytes].into();
        let name = "own".to_owned();
        IdentifyAnswer {
            abstain: false,
            parts: Arc::new([KeyPart::Custom { name, value }]),
        }
    }

    #[test]
    fn what_is_used_stays_and_the_rest_goes() {
        let memory = AnswerCache::new(20_000);
        for number in 0..100 {
            memory.insert(number, answer(1_000));
            assert!(memory.get(0).is_some(), "{number}: it is used all the time");
        }
        assert!(memory.get(50).is_none());
        assert!(memory.get(99).is_some());
        let halves = memory.generations.lock().unwrap();
        assert!(halves.new.len() + halves.old.len() <= 20);
    }

    #[test]
    fn what_does_not_fit_is_not_kept() {
        let memory = AnswerCache::new(1_000);
        memory.insert(1, answer(1_000));
        assert!(memory.get(1).is_none());
        let none = AnswerCache::new(0);
        none.insert(1, answer(1));
        assert!(none.get(1).is_none());
    }
}
