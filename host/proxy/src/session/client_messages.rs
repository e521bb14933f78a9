//! The client messages of recorded conversations: their keys, and their parts for reports.

use std::sync::Arc;

use bytes::Bytes;

use super::client_message_key::ClientMessageKey;
use super::entry::Entry;
use super::index::{Index, request_line};
use super::miss_comparison::{ComparisonBudget, MAX_COMPARED};
use ouli_codec::MessageView;
use ouli_matching::key::{IdentityUse, KeyedMessage};
use ouli_matching::miss::{self, Candidate, Cause, Guidance, Miss, MissedRequest};
use ouli_message::stream::{MessageKind, Payload, Protocol, Side};
use ouli_message::{Content, Fields};
use ouli_plugin::{ConversationMessage, PluginFailure};

/// A message that the client sent.
#[derive(Clone, Copy)]
pub(crate) struct ReceivedMessage<'a> {
    /// The message as matchers see it.
    pub(crate) view: &'a Arc<dyn MessageView>,
    /// Its size in bytes.
    pub(crate) size: usize,
    /// The hash of its key.
    pub(crate) key: u128,
}

/// A client message that matches no recorded one.
pub(crate) struct UnmatchedMessage<'a> {
    /// The request that started the conversation, as matchers see it.
    pub request: &'a Arc<dyn MessageView>,
    /// The protocol of the conversation.
    pub protocol: Protocol,
    /// The index of the message among the client's messages, from 0.
    pub position: usize,
    /// The message; none if the client ended the conversation instead.
    pub message: Option<ReceivedMessage<'a>>,
    /// The memory for comparing it.
    pub budget: ComparisonBudget,
    /// What the report needs to know of the gateway.
    pub guidance: Guidance,
}

impl Index {
    /// The keys of the client messages of a conversation, in order. They are derived once and
    /// cached.
    ///
    /// # Errors
    /// If a message cannot be read, or a plugin fails.
    pub(crate) fn client_message_keys(
        &self,
        entry: &Entry,
        protocol: Protocol,
    ) -> Result<Arc<[ClientMessageKey]>, String> {
        if let Some(keys) = self.cached_client_message_keys(entry) {
            return Ok(keys);
        }
        let request = self.request_view(entry)?;
        let messages = entry.messages(protocol).unwrap_or_default();
        let messages = messages
            .iter()
            .filter(|message| message.side == Side::Client);
        let keys = messages.filter_map(|message| match &message.kind {
            MessageKind::Text(payload) | MessageKind::Binary(payload) => {
                let is_binary = is_binary(protocol, &message.kind);
                Some(self.payload_key(&request, protocol, (payload, is_binary)))
            }
            MessageKind::Invalid { code, reason } => {
                Some(Ok(ClientMessageKey::of_violation(*code, reason)))
            }
            MessageKind::Ping(_)
            | MessageKind::Pong(_)
            | MessageKind::Close { .. }
            | MessageKind::End => None,
        });
        let keys: Arc<[ClientMessageKey]> = keys.collect::<Result<_, String>>()?;
        let uses = keys.iter().flat_map(|key| key.identities.iter());
        let identities = uses.map(|it| it.identity.clone());
        self.message_identities.write().extend(identities);
        let mut cache = self.client_message_keys.lock();
        cache.insert(entry.ordinal, Arc::clone(&keys));
        Ok(keys)
    }

    fn payload_key(
        &self,
        request: &Arc<dyn MessageView>,
        protocol: Protocol,
        (payload, is_binary): (&Payload, bool),
    ) -> Result<ClientMessageKey, String> {
        let size = usize::try_from(payload.content.size()).unwrap_or(usize::MAX);
        let _memory = self.session.all_runs.memory.reserve_work(size);
        let message = self.message_view(request, protocol, (payload, is_binary))?;
        let keyed = self.plugins.message_key(&message, self.session.secrets());
        let keyed = keyed.map_err(|error| error.to_string())?;
        self.session.count_failed_matcher(&keyed);
        let secrets = self.session.secrets();
        secrets.see_minted(keyed.key.minted(), true);
        Ok(ClientMessageKey::of(&keyed.key))
    }

    /// The keys of the client messages, if they are cached.
    pub(crate) fn cached_client_message_keys(
        &self,
        entry: &Entry,
    ) -> Option<Arc<[ClientMessageKey]>> {
        self.client_message_keys.lock().get(&entry.ordinal).cloned()
    }

    /// True if the secrets of a message fit those of a recorded one with an equal key. They stand
    /// for them from now on.
    /// `others` are the identities of other conversations with the same messages so far.
    pub(crate) fn bind_message(
        &self,
        entry: &Entry,
        uses: (&[IdentityUse], &[IdentityUse]),
        others: &[(u64, &[IdentityUse])],
    ) -> bool {
        self.bind_identities(&self.state.read(), entry, uses, others)
    }

    /// Explains why a message has no response: compares it with the client messages at the same
    /// position of recorded conversations.
    ///
    /// # Errors
    /// If a plugin fails.
    pub(crate) fn explain_unmatched_message(
        &self,
        unmatched: UnmatchedMessage<'_>,
        entries: &[Arc<Entry>],
    ) -> Result<Miss, PluginFailure> {
        let (position, protocol) = (unmatched.position, unmatched.protocol);
        let number = position + 1;
        let line =
            |view: &dyn MessageView| format!("{}, client message {number}", request_line(view));
        let mut budget = unmatched.budget;
        let secrets = self.session.secrets();
        let message = match unmatched.message {
            Some(ReceivedMessage { view, size, key }) => {
                let message = budget.admit(Arc::clone(view), size, Some(low_half(key)));
                self.plugins.keyed_message(&message, secrets)?
            }
            None => end_of_conversation(unmatched.request),
        };
        let mut candidates = Vec::new();
        for entry in entries.iter().take(MAX_COMPARED) {
            if budget.is_used_up() {
                break;
            }
            let Ok(view) = self.request_view(entry) else {
                continue;
            };
            let payload = client_payloads(entry, protocol).nth(position);
            let message = payload.and_then(|(payload, is_binary)| {
                let keys = self.cached_client_message_keys(entry);
                let key = keys.and_then(|keys| Some(keys.get(position)?.hash));
                let payload = ((payload, is_binary), key.map(low_half));
                let message = self.comparable_message(&view, protocol, payload, &mut budget);
                self.plugins.keyed_message(&message?, secrets).ok()
            });
            candidates.push(Candidate {
                ordinal: usize::try_from(entry.ordinal).unwrap_or(usize::MAX),
                request_line: line(&*view),
                message: message.unwrap_or_else(|| end_of_conversation(&view)),
                // The message of a conversation selects no response.
                response: Fields::default(),
                replayed: self.session.entries.uses().is_used(entry),
            });
        }
        let missed = MissedRequest {
            session: self.session.name().to_string(),
            request_line: line(&**unmatched.request),
            message,
            cause: Cause::NoMatch,
            unavailable: self.session.unavailable(),
            guidance: unmatched.guidance,
        };
        Ok(miss::report(missed, candidates))
    }

    /// The size in bytes of the messages that [`Self::explain_unmatched_message`] compares. Those
    /// that are stored as files count as the largest ones.
    pub(crate) fn compared_size(
        &self,
        entries: &[Arc<Entry>],
        protocol: Protocol,
        position: usize,
    ) -> usize {
        let compared = entries.iter().take(MAX_COMPARED);
        let payloads = compared.filter_map(|it| client_payloads(it, protocol).nth(position));
        let sizes = payloads.map(|(payload, _)| match &payload.content {
            Content::Inline(bytes) => bytes.len(),
            Content::Stored { .. } => usize::MAX,
        });
        sizes.fold(0, usize::saturating_add)
    }

    /// The bytes of a message.
    ///
    /// # Errors
    /// If they are stored as a file that cannot be read.
    pub fn read_payload(&self, payload: &Payload) -> std::io::Result<Bytes> {
        self.read_content(&payload.content)
    }

    /// A recorded message, with a summary in place of a text that is too large to be compared.
    fn comparable_message(
        &self,
        request: &Arc<dyn MessageView>,
        protocol: Protocol,
        ((payload, is_binary), digest): ((&Payload, bool), Option<u64>),
        budget: &mut ComparisonBudget,
    ) -> Option<Arc<dyn MessageView>> {
        let size = usize::try_from(payload.content.size()).unwrap_or(usize::MAX);
        let empty = Payload {
            content: Content::EMPTY,
            compressed: payload.compressed,
        };
        let read = if budget.is_too_large(size) {
            &empty
        } else {
            payload
        };
        let message = self
            .message_view(request, protocol, (read, is_binary))
            .ok()?;
        Some(budget.admit(message, size, digest))
    }

    fn message_view(
        &self,
        request: &Arc<dyn MessageView>,
        protocol: Protocol,
        (payload, is_binary): (&Payload, bool),
    ) -> Result<Arc<dyn MessageView>, String> {
        let bytes = self
            .read_payload(payload)
            .map_err(|error| error.to_string())?;
        let message = ConversationMessage {
            request,
            protocol,
            side: Side::Client,
            is_binary,
            bytes: &bytes,
        };
        let view = self.plugins.message_view(message, self.session.secrets());
        view.map_err(|error: PluginFailure| error.to_string())
    }
}

/// True for a binary message of a WebSocket. The messages of gRPC have one type.
fn is_binary(protocol: Protocol, kind: &MessageKind) -> bool {
    protocol == Protocol::WebSocket && matches!(kind, MessageKind::Binary(_))
}

fn low_half(key: u128) -> u64 {
    (key & u128::from(u64::MAX)) as u64
}

/// The end of a conversation, which has no parts.
fn end_of_conversation(request: &Arc<dyn MessageView>) -> KeyedMessage {
    KeyedMessage {
        matcher: None,
        parts: Vec::new(),
        view: Arc::clone(request),
    }
}

/// The payloads of the client messages, in order, and whether they are binary.
fn client_payloads(entry: &Entry, protocol: Protocol) -> impl Iterator<Item = (&Payload, bool)> {
    let messages = entry.messages(protocol).unwrap_or_default();
    messages
        .iter()
        .filter(|message| message.side == Side::Client)
        .filter_map(move |message| {
            let payload = message.kind.payload()?;
            Some((payload, is_binary(protocol, &message.kind)))
        })
}
