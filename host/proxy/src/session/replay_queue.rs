//! The exchanges of one key as a queue for replay. A client claims an exchange, and may release it
//! for another one when a later message of the conversation does not match.

use std::sync::Arc;

use super::claimed_entry::ClaimedEntry;
use super::entry::Entry;
use super::index::{ExhaustedPolicy, Index};
use super::uses::Uses;
use ouli_matching::key::Key;
use ouli_matching::miss::IdentityConflict;
use ouli_message::Fields;

/// The exchanges of one key, in recorded order.
pub(crate) struct ReplayQueue {
    entries: Vec<Arc<Entry>>,
    uses: Arc<Uses>,
    exhausted: ExhaustedPolicy,
}

impl ReplayQueue {
    /// The queue for the key and the fields of a request; `None` if nothing is recorded for it. An
    /// error if only exchanges with other secrets are.
    pub(crate) fn of(
        index: &Index,
        key: &Key,
        live: &Fields,
        exhausted: ExhaustedPolicy,
    ) -> Result<Option<Self>, IdentityConflict> {
        let entries = index.entries_for_key(key, live)?;
        let uses = Arc::clone(index.session().entries.uses());
        Ok((!entries.is_empty()).then_some(Self {
            entries,
            uses,
            exhausted,
        }))
    }

    /// All exchanges.
    pub(crate) fn entries(&self) -> &[Arc<Entry>] {
        &self.entries
    }

    /// True if one of them was not replayed.
    pub(crate) fn is_unused(&self, entry: &Entry) -> bool {
        !self.uses.is_used(entry)
    }

    /// Claims the first exchange that fits and was not replayed yet. Otherwise repeats the last one
    /// that fits, if the policy allows it.
    pub(crate) fn claim(&self, mut fits: impl FnMut(&Arc<Entry>) -> bool) -> Option<ClaimedEntry> {
        let uses = &self.uses;
        let unused = self
            .entries
            .iter()
            .find(|entry| !uses.is_used(entry) && fits(entry) && uses.claim_first(entry));
        let claimed = unused.map(|entry| ClaimedEntry::new(entry, uses));
        claimed.or_else(|| {
            let mut latest_first = self.entries.iter().rev();
            // A failed one must not hide behind one that did not fail before it.
            let last = latest_first.find(|entry| fits(entry))?;
            self.exhausted.repeats(last).then(|| {
                uses.count_replay(last);
                ClaimedEntry::repeated(last, uses)
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::session::test_exchange::exchange;

    fn entry(ordinal: u64) -> Arc<Entry> {
        Arc::new(Entry::new(ordinal, exchange()))
    }

    fn claim(
        (entries, uses): (&[Arc<Entry>], &Arc<Uses>),
        exhausted: ExhaustedPolicy,
        fits: fn(u64) -> bool,
    ) -> Option<ClaimedEntry> {
        let queue = ReplayQueue {
            entries: entries.to_vec(),
            uses: Arc::clone(uses),
            exhausted,
        };
        let mut claimed = queue.claim(|entry| fits(entry.ordinal));
        claimed.iter_mut().for_each(ClaimedEntry::keep);
        claimed
    }

    #[test]
    fn each_entry_is_claimed_once_in_order_then_the_last_repeats() {
        let (entries, uses) = ([entry(1), entry(2)], Arc::new(Uses::new(1, HashMap::new())));
        let entries = (&entries[..], &uses);
        let ordinal = |claimed: Option<ClaimedEntry>| claimed.map(|it| it.entry().ordinal);
        assert_eq!(
            ordinal(claim(entries, ExhaustedPolicy::Miss, |_| true)),
            Some(1)
        );
        let second = claim(entries, ExhaustedPolicy::Miss, |_| true).unwrap();
        assert_eq!(second.entry().ordinal, 2);
        second.release();
        assert_eq!(
            ordinal(claim(entries, ExhaustedPolicy::Miss, |_| true)),
            Some(2)
        );
        assert_eq!(
            ordinal(claim(entries, ExhaustedPolicy::Miss, |_| true)),
            None
        );
        assert_eq!(
            ordinal(claim(entries, ExhaustedPolicy::Repeat, |_| true)),
            Some(2)
        );
        assert_eq!(
            ordinal(claim(entries, ExhaustedPolicy::Repeat, |it| it == 1)),
            Some(1)
        );
        assert_eq!(
            ordinal(claim(entries, ExhaustedPolicy::Repeat, |_| false)),
            None
        );
    }
}
