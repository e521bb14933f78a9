//! Recognises a value of a live request as a secret, because a recorded request has one in its
//! place.

use std::sync::Arc;

use super::entry::Entry;
use super::index::Index;
use super::miss_comparison::MAX_COMPARED;
use ouli_codec::MessageView;
use ouli_codec::form;
use ouli_codec::identity::Identity;
use ouli_matching::key::{Capture, Key, KeyedMessage, captures};
use ouli_matching::miss;
use ouli_redaction::is_rare;

impl Index {
    /// The sizes of the largest body that [`Self::assume_secrets`] may compare, and of all of them;
    /// none if no request has a secret.
    pub(crate) fn assumption_sizes(&self) -> Option<(usize, usize)> {
        let state = self.state.read();
        let count = state.with_secrets.len().min(MAX_COMPARED);
        let largest = state.largest_with_secrets;
        (count > 0).then(|| (largest, largest.saturating_mul(count)))
    }

    /// Registers the values of a request that nothing but the place of a secret in a recorded
    /// request tells to be secrets: the requests are equal elsewhere, the values are neither short
    /// nor common words, the server did not make them in this run, and no other secret stands for
    /// the recorded ones. True if there are such values.
    pub(crate) fn assume_secrets(&self, key: &Key, live: &KeyedMessage) -> bool {
        let live = live.describe_with_holes();
        self.nearest_with_secrets(key).into_iter().any(|entry| {
            let view = self.request_view(&entry).ok();
            let keyed = view.and_then(|view| {
                let secrets = self.session.secrets();
                self.plugins.keyed_request(&view, secrets).ok()
            });
            keyed.is_some_and(|recorded| {
                let found = captures(&recorded.describe_with_holes(), &live);
                found.is_some_and(|found| self.register(&recorded.view, &found))
            })
        })
    }

    /// True if all these texts are registered as the secrets in the holes of a recorded request.
    fn register(&self, recorded: &Arc<dyn MessageView>, found: &[Capture]) -> bool {
        let bindings = self.session.bindings().lock();
        let new = found.iter().map(|capture| {
            let value = decoded(&capture.text);
            let identity = recorded.with_holes()?.hole(capture.hole)?.identity?;
            let Identity::Placeholder(class, number) = identity else {
                return None;
            };
            let is_free = bindings.is_free(&Identity::Placeholder(Arc::clone(&class), number));
            let is_minted = self.session.secrets().is_minted_value(&value);
            (is_free && is_rare(&value) && !is_minted).then_some((value, class, number))
        });
        let Some(new) = new
            .collect::<Option<Vec<_>>>()
            .filter(|new| !new.is_empty())
        else {
            return false;
        };
        for (value, class, number) in new {
            self.session.secrets().register_as(&value, &class, number);
        }
        true
    }

    /// The requests with secrets that are nearest to a key. They are compared without the lock.
    fn nearest_with_secrets(&self, key: &Key) -> Vec<Arc<Entry>> {
        let state = self.state.read();
        let all = state.with_secrets.iter().filter_map(|position| {
            let (_, key) = &state.entries[*position];
            key.as_ref().map(|key| (*position, key))
        });
        let nearest = miss::rank(key, all, MAX_COMPARED).into_iter();
        let nearest = nearest.map(|position| Arc::clone(&state.entries[position].0));
        nearest.collect()
    }
}

/// The value of a text that is percent-encoded in a path, and as it is elsewhere.
fn decoded(text: &str) -> Vec<u8> {
    match text.contains('%') {
        true => form::decode(text.replace('+', "%2B").as_bytes()).into_bytes(),
        false => text.as_bytes().to_vec(),
    }
}
