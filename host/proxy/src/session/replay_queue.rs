//! The exchanges of one key in line for replay: which of them a client gets, and which it gets
//! instead once it says something that the first one does not have.

use std::sync::Arc;

use super::{Entry, ExhaustedPolicy, Index};
use ouli_matching::key::Key;

/// The exchanges of one key, in recorded order.
pub struct ReplayQueue {
    entries: Vec<Arc<Entry>>,
    exhausted: ExhaustedPolicy,
}

/// An exchange that is taken for one client. Others in parallel get another one.
pub struct ClaimedEntry {
    entry: Arc<Entry>,
}

impl ReplayQueue {
    /// The line for a key; none where nothing is recorded under it.
    pub fn of(index: &Index, key: &Key, exhausted: ExhaustedPolicy) -> Option<Self> {
        let entries = index.entries_for_key(key);
        (!entries.is_empty()).then_some(Self { entries, exhausted })
    }

    /// All of them.
    pub fn entries(&self) -> &[Arc<Entry>] {
        &self.entries
    }

    /// The first that fits: of those that were not replayed yet, else again the last one that fits,
    /// where repeating is allowed.
    pub fn claim(&self, mut fits: impl FnMut(&Arc<Entry>) -> bool) -> Option<ClaimedEntry> {
        let fresh = self
            .entries
            .iter()
            .find(|entry| !entry.is_used() && fits(entry) && entry.claim_first());
        let found = fresh.or_else(|| {
            let mut last = self.entries.iter().rev();
            let again = last.find(|entry| self.exhausted.repeats(entry) && fits(entry));
            again.inspect(|entry| entry.count_replay())
        });
        found.map(|entry| ClaimedEntry {
            entry: Arc::clone(entry),
        })
    }
}

impl ClaimedEntry {
    /// The exchange.
    pub fn entry(&self) -> &Arc<Entry> {
        &self.entry
    }

    /// Gives it back to those in line: the client wants another one.
    pub fn release(self) {
        self.entry.release();
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{Method, StatusCode};

    use super::*;
    use ouli_message::{Content, Exchange, Fields, Request, Response};

    fn entry(ordinal: u64) -> Arc<Entry> {
        let exchange = Exchange {
            endpoint: "api".to_owned(),
            request: Request {
                method: Method::GET,
                authority: String::new(),
                target: "/".to_owned(),
                fields: Fields::default(),
                body: Content::EMPTY,
                trailers: Fields::default(),
            },
            response: Response {
                status: StatusCode::OK,
                fields: Fields::default(),
                body: Content::Inline(Bytes::new()),
                trailers: Fields::default(),
            },
            stream: None,
            failure: None,
            tags: Vec::new(),
        };
        Arc::new(Entry::new(ordinal, exchange))
    }

    fn claim(
        entries: &[Arc<Entry>],
        exhausted: ExhaustedPolicy,
        fits: fn(u64) -> bool,
    ) -> Option<ClaimedEntry> {
        let line = ReplayQueue {
            entries: entries.to_vec(),
            exhausted,
        };
        line.claim(|entry| fits(entry.ordinal))
    }

    #[test]
    fn each_entry_is_claimed_once_in_order_then_the_last_repeats() {
        let entries = [entry(1), entry(2)];
        let ordinal = |taken: Option<ClaimedEntry>| taken.map(|chosen| chosen.entry().ordinal);
        assert_eq!(
            ordinal(claim(&entries, ExhaustedPolicy::Miss, |_| true)),
            Some(1)
        );
        let second = claim(&entries, ExhaustedPolicy::Miss, |_| true).unwrap();
        assert_eq!(second.entry().ordinal, 2);
        second.release();
        assert_eq!(
            ordinal(claim(&entries, ExhaustedPolicy::Miss, |_| true)),
            Some(2)
        );
        assert_eq!(
            ordinal(claim(&entries, ExhaustedPolicy::Miss, |_| true)),
            None
        );
        assert_eq!(
            ordinal(claim(&entries, ExhaustedPolicy::Repeat, |_| true)),
            Some(2)
        );
        assert_eq!(
            ordinal(claim(&entries, ExhaustedPolicy::Repeat, |it| it == 1)),
            Some(1)
        );
        assert_eq!(
            ordinal(claim(&entries, ExhaustedPolicy::Repeat, |_| false)),
            None
        );
    }
}
