//! Secrets that are known and not made ready to be searched for yet.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::secret::Secret;

/// A longer secret is made ready to be searched for when a text may contain it: to encode it takes
/// seconds.
const MAX_SHORT: usize = 64 << 10;

/// Secrets that a searcher does not know yet. Forgotten ones among them are removed now and then.
#[derive(Clone, Debug, Default)]
pub(super) struct PendingSecrets {
    short: VecDeque<Arc<Secret>>,
    /// Few: `secret_bytes_per_session` bounds them.
    long: Vec<Arc<Secret>>,
}

impl PendingSecrets {
    pub(super) fn push(&mut self, secret: Arc<Secret>) {
        match secret.value().len() <= MAX_SHORT {
            true => self.short.push_back(secret),
            false => self.long.push(secret),
        }
    }

    /// The first ones that are not long.
    pub(super) fn first_short(&self, count: usize) -> Vec<Arc<Secret>> {
        let short = self.short.iter().take(count);
        short.cloned().collect()
    }

    /// The first ones of the long ones that a text of this length may contain: no encoding is
    /// shorter than its secret.
    pub(super) fn first_long(&self, len: usize, count: usize) -> Vec<Arc<Secret>> {
        let long = self.long.iter();
        let fitting = long.filter(|secret| secret.value().len() <= len);
        fitting.take(count).cloned().collect()
    }

    pub(super) fn has_short(&self) -> bool {
        !self.short.is_empty()
    }

    pub(super) fn has_long(&self, len: usize) -> bool {
        self.long.iter().any(|it| it.value().len() <= len)
    }

    pub(super) fn is_empty_for(&self, len: usize) -> bool {
        !self.has_short() && !self.has_long(len)
    }

    /// Removes the first ones that are not long as long as they are among these or forgotten, and
    /// the long ones that are.
    pub(super) fn remove(&mut self, is_removed: impl Fn(&Arc<Secret>) -> bool) {
        let is_removed = |it: &Arc<Secret>| it.is_forgotten() || is_removed(it);
        while self.short.pop_front_if(|it| is_removed(it)).is_some() {}
        self.long.retain(|it| !is_removed(it));
    }

    /// Removes those that are forgotten, if they are more than the ones that are known.
    pub(super) fn remove_forgotten(&mut self, known: usize) {
        self.remove(|_| false);
        if self.short.len() > 2 * known.max(MIN_REMOVED) {
            self.short.retain(|secret| !secret.is_forgotten());
        }
    }
}

/// Fewer are not worth the search for those that are forgotten.
const MIN_REMOVED: usize = 1024;
