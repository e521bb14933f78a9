//! Answers of a matcher for requests that were seen before.
//!
//! A matcher's answer depends on the request alone, so it need not be asked twice. Only a plugin
//! whose calls cost more than a look-up remembers, and none that keeps state.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::contract::call_state::Answer;
use ouli_matching::key::Part;

/// What `identify` said.
#[derive(Clone, Debug)]
pub(crate) struct Identified {
    pub(crate) abstain: bool,
    pub(crate) parts: Arc<[Part]>,
}

impl From<Answer> for Identified {
    fn from(answer: Answer) -> Self {
        Self {
            abstain: answer.abstain,
            parts: answer.parts.into(),
        }
    }
}

/// The answers, within a number of bytes: the older half goes when it is used up.
#[derive(Debug)]
pub(crate) struct Remembered {
    most: usize,
    halves: Mutex<Halves>,
}

#[derive(Debug, Default)]
struct Halves {
    new: HashMap<u128, Identified>,
    old: HashMap<u128, Identified>,
    /// Bytes of the newer half.
    bytes: usize,
}

/// What an answer takes beside its texts: its place in the map, and its parts.
const EACH: usize = 160;

impl Remembered {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most,
            halves: Mutex::default(),
        }
    }

    /// The answer for a request with this digest.
    pub(crate) fn find(&self, digest: u128) -> Option<Identified> {
        let mut halves = self.halves.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = halves.new.get(&digest) {
            return Some(found.clone());
        }
        let found = halves.old.remove(&digest)?;
        halves.put(digest, found.clone(), self.most);
        Some(found)
    }

    /// Keeps an answer.
    pub(crate) fn keep(&self, digest: u128, answer: Identified) {
        let mut halves = self.halves.lock().unwrap_or_else(PoisonError::into_inner);
        halves.put(digest, answer, self.most);
    }
}

impl Halves {
    fn put(&mut self, digest: u128, answer: Identified, most: usize) {
        let bytes = size(&answer);
        if bytes > most / 2 {
            return;
        }
        if self.bytes + bytes > most / 2 {
            self.old = std::mem::take(&mut self.new);
            self.bytes = 0;
        }
        self.bytes += bytes;
        self.new.insert(digest, answer);
    }
}

fn size(answer: &Identified) -> usize {
    let parts = answer.parts.iter().map(|part| match part {
        Part::Own { name, value } => EACH + name.len() + value.len(),
        // Names that are left out are few and short.
        _ => 2 * EACH,
    });
    EACH + parts.sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(bytes: usize) -> Identified {
        let value = vec![0; bytes].into();
        let name = "own".to_owned();
        Identified {
            abstain: false,
            parts: Arc::new([Part::Own { name, value }]),
        }
    }

    #[test]
    fn what_is_used_stays_and_the_rest_goes() {
        let memory = Remembered::new(20_000);
        for number in 0..100 {
            memory.keep(number, answer(1_000));
            assert!(
                memory.find(0).is_some(),
                "{number}: it is used all the time"
            );
        }
        assert!(memory.find(50).is_none());
        assert!(memory.find(99).is_some());
        let halves = memory.halves.lock().unwrap();
        assert!(halves.new.len() + halves.old.len() <= 20);
    }

    #[test]
    fn what_does_not_fit_is_not_kept() {
        let memory = Remembered::new(1_000);
        memory.keep(1, answer(1_000));
        assert!(memory.find(1).is_none());
        let none = Remembered::new(0);
        none.keep(1, answer(1));
        assert!(none.find(1).is_none());
    }
}
