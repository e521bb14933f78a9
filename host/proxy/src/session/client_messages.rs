//! What the clients of recorded conversations said: as keys, and in full for reports.

use std::sync::{Arc, PoisonError};

use bytes::Bytes;

use super::index::redacted_target;
use super::{Entry, Index};
use ouli_codec::MessageView;
use ouli_matching::key::{self, DescribedPart};
use ouli_matching::miss::{self, Candidate, Cause, Miss, MissedRequest};
use ouli_message::stream::{Message, Payload, Protocol, Side};
use ouli_plugin::{ConversationMessage, MatchKey, PluginFailure};

/// Conversations that are compared in full for the report of a miss.
const MAX_COMPARED: usize = 24;

/// A message of a client that fits no recorded one.
pub struct UnmatchedMessage<'a> {
    /// The request that began the conversation, as matchers see it.
    pub request: &'a Arc<dyn MessageView>,
    /// What the sides speak.
    pub protocol: Protocol,
    /// The place of the message among those of the client, from 0.
    pub position: usize,
    /// Its parts; none where the client ended instead.
    pub described: Vec<DescribedPart>,
    /// Who made its key.
    pub match_key: Option<&'a MatchKey>,
}

impl Index {
    /// The keys of the messages that the client of a conversation sent, in order. Derived once.
    ///
    /// # Errors
    /// Where they cannot be read, or a plugin fails.
    pub fn client_message_keys(
        &self,
        entry: &Entry,
        protocol: Protocol,
    ) -> Result<Arc<[u128]>, String> {
        if let Some(keys) = self.cached_client_message_keys(entry) {
            return Ok(keys);
        }
        let request = self.request_view(entry)?;
        let words = client_payloads(entry, protocol).map(|words| {
            let message = self.message_view(&request, protocol, words)?;
            let keyed = self.plugins.message_key(&message, self.session.secrets());
            Ok(keyed.map_err(|error| error.to_string())?.key.hash())
        });
        let keys: Arc<[u128]> = words.collect::<Result<_, String>>()?;
        let mut known = self
            .client_message_keys
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        known.insert(entry.ordinal, Arc::clone(&keys));
        Ok(keys)
    }

    /// The same where it was derived before.
    pub fn cached_client_message_keys(&self, entry: &Entry) -> Option<Arc<[u128]>> {
        let known = self
            .client_message_keys
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        known.get(&entry.ordinal).cloned()
    }

    /// True where a message is the one at a place of a recorded conversation, with any text in the
    /// place of a placeholder.
    pub fn message_matches_by_wildcard(
        &self,
        entry: &Entry,
        protocol: Protocol,
        place: usize,
        described: &[DescribedPart],
    ) -> bool {
        let recorded = self.describe_message(entry, protocol, place);
        recorded.is_some_and(|recorded| {
            key::holds_placeholder(&recorded) && key::matches_with_wildcards(&recorded, described)
        })
    }

    /// Explains why a message has no answer: the recorded conversations of the same request, by
    /// what their clients said at this place.
    pub fn explain_unmatched_message(
        &self,
        unheard: UnmatchedMessage<'_>,
        entries: &[Arc<Entry>],
    ) -> Miss {
        let (place, protocol) = (unheard.position, unheard.protocol);
        let line = |view: &dyn MessageView| {
            let target = redacted_target(view);
            format!("{} {target}, client message {}", view.method(), place + 1)
        };
        let candidates = entries.iter().take(MAX_COMPARED).filter_map(|entry| {
            let view = self.request_view(entry).ok()?;
            Some(Candidate {
                ordinal: usize::try_from(entry.ordinal).unwrap_or(usize::MAX),
                request_line: line(&*view),
                described: self
                    .describe_message(entry, protocol, place)
                    .unwrap_or_default(),
                replayed: entry.is_used(),
            })
        });
        let authority = unheard.request.authority();
        let plugin = unheard.match_key.map(|keyed| &keyed.matcher);
        let missed = MissedRequest {
            session: self.session.name().to_string(),
            request_line: line(&**unheard.request),
            upstream: (!authority.is_empty()).then(|| authority.to_owned()),
            matcher: plugin
                .filter(|matcher| !matcher.is_builtin())
                .map(|matcher| matcher.name().to_owned()),
            described: unheard.described,
            cause: Cause::NoMatch,
        };
        miss::report(missed, candidates.collect())
    }

    /// The bytes of a turn.
    ///
    /// # Errors
    /// Where they are stored beside the cassette and cannot be read.
    pub fn read_payload(&self, words: &Payload) -> std::io::Result<Bytes> {
        self.read_content(&words.content)
    }

    fn describe_message(
        &self,
        entry: &Entry,
        protocol: Protocol,
        place: usize,
    ) -> Option<Vec<DescribedPart>> {
        let words = client_payloads(entry, protocol).nth(place)?;
        let request = self.request_view(entry).ok()?;
        let message = self.message_view(&request, protocol, words).ok()?;
        let secrets = self.session.secrets();
        self.plugins.describe_message(&message, secrets).ok()
    }

    fn message_view(
        &self,
        request: &Arc<dyn MessageView>,
        protocol: Protocol,
        words: &Payload,
    ) -> Result<Arc<dyn MessageView>, String> {
        let bytes = self
            .read_payload(words)
            .map_err(|error| error.to_string())?;
        let said = ConversationMessage {
            request,
            protocol,
            side: Side::Client,
            bytes: &bytes,
        };
        let message = self.plugins.message_view(said, self.session.secrets());
        message.map_err(|error: PluginFailure| error.to_string())
    }
}

/// The messages of the client, in order.
fn client_payloads(entry: &Entry, protocol: Protocol) -> impl Iterator<Item = &Payload> {
    let turns = entry.messages(protocol).unwrap_or_default();
    let said = |turn: &&Message| turn.side == Side::Client;
    turns
        .iter()
        .filter(said)
        .filter_map(|turn| turn.kind.payload())
}
