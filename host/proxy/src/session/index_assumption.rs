//! Recognises a value of a live request as a secret, because a recorded request has one in its
//! place.

use std::sync::Arc;

use super::entry::Entry;
use super::index::Index;
use super::miss_comparison::{ComparisonBudget, MAX_COMPARED, body_digest};
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
    /// the recorded ones. True if there are such values. The comparison of the bodies takes at most
    /// `max_memory` bytes; larger bodies are equal or not.
    pub(crate) fn assume_secrets(&self, key: &Key, live: &KeyedMessage, max_memory: usize) -> bool {
        let mut budget = ComparisonBudget::new(max_memory);
        let (head, mut body) = (live.head().describe_with_holes(), None);
        self.nearest_with_secrets(key)
            .into_iter()
            .any(|(entry, digest)| {
                let view = self.request_view(&entry).ok();
                let keyed = view.and_then(|view| {
                    let secrets = self.session.secrets();
                    self.plugins.keyed_request(&view, secrets).ok()
                });
                let Some(recorded) = keyed else {
                    return false;
                };
                // Most requests differ in their heads, so few bodies are compared.
                let Some(mut found) = captures(&recorded.head().describe_with_holes(), &head)
                else {
                    return false;
                };
                if digest != body_digest(key) {
                    let mut described = |message: &KeyedMessage| {
                        let size = message.view.body().len();
                        let is_small = budget.has_room(&*message.view, size);
                        is_small.then(|| message.body().describe_with_holes())
                    };
                    let live = body.get_or_insert_with(|| described(live)).as_ref();
                    let in_body = live.and_then(|live| captures(&described(&recorded)?, live));
                    let Some(in_body) = in_body else {
                        return false;
                    };
                    found.extend(in_body);
                }
                self.register(&recorded.view, &found)
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
            let secrets = self.session.secrets();
            let is_other = secrets.is_minted_value(&value) || secrets.is_another(&value, number);
            (is_free && is_rare(&value) && !is_other).then_some((value, class, number))
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

    /// The requests with secrets that are nearest to a key, with the digests of their bodies. They
    /// are compared without the lock.
    fn nearest_with_secrets(&self, key: &Key) -> Vec<(Arc<Entry>, Option<u64>)> {
        let state = self.state.read();
        let all = state.with_secrets.iter().filter_map(|position| {
            let (_, key) = &state.entries[*position];
            key.as_ref().map(|key| (*position, key))
        });
        let nearest = miss::rank(key, all, MAX_COMPARED).into_iter();
        let nearest = nearest.map(|position| {
            let (entry, key) = &state.entries[position];
            (Arc::clone(entry), key.as_ref().and_then(body_digest))
        });
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
