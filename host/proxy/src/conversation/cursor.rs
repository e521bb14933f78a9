//! The position of a client in a recorded conversation.

use std::sync::Arc;

use bytes::Bytes;
use tokio::time::Instant;

use super::unmatched::{Unmatched, explain};
use crate::handler::{BodyWorkers, Endpoint, ExchangeError, RequestContext, Snapshot};
use crate::replay::{EarlyLeave, Lookup, NOT_AWAITED, NOT_SENT, OwnIds};
use crate::session::{
    ClaimedEntry, ClientMessageKey, Entry, Outcome, ReceivedMessage, ReplayQueue, Session,
    violation_key,
};
use ouli_codec::websocket::Violation;
use ouli_config::Timing;
use ouli_matching::key::IdentityUse;
use ouli_matching::miss::Miss;
use ouli_message::Content;
use ouli_message::stream::{Ending, Message, MessageKind, Payload, Protocol, Side};
use ouli_plugin::{ConversationMessage, PluginFailure};

/// The position of a client in the conversation that is selected for it. Counts a hit when it is
/// dropped, and whether messages are left, unless the conversation failed.
pub(super) struct ConversationCursor {
    snapshot: Arc<Snapshot>,
    endpoint: Arc<Endpoint>,
    session: Arc<Session>,
    lookup: Arc<Lookup>,
    protocol: Protocol,
    queue: ReplayQueue,
    claimed: Option<ClaimedEntry>,
    /// Keys of the recorded client messages.
    expected_keys: Arc<[ClientMessageKey]>,
    timing: Timing,
    reads: BodyWorkers,
    /// The next recorded message.
    position: usize,
    /// The number of client messages before `position`.
    client_messages_passed: usize,
    /// Keys of the messages that the client has sent.
    received_keys: Vec<u128>,
    /// The client has ended its side.
    client_ended: bool,
    /// The client has received something that only this conversation has.
    committed: bool,
    /// When the last message was sent: in the recording, in microseconds, and now.
    last_message: (u64, Instant),
    /// The conversation is not counted as a hit.
    is_failed: bool,
    own_ids: OwnIds,
}

/// A message of the server.
pub(super) struct DueMessage {
    pub(super) kind: MessageKind,
    /// When it is sent.
    pub(super) send_at: Instant,
}

impl ConversationCursor {
    pub(super) fn new(
        context: &RequestContext<'_>,
        lookup: Arc<Lookup>,
        protocol: Protocol,
        (queue, mut claimed, expected_keys): (ReplayQueue, ClaimedEntry, Arc<[ClientMessageKey]>),
    ) -> Self {
        claimed.keep();
        let own_ids = OwnIds::of_run(&context.snapshot.plugins, &context.session);
        Self {
            own_ids,
            snapshot: Arc::clone(&context.snapshot),
            endpoint: Arc::clone(&context.endpoint),
            session: Arc::clone(&context.session),
            lookup,
            protocol,
            queue,
            claimed: Some(claimed),
            expected_keys,
            timing: context.snapshot.config.timing,
            reads: context.handler.shared.body_reads.clone(),
            position: 0,
            client_messages_passed: 0,
            received_keys: Vec::new(),
            client_ended: false,
            committed: false,
            last_message: (0, Instant::now()),
            is_failed: false,
        }
    }

    pub(super) fn entry(&self) -> Option<&Arc<Entry>> {
        self.claimed.as_ref().map(ClaimedEntry::entry)
    }

    fn messages(&self) -> &[Message] {
        let messages = self.entry().and_then(|entry| entry.messages(self.protocol));
        messages.unwrap_or_default()
    }

    pub(super) fn ending(&self) -> Ending {
        let stream = self.entry().and_then(|entry| entry.stream.as_ref());
        stream.map_or(Ending::Complete, |stream| stream.ending)
    }

    /// From now on the cursor cannot switch to another conversation: the client has received
    /// something that only this one has.
    pub(super) fn commit(&mut self) {
        self.committed = true;
    }

    /// True until [`Self::commit`].
    pub(super) fn can_switch(&self) -> bool {
        !self.committed
    }

    /// The next message, if it is one of the server.
    pub(super) fn due_message(&mut self) -> Option<DueMessage> {
        self.skip_passed();
        let (at, sent_at) = self.last_message;
        let message = self.messages().get(self.position)?;
        if message.side == Side::Client {
            return None;
        }
        let pause = self.timing.delay(message.at.saturating_sub(at));
        Some(DueMessage {
            kind: message.kind.clone(),
            send_at: sent_at + pause,
        })
    }

    /// The message that was due is sent.
    pub(super) fn mark_sent(&mut self) {
        self.committed = true;
        self.advance();
    }

    /// True if no message is left.
    pub(super) fn is_over(&mut self) -> bool {
        self.skip_passed();
        self.position >= self.messages().len()
    }

    /// The bytes of a message.
    ///
    /// # Errors
    /// If it is stored beside the cassette and cannot be read.
    pub(super) async fn payload_bytes(&self, payload: &Payload) -> std::io::Result<Bytes> {
        if let Content::Inline(bytes) = &payload.content {
            return Ok(bytes.clone());
        }
        let (lookup, payload) = (Arc::clone(&self.lookup), payload.clone());
        let read = move || lookup.index.read_payload(&payload);
        let read = self.reads.run(read).await;
        read.map_err(|error| std::io::Error::other(error.to_string()))?
    }

    /// The client has sent a message.
    ///
    /// # Errors
    /// If no recorded conversation continues with this message, or a plugin fails.
    pub(super) fn receive(&mut self, bytes: &Bytes) -> Result<(), ExchangeError> {
        let conversation_message = ConversationMessage {
            request: &self.lookup.request_view,
            protocol: self.protocol,
            side: Side::Client,
            bytes,
        };
        let session = Arc::clone(&self.session);
        let secrets = session.secrets();
        let plugins = &self.snapshot.plugins;
        let message = plugins.message_view(conversation_message, secrets)?;
        let match_key = plugins.message_key(&message, secrets)?;
        session.count_failed_matcher(&match_key);
        secrets.mint(match_key.key.minted());
        let (key, identities) = (match_key.key.hash(), match_key.key.identities());
        if !self.matches_key(key, identities) && !self.switch_for_key(key, identities) {
            return Err(self.miss(Some(ReceivedMessage {
                view: &message,
                size: bytes.len(),
                key,
            })));
        }
        self.keep_own_ids(bytes);
        self.received_keys.push(key);
        Ok(())
    }

    /// What the client calls otherwise than the recorded one did in the message in this place.
    fn keep_own_ids(&mut self, live: &Bytes) {
        let number = self.received_keys.len();
        let messages = self.messages().iter();
        let sent = messages.filter(|it| it.side == Side::Client && has_key(&it.kind));
        let payload = sent
            .map(|message| message.kind.payload())
            .nth(number)
            .flatten();
        let recorded = payload.map(|payload| payload.content.clone());
        if let (Some(Content::Inline(recorded)), Protocol::WebSocket) = (recorded, self.protocol) {
            self.own_ids.add_message(live, &recorded);
        }
    }

    /// A message of the server with the values that the client made up.
    pub(super) fn with_own_ids(&self, bytes: Bytes) -> Bytes {
        if self.own_ids.is_empty() {
            return bytes;
        }
        let edits = self.own_ids.edits(None, &bytes);
        match edits.is_empty() {
            true => bytes,
            false => edits.apply(&bytes).into(),
        }
    }

    /// The client has ended its side.
    ///
    /// # Errors
    /// If it sent more messages when it was recorded.
    pub(super) fn receive_end(&mut self) -> Result<(), ExchangeError> {
        self.client_ended = true;
        if self.ending() == Ending::ClientAborted {
            return Ok(());
        }
        self.check_complete()
    }

    /// The client has violated the WebSocket protocol; nothing more of it is read.
    ///
    /// # Errors
    /// If it did not do so at this place when it was recorded.
    pub(super) fn receive_violation(&mut self, violation: &Violation) -> Result<(), ExchangeError> {
        let key = violation_key(violation.code, violation.reason);
        if !self.matches_key(key, &[]) && !self.switch_for_key(key, &[]) {
            return Err(self.miss(None));
        }
        self.received_keys.push(key);
        self.client_ended = true;
        Ok(())
    }

    /// Checks that the client has sent all messages.
    ///
    /// # Errors
    /// If it sent more messages when it was recorded.
    pub(super) fn check_complete(&mut self) -> Result<(), ExchangeError> {
        if self.expected_keys.len() == self.received_keys.len() {
            return Ok(());
        }
        if self.can_switch()
            && self.switch_to(|expected, received| ClientMessageKey::hashes(expected).eq(received))
        {
            return Ok(());
        }
        Err(self.miss(None))
    }

    /// The client has sent a close frame, which is allowed at any time.
    pub(super) fn receive_close(&mut self) {
        self.client_ended = true;
    }

    /// Undoes the claim without counting: the request is forwarded instead.
    pub(super) fn release(mut self) {
        self.is_failed = true;
        if let Some(claimed) = self.claimed.take() {
            self.lookup.index.unbind(claimed.entry());
            claimed.release();
        }
    }

    /// The error for a message that is not recorded, or for the end of the client's messages.
    fn miss(&mut self, message: Option<ReceivedMessage<'_>>) -> ExchangeError {
        self.is_failed = true;
        match self.explain_miss(message) {
            Ok(miss) => ExchangeError::Miss(Box::new(miss)),
            Err(failure) => ExchangeError::Plugin(failure),
        }
    }

    fn explain_miss(&self, message: Option<ReceivedMessage<'_>>) -> Result<Miss, PluginFailure> {
        let unmatched = Unmatched {
            protocol: self.protocol,
            position: self.received_keys.len(),
            message,
        };
        let parties = (&*self.snapshot, &*self.endpoint, &*self.session);
        explain(parties, &self.lookup, self.queue.entries(), unmatched)
    }

    /// Counts an error that the client receives, now that the request is not forwarded any more.
    pub(super) fn count_error(&mut self, error: &ExchangeError) {
        if let Some(outcome) = error.outcome() {
            self.count_failure(outcome);
        }
    }

    /// Counts the conversation as failed, not as a hit.
    pub(super) fn count_failure(&mut self, outcome: Outcome) {
        self.session.counters().count(outcome);
        self.is_failed = true;
    }

    /// The error is counted elsewhere. The conversation is no hit, unless the error is the replay.
    pub(super) fn fail(&mut self, error: &ExchangeError) {
        self.is_failed |= error.outcome().is_some();
    }

    /// Skips messages that need not be sent: those that the client has sent, its pings and pongs,
    /// and pongs of the server, since live pings are answered when they arrive.
    fn skip_passed(&mut self) {
        while let Some(message) = self.messages().get(self.position) {
            let passed = match (message.side, &message.kind) {
                (Side::Client, kind) if has_key(kind) => {
                    self.client_messages_passed < self.received_keys.len()
                }
                (Side::Client, MessageKind::Close { .. } | MessageKind::End) => self.client_ended,
                (Side::Client, _) => true,
                (Side::Server, MessageKind::Pong(payload)) => self.answers_ping(payload),
                (Side::Server, _) => false,
            };
            if !passed {
                return;
            }
            self.advance();
        }
    }

    fn advance(&mut self) {
        let message = self.messages().get(self.position);
        let at = message.map_or(0, |message| message.at);
        let message =
            message.is_some_and(|message| message.side == Side::Client && has_key(&message.kind));
        self.client_messages_passed += usize::from(message);
        self.last_message = (at, Instant::now());
        self.position += 1;
    }

    fn answers_ping(&self, payload: &Bytes) -> bool {
        let previous = self.messages().get(..self.position).unwrap_or_default();
        previous.iter().any(|message| {
            message.side == Side::Client
                && matches!(&message.kind, MessageKind::Ping(ping) if ping == payload)
        })
    }

    fn matches_key(&self, key: u128, identities: &[IdentityUse]) -> bool {
        let expected = self.expected_keys.get(self.received_keys.len());
        let expected = expected.filter(|expected| expected.hash == key);
        expected.zip(self.entry()).is_some_and(|(expected, entry)| {
            let recorded = &expected.identities;
            self.lookup.index.bind_message(entry, identities, recorded)
        })
    }

    /// Switches to another conversation that has the same messages so far and continues with this
    /// key.
    fn switch_for_key(&mut self, key: u128, identities: &[IdentityUse]) -> bool {
        self.can_switch()
            && self.switch_to(|expected, received| {
                let mut expected = ClientMessageKey::hashes(expected);
                expected.by_ref().take(received.len()).eq(received) && expected.next() == Some(&key)
            })
            && self.matches_key(key, identities)
    }

    fn switch_to(&mut self, fits: impl Fn(&[ClientMessageKey], &[u128]) -> bool) -> bool {
        let Some(current) = self.entry().cloned() else {
            return false;
        };
        let (index, protocol) = (&self.lookup.index, self.protocol);
        let mut expected_keys = None;
        let found = self.queue.claim(|entry| {
            let other =
                !Arc::ptr_eq(entry, &current) && entry.has_same_response_head(&current, protocol);
            let keys = || index.client_message_keys(entry, protocol).ok();
            expected_keys = other.then(keys).flatten();
            expected_keys
                .as_ref()
                .is_some_and(|expected| fits(expected, &self.received_keys))
        });
        let Some(mut found) = found else {
            return false;
        };
        if !index.rebind(&current, found.entry(), &self.lookup.match_key.key) {
            found.release();
            return false;
        }
        found.keep();
        self.expected_keys = expected_keys.unwrap_or_default();
        if let Some(previous) = self.claimed.replace(found) {
            previous.release();
        }
        (self.position, self.client_messages_passed) = (0, 0);
        self.last_message = (0, Instant::now());
        true
    }

    /// Counts a conversation of which messages are left.
    fn count_early_leave(&mut self) {
        self.skip_passed();
        let Some(entry) = self.entry() else {
            return;
        };
        let messages = self.messages();
        let count = |messages: &[Message]| messages.iter().filter(|it| has_key(&it.kind)).count();
        let rest = messages.get(self.position..).unwrap_or_default();
        let Some(next) = rest.iter().find(|message| has_key(&message.kind)) else {
            return;
        };
        let why = match next.side {
            Side::Client => NOT_SENT,
            Side::Server => NOT_AWAITED,
        };
        EarlyLeave::of_messages(&self.session, entry, count(messages)).count(count(rest), why);
    }
}

/// True if a message of the client has a key: it is expected again at replay.
fn has_key(kind: &MessageKind) -> bool {
    kind.payload().is_some() || matches!(kind, MessageKind::Invalid { .. })
}

impl Drop for ConversationCursor {
    fn drop(&mut self) {
        if !self.is_failed {
            let outcome = ClaimedEntry::hit_of(self.claimed.as_ref());
            self.session.counters().count(outcome);
            self.count_early_leave();
        }
    }
}
