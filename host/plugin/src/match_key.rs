//! The key of a request, and the matcher that made it.

use std::sync::Arc;

use crate::{Plugin, PluginFailure};
use ouli_matching::key::Key;

/// The key of a request or of a message.
#[derive(Clone)]
pub struct MatchKey {
    /// The key.
    pub key: Key,
    /// The plugin that made it.
    pub matcher: Arc<Plugin>,
    /// Why a matcher before it made none, if one failed.
    pub failure: Option<PluginFailure>,
}

/// The result of the first matcher that does not abstain.
pub(crate) struct FirstMatch<T> {
    pub(crate) result: T,
    /// The last failure of a matcher before it.
    failure: Option<PluginFailure>,
}

impl<T> FirstMatch<T> {
    pub(crate) fn new(result: T, failure: Option<PluginFailure>) -> Self {
        Self { result, failure }
    }
}

impl FirstMatch<MatchKey> {
    pub(crate) fn into_key(self) -> MatchKey {
        MatchKey {
            failure: self.failure,
            ..self.result
        }
    }
}

impl<T> FirstMatch<(MatchKey, T)> {
    pub(crate) fn into_key_with(self) -> (MatchKey, T) {
        let (key, with) = self.result;
        let failure = self.failure;
        (MatchKey { failure, ..key }, with)
    }
}
