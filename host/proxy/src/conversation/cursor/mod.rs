//! The position of a client in a recorded conversation.

mod alike;
mod decompression;
mod own_ids;
mod received;

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use tokio::time::Instant;

use self::alike::AlikeConversations;
use super::client_message::Parties;
use crate::handler::{BodyWorkers, ExchangeError, RequestContext};
use crate::replay::{EarlyLeave, Lookup, NOT_AWAITED, NOT_SENT, OwnIds};
use crate::session::{ClaimedEntry, ClientMessageKey, Entry, Outcome, ReplayQueue};
use ouli_config::Timing;
use ouli_message::Content;
use ouli_message::stream::{Ending, Message, MessageKind, Payload, Protocol, Side};

/// The position of a client in the conversation that is selected for it. Counts a hit when it is
/// dropped, and whether messages are left, unless the conversation failed.
pub(super) struct ConversationCursor {
    /// For work on large messages.
    context: RequestContext<'static>,
    parties: Parties,
    queue: ReplayQueue,
    claimed: Option<ClaimedEntry>,
    /// Keys of the recorded client messages.
    expected_keys: Arc<[ClientMessageKey]>,
    timing: Timing,
    /// The next recorded message.
    position: usize,
    /// The number of client messages before `position`.
    client_messages_passed: usize,
    /// The pings of the client before `position`.
    passed_pings: HashSet<Bytes>,
    /// Keys of the messages that the client has sent.
    received: Vec<ClientMessageKey>,
    /// The conversations that have them too. None until a message has a secret.
    alike: Option<AlikeConversations>,
    /// The number of recorded messages up to the client message that was looked for last, and how
    /// many of them are of the client.
    looked_for: (usize, usize),
    /// The client has ended its side.
    client_ended: bool,
    /// The client has received something that only this conversation has.
    committed: bool,
    /// When the last message was sent: in the recording, in microseconds, and now.
    last_message: (u64, Instant),
    /// The conversation is not counted as a hit.
    is_failed: bool,
    /// What the client calls otherwise than the recorded one.
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
        Self {
            // The connection does not count as used for as long as the cursor exists.
            context: RequestContext {
                guard: None,
                interim: None,
                ..context.to_owned()
            },
            parties: Parties {
                snapshot: Arc::clone(&context.snapshot),
                endpoint: Arc::clone(&context.endpoint),
                session: Arc::clone(&context.session),
                lookup,
                protocol,
            },
            queue,
            claimed: Some(claimed),
            expected_keys,
            timing: context.snapshot.config.timing,
            position: 0,
            client_messages_passed: 0,
            passed_pings: HashSet::new(),
            received: Vec::new(),
            alike: None,
            looked_for: (0, 0),
            client_ended: false,
            committed: false,
            last_message: (0, Instant::now()),
            is_failed: false,
            own_ids: OwnIds::of_run(&context.snapshot.plugins, &context.session),
        }
    }

    pub(super) fn entry(&self) -> Option<&Arc<Entry>> {
        self.claimed.as_ref().map(ClaimedEntry::entry)
    }

    fn messages(&self) -> &[Message] {
        let protocol = self.parties.protocol;
        let messages = self.entry().and_then(|entry| entry.messages(protocol));
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
        let (lookup, payload) = (Arc::clone(&self.parties.lookup), payload.clone());
        let read = move || lookup.index.read_payload(&payload);
        let read = self.body_reads().run(read).await;
        read.map_err(|error| std::io::Error::other(error.to_string()))?
    }

    fn body_reads(&self) -> &BodyWorkers {
        &self.context.handler.shared.body_reads
    }

    /// Runs work on a message of this size, a large one on another thread.
    ///
    /// # Errors
    /// If there is not enough memory.
    pub(super) async fn work<T: Send + 'static>(
        &self,
        size: usize,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ExchangeError> {
        let (done, _memory) = self.context.work_on_body(size, work).await?;
        Ok(done)
    }

    /// The client has sent a close frame, which is allowed at any time.
    pub(super) fn receive_close(&mut self) {
        self.client_ended = true;
    }

    /// Undoes the claim without counting: the request is forwarded instead.
    pub(super) fn release(mut self) {
        self.is_failed = true;
        if let Some(claimed) = self.claimed.take() {
            self.parties.lookup.index.unbind(claimed.entry());
            claimed.release();
        }
    }

    /// Counts an error that the client receives, now that the request is not forwarded any more.
    pub(super) fn count_error(&mut self, error: &ExchangeError) {
        if let Some(outcome) = error.outcome() {
            self.count_failure(outcome);
        }
    }

    /// Counts the conversation as failed, not as a hit.
    pub(super) fn count_failure(&mut self, outcome: Outcome) {
        self.parties.session.counters().count(outcome);
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
                    self.client_messages_passed < self.received.len()
                }
                (Side::Client, MessageKind::Close { .. } | MessageKind::End) => self.client_ended,
                (Side::Client, _) => true,
                (Side::Server, MessageKind::Pong(ping)) => self.passed_pings.contains(ping),
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
        let of_client = message.filter(|message| message.side == Side::Client);
        let ping = of_client.and_then(|message| match &message.kind {
            MessageKind::Ping(ping) => Some(ping.clone()),
            _ => None,
        });
        let is_expected = of_client.is_some_and(|message| has_key(&message.kind));
        self.client_messages_passed += usize::from(is_expected);
        self.passed_pings.extend(ping);
        self.last_message = (at, Instant::now());
        self.position += 1;
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
        let session = &self.parties.session;
        EarlyLeave::of_messages(session, entry, count(messages)).count(count(rest), why);
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
            self.parties.session.counters().count(outcome);
            self.count_early_leave();
        }
    }
}
