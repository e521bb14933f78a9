//! The exchanges of one key in line for replay: which of them a client gets, and which it gets
//! instead once it says something that the first one does not have.

use std::sync::Arc;

use super::{Entry, Exhausted, Index};
use ouli_matching::key::Key;

/// The exchanges of one key, in recorded order.
pub struct Line {
    entries: Vec<Arc<Entry>>,
    exhausted: Exhausted,
}

/// An exchange that is taken for one client. Others in parallel get another one.
pub struct Chosen {
    entry: Arc<Entry>,
}

impl Line {
    /// The line for a key; none where nothing is recorded under it.
    pub fn of(index: &Index, key: &Key, exhausted: Exhausted) -> Option<Self> {
        let entries = index.group(key);
        (!entries.is_empty()).then_some(Self { entries, exhausted })
    }

    /// All of them.
    pub fn entries(&self) -> &[Arc<Entry>] {
        &self.entries
    }

    /// The first that fits: of those that were not replayed yet, else again the last one that fits,
    /// where repeating is allowed.
    pub fn choose(&self, mut fits: impl FnMut(&Arc<Entry>) -> bool) -> Option<Chosen> {
        let fresh = self
            .entries
            .iter()
            .find(|entry| !entry.used() && fits(entry) && entry.take_first());
        let found = fresh.or_else(|| {
            let mut last = self.entries.iter().rev();
            let again = last.find(|entry| self.exhausted.repeats(entry) && fits(entry));
            again.inspect(|entry| entry.replay_again())
        });
        found.map(|entry| Chosen {
            entry: Arc::clone(entry),
        })
    }
}

impl Chosen {
    /// The exchange.
    pub fn entry(&self) -> &Arc<Entry> {
        &self.entry
    }

    /// Gives it back to those in line: the client wants another one.
    pub fn give_back(self) {
        self.entry.give_back();
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

    fn take(entries: &[Arc<Entry>], exhausted: Exhausted, fits: fn(u64) -> bool) -> Option<Chosen> {
        let line = Line {
            entries: entries.to_vec(),
            exhausted,
        };
        line.choose(|entry| fits(entry.ordinal))
    }

    #[test]
    fn each_is_taken_once_in_order_and_the_last_again() {
        let entries = [entry(1), entry(2)];
        let ordinal = |taken: Option<Chosen>| taken.map(|chosen| chosen.entry().ordinal);
        assert_eq!(ordinal(take(&entries, Exhausted::Miss, |_| true)), Some(1));
        let second = take(&entries, Exhausted::Miss, |_| true).unwrap();
        assert_eq!(second.entry().ordinal, 2);
        second.give_back();
        assert_eq!(ordinal(take(&entries, Exhausted::Miss, |_| true)), Some(2));
        assert_eq!(ordinal(take(&entries, Exhausted::Miss, |_| true)), None);
        assert_eq!(
            ordinal(take(&entries, Exhausted::Repeat, |_| true)),
            Some(2)
        );
        assert_eq!(
            ordinal(take(&entries, Exhausted::Repeat, |it| it == 1)),
            Some(1)
        );
        assert_eq!(ordinal(take(&entries, Exhausted::Repeat, |_| false)), None);
    }
}
