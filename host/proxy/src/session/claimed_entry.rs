//! A recorded exchange that is claimed for one client, so that concurrent clients get others.

use std::sync::Arc;

use super::cursors::ClaimedPosition;
use super::entry::Entry;
use super::hit::{FoundBy, Hit};
use super::outcome::Outcome;
use super::uses::Uses;

/// An exchange that is claimed for one client. It counts as replayed while it is held, and for good
/// once it is kept: if the client leaves or its request fails before that, another client gets it.
#[derive(Debug)]
pub struct ClaimedEntry {
    entry: Arc<Entry>,
    uses: Arc<Uses>,
    /// Its position in the index in which it was found.
    position: Option<ClaimedPosition>,
    is_kept: bool,
    is_repeated: bool,
}

impl ClaimedEntry {
    pub(super) fn new(entry: &Arc<Entry>, uses: &Arc<Uses>) -> Self {
        Self {
            entry: Arc::clone(entry),
            uses: Arc::clone(uses),
            position: None,
            is_kept: false,
            is_repeated: false,
        }
    }

    /// The same, which is replayed again because all exchanges of its key were replayed.
    pub(super) fn repeated(entry: &Arc<Entry>, uses: &Arc<Uses>) -> Self {
        let mut claimed = Self::new(entry, uses);
        claimed.is_repeated = true;
        claimed
    }

    /// The outcome of a conversation with it.
    pub(crate) fn hit_of(claimed: Option<&Self>) -> Outcome {
        Outcome::Hit(claimed.map_or_else(Hit::default, Self::hit))
    }

    /// How it was found.
    pub(crate) fn hit(&self) -> Hit {
        let found_by = match self.entry.request.truncated_at {
            Some(_) => FoundBy::TruncatedRequest,
            None => FoundBy::Key,
        };
        Hit {
            found_by,
            is_repeated: self.is_repeated,
        }
    }

    /// The same, of an index that is told when it is returned.
    pub(super) fn at(mut self, position: ClaimedPosition) -> Self {
        self.position = Some(position);
        self
    }

    /// The exchange.
    pub(crate) fn entry(&self) -> &Arc<Entry> {
        &self.entry
    }

    /// It is replayed.
    pub(crate) fn keep(&mut self) {
        self.is_kept = true;
    }

    /// Returns it, because it does not match the client.
    pub(crate) fn release(mut self) {
        self.is_kept = false;
    }
}

impl Drop for ClaimedEntry {
    fn drop(&mut self) {
        if !self.is_kept {
            self.uses.release(&self.entry);
            if let Some(position) = &self.position {
                position.give_back();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::session::test_exchange::exchange;

    #[test]
    fn it_is_returned_unless_it_is_kept() {
        let entry = Arc::new(Entry::new(1, exchange()));
        let uses = Arc::new(Uses::new(1, HashMap::new()));
        let claim = || {
            assert!(uses.claim_first(&entry));
            ClaimedEntry::new(&entry, &uses)
        };
        drop(claim());
        assert!(!uses.is_used(&entry));
        let mut kept = claim();
        kept.keep();
        drop(kept);
        assert!(uses.is_used(&entry));
    }
}
