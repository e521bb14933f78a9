//! The recorded conversations that have the messages of a client so far.

use std::sync::Arc;

use crate::session::{ClientMessageKey, Entry, Index};
use ouli_matching::key::IdentityUse;

/// They become fewer with each message, so that a message is compared once with each.
pub(super) struct AlikeConversations {
    conversations: Vec<(Arc<Entry>, Arc<[ClientMessageKey]>)>,
    /// The number of messages that all of them have.
    compared: usize,
}

impl AlikeConversations {
    /// Those of these conversations whose keys are known.
    pub(super) fn of(entries: &[Arc<Entry>], index: &Index) -> Self {
        let known = entries.iter().filter_map(|entry| {
            let keys = index.cached_client_message_keys(entry)?;
            Some((Arc::clone(entry), keys))
        });
        Self {
            conversations: known.collect(),
            compared: 0,
        }
    }

    /// Those that have these messages and then one with this key, as far as they are wanted: the
    /// number and the identities in this message.
    pub(super) fn continuing(
        &mut self,
        received: &[ClientMessageKey],
        key: u128,
        is_wanted: impl Fn(&Arc<Entry>) -> bool,
    ) -> Vec<(u64, &[IdentityUse])> {
        let from = self.compared.min(received.len());
        self.compared = received.len();
        self.conversations.retain(|(_, keys)| {
            let own = keys.get(from..received.len()).unwrap_or_default();
            ClientMessageKey::hashes(own).eq(ClientMessageKey::hashes(&received[from..]))
        });
        let next = self.conversations.iter().filter_map(|(entry, keys)| {
            let next = keys.get(received.len()).filter(|it| it.hash == key)?;
            is_wanted(entry).then_some((entry.ordinal, &*next.identities))
        });
        next.collect()
    }
}
