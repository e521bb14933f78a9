//! What the client sends is compared with the recorded conversations.

use std::sync::Arc;

use bytes::Bytes;
use tokio::time::Instant;

use super::{ConversationCursor, is_of_client};
use crate::conversation::client_message::KeyedBytes;
use crate::handler::ExchangeError;
use crate::session::{Entry, MAX_COMPARED, violation_key};
use ouli_codec::websocket::Violation;
use ouli_message::Content;
use ouli_message::stream::{Ending, Payload};

impl ConversationCursor {
    /// The client has sent a message. Work on a large one leaves this thread.
    ///
    /// # Errors
    /// If no recorded conversation continues with this message, or a plugin fails.
    pub(in crate::conversation) async fn receive(
        &mut self,
        bytes: &Bytes,
    ) -> Result<(), ExchangeError> {
        let (parties, owned) = (self.parties.clone(), bytes.clone());
        let keyed = self
            .context
            .work_on_body(bytes.len(), move || parties.keyed(&owned))
            .await?;
        let (keyed, _memory) = (Arc::new(keyed.0?), keyed.1);
        let key = keyed.key;
        let found = self.matches_key(key)
            || self.matches_by_wildcard(&keyed).await?
            || self.switch_for_key(key).await?;
        if !found {
            return Err(self.miss(Some(keyed)).await);
        }
        self.push_key(key);
        Ok(())
    }

    /// The client has ended its side.
    ///
    /// # Errors
    /// If it sent more messages when it was recorded.
    pub(in crate::conversation) async fn receive_end(&mut self) -> Result<(), ExchangeError> {
        self.client_ended = true;
        if self.ending() == Ending::ClientAborted {
            return Ok(());
        }
        self.check_complete().await
    }

    /// The client has violated the WebSocket protocol; nothing more of it is read.
    ///
    /// # Errors
    /// If it did not do so at this place when it was recorded.
    pub(in crate::conversation) async fn receive_violation(
        &mut self,
        violation: &Violation,
    ) -> Result<(), ExchangeError> {
        let key = violation_key(violation.code, violation.reason);
        if !self.matches_key(key) && !self.switch_for_key(key).await? {
            return Err(self.miss(None).await);
        }
        self.push_key(key);
        self.client_ended = true;
        Ok(())
    }

    /// Checks that the client has sent all messages.
    ///
    /// # Errors
    /// If it sent more messages when it was recorded.
    pub(in crate::conversation) async fn check_complete(&mut self) -> Result<(), ExchangeError> {
        if self.expected_keys.len() == self.received_keys.len() {
            return Ok(());
        }
        if self.can_switch() && self.switch_to(<[u128]>::eq).await? {
            return Ok(());
        }
        Err(self.miss(None).await)
    }

    /// The error for a message that is not recorded, or for the end of the client's messages.
    async fn miss(&mut self, message: Option<Arc<KeyedBytes>>) -> ExchangeError {
        self.is_failed = true;
        let (parties, entries) = (self.parties.clone(), self.queue.entries().to_vec());
        let position = self.received_keys.len();
        let compared = entries.iter().take(MAX_COMPARED);
        let payloads = compared.filter_map(|it| it.client_payload(parties.protocol, position));
        let recorded = payloads.map(|it| self.work_size(it)).sum::<usize>();
        let size = recorded + message.as_ref().map_or(0, |message| message.size());
        let explain = move || parties.explain(&entries, position, message.as_deref());
        let explained = self.context.work_on_bodies(size, explain).await;
        explained.unwrap_or_else(|error| error)
    }

    fn matches_key(&self, key: u128) -> bool {
        self.expected_keys.get(self.received_keys.len()) == Some(&key)
    }

    /// The client has sent the next message.
    fn push_key(&mut self, key: u128) {
        self.received_keys.push(key);
        self.expected = self.next_expected().map_or(usize::MAX, |at| at + 1);
    }

    /// The index of the message that the client is expected to send next.
    fn next_expected(&self) -> Option<usize> {
        let rest = self.messages().get(self.expected..)?;
        let next = rest.iter().position(is_of_client)?;
        Some(self.expected + next)
    }

    async fn matches_by_wildcard(&self, message: &Arc<KeyedBytes>) -> Result<bool, ExchangeError> {
        let expected = self.next_expected().and_then(|at| self.messages().get(at));
        let expected = expected.and_then(|message| message.kind.payload());
        let (Some(entry), Some(recorded)) = (self.entry().cloned(), expected.cloned()) else {
            return Ok(false);
        };
        let size = self.work_size(&recorded).max(message.size());
        let (parties, message) = (self.parties.clone(), Arc::clone(message));
        let compare = move || parties.matches_by_wildcard(&message, &entry, &recorded);
        let (found, _memory) = self.context.work_on_body(size, compare).await?;
        Ok(found?)
    }

    /// The size of the work on a recorded message. One that is stored is read on another thread.
    fn work_size(&self, recorded: &Payload) -> usize {
        let size = usize::try_from(recorded.content.size()).unwrap_or(usize::MAX);
        match recorded.content {
            Content::Inline(_) => size,
            Content::Stored { .. } => size.max(self.context.snapshot.config.limits.offload_size),
        }
    }

    /// Switches to another conversation that has the same messages so far and continues with this
    /// key.
    async fn switch_for_key(&mut self, key: u128) -> Result<bool, ExchangeError> {
        if !self.can_switch() {
            return Ok(false);
        }
        self.switch_to(|expected, received| {
            expected.get(..received.len()) == Some(received)
                && expected.get(received.len()) == Some(&key)
        })
        .await
    }

    async fn switch_to(
        &mut self,
        fits: impl Fn(&[u128], &[u128]) -> bool,
    ) -> Result<bool, ExchangeError> {
        let Some(current) = self.entry().cloned() else {
            return Ok(false);
        };
        let (index, protocol) = (&self.parties.lookup.index, self.parties.protocol);
        let is_other = |entry: &Arc<Entry>| {
            !Arc::ptr_eq(entry, &current) && entry.has_same_response_head(&current, protocol)
        };
        for entry in self.queue.entries().iter().filter(|it| is_other(it)) {
            if index.cached_client_message_keys(entry).is_none() {
                let (index, entry) = (Arc::clone(index), Arc::clone(entry));
                let derive = move || index.client_message_keys(&entry, protocol);
                // A conversation that cannot be read fits no client.
                let _ = self.reads.run(derive).await?;
            }
        }
        let mut expected_keys = None;
        let found = self.queue.claim(|entry| {
            expected_keys = is_other(entry)
                .then(|| index.cached_client_message_keys(entry))
                .flatten();
            expected_keys
                .as_ref()
                .is_some_and(|expected| fits(expected, &self.received_keys))
        });
        let Some(mut found) = found else {
            return Ok(false);
        };
        found.keep();
        self.expected_keys = expected_keys.unwrap_or_default();
        if let Some(previous) = self.claimed.replace(found) {
            previous.release();
        }
        (self.position, self.client_messages_passed) = (0, 0);
        self.passed_pings.clear();
        let sent = self.messages().iter().enumerate();
        let mut sent = sent.filter(|(_, message)| is_of_client(message));
        let expected = sent.nth(self.received_keys.len());
        self.expected = expected.map_or(usize::MAX, |(at, _)| at);
        self.last_message = (0, Instant::now());
        Ok(true)
    }
}
