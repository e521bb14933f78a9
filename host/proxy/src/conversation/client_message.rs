//! What is done for one message of the client, on whichever thread: its key, and the report of a
//! miss.

use std::sync::Arc;

use bytes::Bytes;

use crate::handler::{Endpoint, ExchangeError, Snapshot};
use crate::replay::Lookup;
use crate::session::{ComparisonBudget, Entry, ReceivedMessage, Session, UnmatchedMessage};
use ouli_codec::MessageView;
use ouli_matching::key::Key;
use ouli_matching::miss::Miss;
use ouli_message::stream::{Protocol, Side};
use ouli_plugin::{ConversationMessage, PluginFailure};

/// The conversation that a message belongs to.
#[derive(Clone)]
pub(super) struct Parties {
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) endpoint: Arc<Endpoint>,
    pub(super) session: Arc<Session>,
    pub(super) lookup: Arc<Lookup>,
    pub(super) protocol: Protocol,
}

/// A message of the client with its key.
pub(super) struct KeyedBytes {
    view: Arc<dyn MessageView>,
    size: usize,
    pub(super) key: Key,
}

impl KeyedBytes {
    /// The size in bytes.
    pub(super) fn size(&self) -> usize {
        self.size
    }
}

impl Parties {
    /// The key of a message.
    ///
    /// # Errors
    /// If a plugin fails.
    pub(super) fn keyed(
        &self,
        (bytes, is_binary): (&Bytes, bool),
    ) -> Result<KeyedBytes, PluginFailure> {
        let message = ConversationMessage {
            request: &self.lookup.request_view,
            protocol: self.protocol,
            side: Side::Client,
            is_binary,
            bytes,
        };
        let (plugins, secrets) = (&self.snapshot.plugins, self.session.secrets());
        let view = plugins.message_view(message, secrets)?;
        let keyed = plugins.message_key(&view, secrets)?;
        self.session.count_failed_matcher(&keyed);
        secrets.see_minted(keyed.key.minted(), false);
        Ok(KeyedBytes {
            view,
            size: bytes.len(),
            key: keyed.key,
        })
    }

    /// Explains why a message, or the end of the client's messages, has no recording: compares it
    /// with the client messages at the same position of these conversations.
    pub(super) fn explain(
        &self,
        entries: &[Arc<Entry>],
        position: usize,
        message: Option<&KeyedBytes>,
    ) -> ExchangeError {
        match self.try_explain(entries, position, message) {
            Ok(miss) => ExchangeError::Miss(Box::new(miss)),
            Err(failure) => ExchangeError::Plugin(failure),
        }
    }

    fn try_explain(
        &self,
        entries: &[Arc<Entry>],
        position: usize,
        message: Option<&KeyedBytes>,
    ) -> Result<Miss, PluginFailure> {
        let (snapshot, endpoint, session) = (&self.snapshot, &self.endpoint, &self.session);
        let request = self
            .lookup
            .reported_view(&snapshot.plugins, &endpoint.name, session)?;
        let unmatched = UnmatchedMessage {
            request: &request,
            protocol: self.protocol,
            position,
            message: message.map(|KeyedBytes { view, size, key }| ReceivedMessage {
                view,
                size: *size,
                key: key.hash(),
            }),
            budget: ComparisonBudget::new(snapshot.config.limits.miss_comparison),
            guidance: snapshot.guidance(endpoint, session.name()),
        };
        let index = &self.lookup.index;
        let mut miss = index.explain_unmatched_message(unmatched, entries)?;
        snapshot.withhold_secrets(&mut miss, session);
        Ok(miss)
    }
}
