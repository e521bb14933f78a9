//! What the client sends is compared with the recorded conversations.

use std::sync::Arc;

use bytes::Bytes;
use tokio::time::Instant;

use super::ConversationCursor;
use super::alike::AlikeConversations;
use crate::conversation::client_message::KeyedBytes;
use crate::handler::ExchangeError;
use crate::session::{ClientMessageKey, Entry};
use ouli_codec::websocket::Violation;
use ouli_message::stream::Ending;

impl ConversationCursor {
    /// The client has sent a message. Work on a large one leaves this thread.
    ///
    /// # Errors
    /// If no recorded conversation continues with this message, a plugin fails, or there is not
    /// enough memory.
    pub(in crate::conversation) async fn receive(
        &mut self,
        bytes: &Bytes,
        is_binary: bool,
    ) -> Result<(), ExchangeError> {
        let (parties, owned) = (self.parties.clone(), bytes.clone());
        let derive = move || parties.keyed((&owned, is_binary));
        let (keyed, _memory) = self.context.work_on_body(bytes.len(), derive).await?;
        let keyed = keyed?;
        let key = ClientMessageKey::of(&keyed.key);
        if !key.identities.is_empty() && self.alike.is_none() && self.can_switch() {
            // Other conversations may have another secret in this message.
            self.derive_keys(|_| true).await?;
        }
        if !self.matches_key(&key) && !self.switch_for_key(&key).await? {
            return Err(self.miss(Some(keyed)).await);
        }
        self.keep_own_ids(bytes).await?;
        self.received.push(key);
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
        let key = ClientMessageKey::of_violation(violation.code, violation.reason);
        if !self.matches_key(&key) && !self.switch_for_key(&key).await? {
            return Err(self.miss(None).await);
        }
        self.received.push(key);
        self.client_ended = true;
        Ok(())
    }

    /// Checks that the client has sent all messages.
    ///
    /// # Errors
    /// If it sent more messages when it was recorded.
    pub(in crate::conversation) async fn check_complete(&mut self) -> Result<(), ExchangeError> {
        if self.expected_keys.len() == self.received.len() {
            return Ok(());
        }
        let fits = |expected: &[ClientMessageKey], received: &[ClientMessageKey]| {
            ClientMessageKey::hashes(expected).eq(ClientMessageKey::hashes(received))
        };
        if self.can_switch() && self.switch_to(fits, None).await? {
            return Ok(());
        }
        Err(self.miss(None).await)
    }

    /// The error for a message that is not recorded, or for the end of the client's messages.
    async fn miss(&mut self, message: Option<KeyedBytes>) -> ExchangeError {
        self.is_failed = true;
        let (parties, entries) = (self.parties.clone(), self.queue.entries().to_vec());
        let position = self.received.len();
        let index = &parties.lookup.index;
        let recorded = index.compared_size(&entries, parties.protocol, position);
        let size = recorded.saturating_add(message.as_ref().map_or(0, KeyedBytes::size));
        let explain = move || parties.explain(&entries, position, message.as_ref());
        let explained = self.context.work_on_bodies(size, explain).await;
        explained.unwrap_or_else(|error| error)
    }

    fn matches_key(&mut self, key: &ClientMessageKey) -> bool {
        let position = self.received.len();
        let expected = self.expected_keys.get(position);
        let expected = expected.filter(|expected| expected.hash == key.hash);
        let Some((expected, claimed)) = expected.zip(self.claimed.as_ref()) else {
            return false;
        };
        let (index, entry) = (&self.parties.lookup.index, claimed.entry());
        // They matter to secrets alone, and are many.
        let queue = &self.queue;
        let others = match key.identities.is_empty() {
            true => Vec::new(),
            false => {
                let all = || AlikeConversations::of(queue.entries(), index);
                let alike = self.alike.get_or_insert_with(all);
                alike.continuing(&self.received, key.hash, |entry| queue.is_unused(entry))
            }
        };
        index.bind_message(entry, (&key.identities, &expected.identities), &others)
    }

    /// Switches to another conversation that has the same messages so far and continues with this
    /// key.
    async fn switch_for_key(&mut self, key: &ClientMessageKey) -> Result<bool, ExchangeError> {
        let fits = |expected: &[ClientMessageKey], received: &[ClientMessageKey]| {
            begins_with(expected, received, key.hash)
        };
        Ok(self.can_switch() && self.switch_to(fits, Some(key)).await?)
    }

    /// Switches to the first conversation that fits and whose secrets are those of all messages.
    /// `new` is the last one.
    async fn switch_to(
        &mut self,
        fits: impl Fn(&[ClientMessageKey], &[ClientMessageKey]) -> bool,
        new: Option<&ClientMessageKey>,
    ) -> Result<bool, ExchangeError> {
        let Some(current) = self.entry().cloned() else {
            return Ok(false);
        };
        let (lookup, protocol) = (Arc::clone(&self.parties.lookup), self.parties.protocol);
        let is_other = |entry: &Arc<Entry>| {
            !Arc::ptr_eq(entry, &current) && entry.has_same_response_head(&current, protocol)
        };
        self.derive_keys(is_other).await?;
        let index = &lookup.index;
        index.unbind(&current);
        let received: Vec<_> = self.received.iter().chain(new).collect();
        let mut expected_keys = None;
        let found = self.queue.claim(|entry| {
            let keys = || index.cached_client_message_keys(entry);
            expected_keys = is_other(entry).then(keys).flatten();
            let expected = expected_keys.as_ref();
            let expected = expected.filter(|expected| fits(expected, &self.received));
            expected.is_some_and(|expected| {
                let has_secrets = index.rebind(&current, entry, &lookup.match_key.key)
                    && received.iter().zip(&**expected).all(|(live, expected)| {
                        let uses = (&*live.identities, &*expected.identities);
                        index.bind_message(entry, uses, &[])
                    });
                if !has_secrets {
                    index.unbind(entry);
                }
                has_secrets
            })
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
        self.looked_for = (0, 0);
        self.passed_pings.clear();
        self.last_message = (0, Instant::now());
        Ok(true)
    }

    /// Derives the keys of the client's messages in these conversations, on a thread that serves no
    /// connection. They are cached.
    async fn derive_keys(
        &self,
        is_wanted: impl Fn(&Arc<Entry>) -> bool,
    ) -> Result<(), ExchangeError> {
        let (lookup, protocol) = (&self.parties.lookup, self.parties.protocol);
        let unknown = |entry: &&Arc<Entry>| {
            is_wanted(entry) && lookup.index.cached_client_message_keys(entry).is_none()
        };
        let entries = self.queue.entries().iter().filter(unknown);
        let entries: Vec<_> = entries.cloned().collect();
        if entries.is_empty() {
            return Ok(());
        }
        let index = Arc::clone(&lookup.index);
        let derive = move || {
            for entry in entries {
                // A conversation that cannot be read fits no client.
                let _ = index.client_message_keys(&entry, protocol);
            }
        };
        self.body_reads().run(derive).await
    }
}

/// True if a conversation has these messages and then one with this key.
fn begins_with(expected: &[ClientMessageKey], received: &[ClientMessageKey], key: u128) -> bool {
    let mut expected = ClientMessageKey::hashes(expected);
    let first = expected.by_ref().take(received.len());
    first.eq(ClientMessageKey::hashes(received)) && expected.next() == Some(&key)
}
