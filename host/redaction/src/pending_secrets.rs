//! Secrets that are known and not made ready to be searched for yet.

use std::sync::Arc;

use crate::secret::Secret;

/// A longer secret is made ready to be searched for when a text may contain it: to encode it takes
/// seconds.
const MAX_SHORT: usize = 64 << 10;

/// Secrets that a searcher does not know yet.
#[derive(Clone, Debug, Default)]
pub(super) struct PendingSecrets {
    short: Vec<Arc<Secret>>,
    /// Few: `secret_bytes_per_session` bounds them.
    long: Vec<Arc<Secret>>,
}

impl PendingSecrets {
    pub(super) fn push(&mut self, secret: Arc<Secret>) {
        match secret.value().len() <= MAX_SHORT {
            true => self.short.push(secret),
            false => self.long.push(secret),
        }
    }

    pub(super) fn short(&self) -> &[Arc<Secret>] {
        &self.short
    }

    /// The long ones that a text of this length may contain: no encoding is shorter than its
    /// secret.
    pub(super) fn long_in(&self, len: usize) -> Vec<Arc<Secret>> {
        let long = self.long.iter();
        let fitting = long.filter(|secret| secret.value().len() <= len);
        fitting.cloned().collect()
    }

    pub(super) fn is_empty_for(&self, len: usize) -> bool {
        self.short.is_empty() && self.long.iter().all(|it| it.value().len() > len)
    }

    pub(super) fn retain(&mut self, keep: impl Fn(&Arc<Secret>) -> bool) {
        self.short.retain(&keep);
        self.long.retain(&keep);
    }
}
