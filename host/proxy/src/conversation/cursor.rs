//! Where a client stands in a recorded conversation.

use std::sync::Arc;

use bytes::Bytes;
use tokio::time::Instant;

use crate::handler::context::RequestContext;
pub(crate) use crate::handler::error_response::ExchangeError;
use crate::replay::answer::Lookup;
use crate::session::{ClaimedEntry, Entry, Outcome, ReplayQueue, Session, UnmatchedMessage};
use ouli_codec::MessageView;
use ouli_config::Timing;
use ouli_message::Content;
use ouli_message::stream::{Ending, Message, MessageKind as Turned, Payload, Protocol, Side};
use ouli_plugin::{ConversationMessage, Plugins};

/// A client's place in the conversation that was chosen for it. Dropped, it counts as replayed,
/// unless it was a miss.
pub(crate) struct ConversationCursor {
    plugins: Arc<Plugins>,
    session: Arc<Session>,
    looked_up: Arc<Lookup>,
    protocol: Protocol,
    queue: ReplayQueue,
    claimed: Option<ClaimedEntry>,
    /// Keys of what its client said.
    expected_keys: Arc<[u128]>,
    timing: Timing,
    /// The next turn.
    position: usize,
    /// Messages of the client among the turns before that.
    client_messages_passed: usize,
    /// Keys of what the client has said.
    received_keys: Vec<u128>,
    /// The client has ended its side.
    client_ended: bool,
    /// Something was said to the client that only this conversation has.
    committed: bool,
    /// When the last turn was, by the recording and now.
    last_message: (u64, Instant),
    is_miss: bool,
}

/// A turn of the server.
pub(super) struct DueMessage {
    pub(super) kind: Turned,
    /// When it is to be said.
    pub(super) send_at: Instant,
}

impl ConversationCursor {
    pub(super) fn new(
        asked: &RequestContext<'_>,
        looked_up: Arc<Lookup>,
        protocol: Protocol,
        (line, chosen, script): (ReplayQueue, ClaimedEntry, Arc<[u128]>),
    ) -> Self {
        Self {
            plugins: Arc::clone(&asked.snapshot.plugins),
            session: Arc::clone(&asked.session),
            looked_up,
            protocol,
            queue: line,
            claimed: Some(chosen),
            expected_keys: script,
            timing: asked.snapshot.config.timing,
            position: 0,
            client_messages_passed: 0,
            received_keys: Vec::new(),
            client_ended: false,
            committed: false,
            last_message: (0, Instant::now()),
            is_miss: false,
        }
    }

    pub(super) fn entry(&self) -> Option<&Arc<Entry>> {
        self.claimed.as_ref().map(ClaimedEntry::entry)
    }

    fn messages(&self) -> &[Message] {
        let turns = self.entry().and_then(|entry| entry.messages(self.protocol));
        turns.unwrap_or_default()
    }

    pub(super) fn ending(&self) -> Ending {
        let stream = self.entry().and_then(|entry| entry.stream.as_ref());
        stream.map_or(Ending::Complete, |stream| stream.ending)
    }

    /// From now on no other conversation can be chosen: the client has got what only this one has.
    pub(super) fn commit(&mut self) {
        self.committed = true;
    }

    /// True until [`Self::commit`].
    pub(super) fn can_switch(&self) -> bool {
        !self.committed
    }

    /// The next turn of the server, where it is its turn.
    pub(super) fn due_message(&mut self) -> Option<DueMessage> {
        self.skip_passed();
        let (at, start) = self.last_message;
        let turn = self.messages().get(self.position)?;
        if turn.side == Side::Client {
            return None;
        }
        let pause = self.timing.delay(turn.at.saturating_sub(at));
        let said = turn.kind.clone();
        Some(DueMessage {
            kind: said,
            send_at: start + pause,
        })
    }

    /// The turn that was due was said.
    pub(super) fn mark_sent(&mut self) {
        self.committed = true;
        self.advance();
    }

    /// True where nothing more was said.
    pub(super) fn is_over(&mut self) -> bool {
        self.skip_passed();
        self.position >= self.messages().len()
    }

    /// What the server says next, whoever's turn it is before.
    pub(super) fn next_server_message(&self) -> Option<&Turned> {
        let rest = self.messages().get(self.position..).unwrap_or_default();
        let mut server = rest.iter().filter(|turn| turn.side == Side::Server);
        server.next().map(|turn| &turn.kind)
    }

    /// The content of a turn.
    ///
    /// # Errors
    /// Where it is stored beside the cassette and cannot be read.
    pub(super) async fn payload_bytes(&self, words: &Payload) -> std::io::Result<Bytes> {
        if let Content::Inline(bytes) = &words.content {
            return Ok(bytes.clone());
        }
        let (looked_up, words) = (Arc::clone(&self.looked_up), words.clone());
        let read = tokio::task::spawn_blocking(move || looked_up.index.read_payload(&words));
        read.await.map_err(std::io::Error::other)?
    }

    /// The client says something.
    ///
    /// # Errors
    /// Where it said something else when it was recorded, or a plugin fails.
    pub(super) fn receive(&mut self, bytes: &Bytes) -> Result<(), ExchangeError> {
        let said = ConversationMessage {
            request: &self.looked_up.request_view,
            protocol: self.protocol,
            side: Side::Client,
            bytes,
        };
        let session = Arc::clone(&self.session);
        let secrets = session.secrets();
        let message = self.plugins.message_view(said, secrets)?;
        let keyed = self.plugins.message_key(&message, secrets)?;
        let key = keyed.key.hash();
        let found = self.matches_key(key)
            || self.matches_by_wildcard(&message)?
            || self.switch_for_key(key);
        if !found {
            let described = self.plugins.describe_message(&message, secrets)?;
            let unheard = UnmatchedMessage {
                request: &self.looked_up.request_view,
                protocol: self.protocol,
                position: self.received_keys.len(),
                described,
                match_key: Some(&keyed),
            };
            let miss = self
                .looked_up
                .index
                .explain_unmatched_message(unheard, self.queue.entries());
            return Err(self.miss(miss));
        }
        self.received_keys.push(key);
        Ok(())
    }

    /// The client ends its side.
    ///
    /// # Errors
    /// Where it said more when it was recorded.
    pub(super) fn receive_end(&mut self) -> Result<(), ExchangeError> {
        self.client_ended = true;
        let complete = self.expected_keys.len() == self.received_keys.len();
        if complete || self.ending() == Ending::ClientAborted {
            return Ok(());
        }
        if self.can_switch() && self.switch_to(<[u128]>::eq) {
            return Ok(());
        }
        let unheard = UnmatchedMessage {
            request: &self.looked_up.request_view,
            protocol: self.protocol,
            position: self.received_keys.len(),
            described: Vec::new(),
            match_key: None,
        };
        let miss = self
            .looked_up
            .index
            .explain_unmatched_message(unheard, self.queue.entries());
        Err(self.miss(miss))
    }

    /// The client closes, which it may do at any time.
    pub(super) fn receive_close(&mut self) {
        self.client_ended = true;
    }

    /// Nothing of it counts: the request goes another way.
    pub(super) fn release(mut self) {
        self.is_miss = true;
        if let Some(chosen) = self.claimed.take() {
            chosen.release();
        }
    }

    fn miss(&mut self, miss: ouli_matching::miss::Miss) -> ExchangeError {
        self.is_miss = true;
        ExchangeError::Miss(Box::new(miss))
    }

    /// Counts an error that is told to the client, where it is a miss. It is not counted before,
    /// since a request may still go another way.
    pub(super) fn count_if_miss(&self, error: &ExchangeError) {
        if matches!(error, ExchangeError::Miss(_)) {
            self.session.counters().count(Outcome::Miss);
        }
    }

    /// Goes over turns that need no saying: what the client has said, pings, and pongs that answer
    /// one, since live pings are answered as they come.
    fn skip_passed(&mut self) {
        while let Some(turn) = self.messages().get(self.position) {
            let passed = match (turn.side, &turn.kind) {
                (Side::Client, Turned::Text(_) | Turned::Binary(_)) => {
                    self.client_messages_passed < self.received_keys.len()
                }
                (Side::Client, Turned::Close { .. } | Turned::End) => self.client_ended,
                (Side::Client, Turned::Ping(_) | Turned::Pong(_)) => true,
                (Side::Server, Turned::Pong(payload)) => self.answers_ping(payload),
                (Side::Server, _) => false,
            };
            if !passed {
                return;
            }
            self.advance();
        }
    }

    fn advance(&mut self) {
        let turn = self.messages().get(self.position);
        let at = turn.map_or(0, |turn| turn.at);
        let message =
            turn.is_some_and(|turn| turn.side == Side::Client && turn.kind.payload().is_some());
        self.client_messages_passed += usize::from(message);
        self.last_message = (at, Instant::now());
        self.position += 1;
    }

    fn answers_ping(&self, payload: &Bytes) -> bool {
        let before = self.messages().get(..self.position).unwrap_or_default();
        before.iter().any(|turn| {
            turn.side == Side::Client && matches!(&turn.kind, Turned::Ping(ping) if ping == payload)
        })
    }

    fn matches_key(&self, key: u128) -> bool {
        self.expected_keys.get(self.received_keys.len()) == Some(&key)
    }

    fn matches_by_wildcard(&self, message: &Arc<dyn MessageView>) -> Result<bool, ExchangeError> {
        let Some(entry) = self.entry() else {
            return Ok(false);
        };
        let described = self
            .plugins
            .describe_message(message, self.session.secrets())?;
        let (index, place) = (&self.looked_up.index, self.received_keys.len());
        Ok(index.message_matches_by_wildcard(entry, self.protocol, place, &described))
    }

    /// Another conversation that went the same way until now and goes on with this key.
    fn switch_for_key(&mut self, key: u128) -> bool {
        self.can_switch()
            && self.switch_to(|all, heard| {
                all.get(..heard.len()) == Some(heard) && all.get(heard.len()) == Some(&key)
            })
    }

    fn switch_to(&mut self, fits: impl Fn(&[u128], &[u128]) -> bool) -> bool {
        let Some(own) = self.entry().cloned() else {
            return false;
        };
        let (index, protocol) = (&self.looked_up.index, self.protocol);
        let mut script = None;
        let found = self.queue.claim(|entry| {
            let other = !Arc::ptr_eq(entry, &own) && have_same_response_head(entry, &own, protocol);
            script = other
                .then(|| index.client_message_keys(entry, protocol).ok())
                .flatten();
            script
                .as_ref()
                .is_some_and(|said| fits(said, &self.received_keys))
        });
        let Some(found) = found else {
            return false;
        };
        self.expected_keys = script.unwrap_or_default();
        if let Some(before) = self.claimed.replace(found) {
            before.release();
        }
        (self.position, self.client_messages_passed) = (0, 0);
        self.last_message = (0, Instant::now());
        true
    }
}

/// True where a client that got the head of one may as well have got that of the other. The head of
/// a call is not sent before the choice is made.
fn have_same_response_head(one: &Entry, other: &Entry, protocol: Protocol) -> bool {
    one.messages(protocol).is_some()
        && (protocol == Protocol::Grpc
            || (one.response.status == other.response.status
                && one.response.fields == other.response.fields))
}

impl Drop for ConversationCursor {
    fn drop(&mut self) {
        if !self.is_miss {
            self.session.counters().count(Outcome::Hit);
        }
    }
}
