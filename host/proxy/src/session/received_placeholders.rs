//! The placeholders that recorded responses have, each with the first exchange that has it.

use std::collections::HashMap;

use ouli_redaction::placeholders_in;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// The most placeholders that are kept, 32 MiB of them.
const MAX: usize = 1 << 20;

/// The placeholders in the responses that were searched so far.
#[derive(Default)]
pub(super) struct ReceivedPlaceholders {
    /// By the digest of class and number.
    first: HashMap<u64, u64>,
    searched: usize,
}

impl ReceivedPlaceholders {
    /// The number of exchanges that were searched.
    pub(super) fn searched(&self) -> usize {
        self.searched
    }

    /// Another exchange was searched.
    pub(super) fn count_searched(&mut self) {
        self.searched += 1;
    }

    /// Adds the placeholders in a text of an exchange.
    pub(super) fn add(&mut self, text: &[u8], ordinal: u64) {
        for (class, number) in placeholders_in(text) {
            if self.first.len() == MAX {
                return;
            }
            self.first.entry(digest(class, number)).or_insert(ordinal);
        }
    }

    /// The number of the first exchange with a placeholder.
    pub(super) fn first(&self, class: &str, number: u64) -> Option<u64> {
        self.first.get(&digest(class, number)).copied()
    }
}

fn digest(class: &str, number: u64) -> u64 {
    xxh3_64_with_seed(class.as_bytes(), number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_exchange_with_a_placeholder_is_found() {
        let mut received = ReceivedPlaceholders::default();
        received.add(b"\xff {\"a\":\"<token-1>\",\"b\":\"%3Ccookie-2%3E\"}", 4);
        received.add(b"<token-1><token-3>", 5);
        let found = [("token", 1), ("cookie", 2), ("token", 3), ("token", 2)];
        let found = found.map(|(class, number)| received.first(class, number));
        assert_eq!(found, [Some(4), Some(4), Some(5), None]);
    }
}
