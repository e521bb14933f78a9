//! Where a client stands in a recorded conversation.

use std::sync::Arc;

use bytes::Bytes;
use tokio::time::Instant;

use crate::handler::context::Asked;
pub(crate) use crate::handler::error_response::ExchangeError;
use crate::replay::answer::LookedUp;
use crate::session::{Chosen, Entry, Line, Outcome, Session, Unheard};
use ouli_codec::Message;
use ouli_config::Timing;
use ouli_message::Content;
use ouli_message::stream::{Ending, Protocol, Said as Turned, Side, Turn, Words};
use ouli_plugin::{Plugins, Said};

/// A client's place in the conversation that was chosen for it. Dropped, it counts as replayed,
/// unless it was a miss.
pub(crate) struct Cursor {
    plugins: Arc<Plugins>,
    session: Arc<Session>,
    looked_up: Arc<LookedUp>,
    protocol: Protocol,
    line: Line,
    chosen: Option<Chosen>,
    /// Keys of what its client said.
    script: Arc<[u128]>,
    timing: Timing,
    /// The next turn.
    place: usize,
    /// Messages of the client among the turns before that.
    passed: usize,
    /// Keys of what the client has said.
    heard: Vec<u128>,
    /// The client has ended its side.
    ended: bool,
    /// Something was said to the client that only this conversation has.
    answered: bool,
    /// When the last turn was, by the recording and now.
    last: (u64, Instant),
    missed: bool,
}

/// A turn of the server.
pub(super) struct Due {
    pub(super) said: Turned,
    /// When it is to be said.
    pub(super) at: Instant,
}

impl Cursor {
    pub(super) fn new(
        asked: &Asked<'_>,
        looked_up: Arc<LookedUp>,
        protocol: Protocol,
        (line, chosen, script): (Line, Chosen, Arc<[u128]>),
    ) -> Self {
        Self {
            plugins: Arc::clone(&asked.snapshot.plugins),
            session: Arc::clone(&asked.session),
            looked_up,
            protocol,
            line,
            chosen: Some(chosen),
            script,
            timing: asked.snapshot.config.timing,
            place: 0,
            passed: 0,
            heard: Vec::new(),
            ended: false,
            answered: false,
            last: (0, Instant::now()),
            missed: false,
        }
    }

    pub(super) fn entry(&self) -> Option<&Arc<Entry>> {
        self.chosen.as_ref().map(Chosen::entry)
    }

    fn turns(&self) -> &[Turn] {
        let turns = self.entry().and_then(|entry| entry.turns(self.protocol));
        turns.unwrap_or_default()
    }

    pub(super) fn ending(&self) -> Ending {
        let stream = self.entry().and_then(|entry| entry.stream.as_ref());
        stream.map_or(Ending::Complete, |stream| stream.ending)
    }

    /// From now on no other conversation can be chosen: the client has got what only this one has.
    pub(super) fn commit(&mut self) {
        self.answered = true;
    }

    /// True until [`Self::commit`].
    pub(super) fn is_open(&self) -> bool {
        !self.answered
    }

    /// The next turn of the server, where it is its turn.
    pub(super) fn due(&mut self) -> Option<Due> {
        self.catch_up();
        let (at, start) = self.last;
        let turn = self.turns().get(self.place)?;
        if turn.side == Side::Client {
            return None;
        }
        let pause = self.timing.due(turn.at.saturating_sub(at));
        let said = turn.said.clone();
        Some(Due {
            said,
            at: start + pause,
        })
    }

    /// The turn that was due was said.
    pub(super) fn said(&mut self) {
        self.answered = true;
        self.advance();
    }

    /// True where nothing more was said.
    pub(super) fn is_over(&mut self) -> bool {
        self.catch_up();
        self.place >= self.turns().len()
    }

    /// What the server says next, whoever's turn it is before.
    pub(super) fn coming(&self) -> Option<&Turned> {
        let rest = self.turns().get(self.place..).unwrap_or_default();
        let mut server = rest.iter().filter(|turn| turn.side == Side::Server);
        server.next().map(|turn| &turn.said)
    }

    /// The content of a turn.
    ///
    /// # Errors
    /// Where it is stored beside the cassette and cannot be read.
    pub(super) async fn bytes(&self, words: &Words) -> std::io::Result<Bytes> {
        if let Content::Inline(bytes) = &words.content {
            return Ok(bytes.clone());
        }
        let (looked_up, words) = (Arc::clone(&self.looked_up), words.clone());
        let read = tokio::task::spawn_blocking(move || looked_up.index.words(&words));
        read.await.map_err(std::io::Error::other)?
    }

    /// The client says something.
    ///
    /// # Errors
    /// Where it said something else when it was recorded, or a plugin fails.
    pub(super) fn hear(&mut self, bytes: &Bytes) -> Result<(), ExchangeError> {
        let said = Said {
            request: &self.looked_up.view,
            protocol: self.protocol,
            side: Side::Client,
            bytes,
        };
        let session = Arc::clone(&self.session);
        let secrets = session.secrets();
        let message = self.plugins.said(said, secrets)?;
        let keyed = self.plugins.said_key(&message, secrets)?;
        let key = keyed.key.hash();
        let found = self.fits(key) || self.fits_loosely(&message)? || self.change(key);
        if !found {
            let described = self.plugins.describe_said(&message, secrets)?;
            let unheard = Unheard {
                request: &self.looked_up.view,
                protocol: self.protocol,
                place: self.heard.len(),
                described,
                keyed: Some(&keyed),
            };
            let miss = self
                .looked_up
                .index
                .explain_unheard(unheard, self.line.entries());
            return Err(self.miss(miss));
        }
        self.heard.push(key);
        Ok(())
    }

    /// The client ends its side.
    ///
    /// # Errors
    /// Where it said more when it was recorded.
    pub(super) fn hear_end(&mut self) -> Result<(), ExchangeError> {
        self.ended = true;
        let complete = self.script.len() == self.heard.len();
        if complete || self.ending() == Ending::Client {
            return Ok(());
        }
        if self.is_open() && self.change_to(<[u128]>::eq) {
            return Ok(());
        }
        let unheard = Unheard {
            request: &self.looked_up.view,
            protocol: self.protocol,
            place: self.heard.len(),
            described: Vec::new(),
            keyed: None,
        };
        let miss = self
            .looked_up
            .index
            .explain_unheard(unheard, self.line.entries());
        Err(self.miss(miss))
    }

    /// The client closes, which it may do at any time.
    pub(super) fn hear_close(&mut self) {
        self.ended = true;
    }

    /// Nothing of it counts: the request goes another way.
    pub(super) fn give_back(mut self) {
        self.missed = true;
        if let Some(chosen) = self.chosen.take() {
            chosen.give_back();
        }
    }

    fn miss(&mut self, miss: ouli_matching::miss::Miss) -> ExchangeError {
        self.missed = true;
        ExchangeError::Miss(Box::new(miss))
    }

    /// Counts an error that is told to the client, where it is a miss. It is not counted before,
    /// since a request may still go another way.
    pub(super) fn count_miss_of(&self, error: &ExchangeError) {
        if matches!(error, ExchangeError::Miss(_)) {
            self.session.tally().count(Outcome::Miss);
        }
    }

    /// Goes over turns that need no saying: what the client has said, pings, and pongs that answer
    /// one, since live pings are answered as they come.
    fn catch_up(&mut self) {
        while let Some(turn) = self.turns().get(self.place) {
            let passed = match (turn.side, &turn.said) {
                (Side::Client, Turned::Text(_) | Turned::Binary(_)) => {
                    self.passed < self.heard.len()
                }
                (Side::Client, Turned::Close { .. } | Turned::End) => self.ended,
                (Side::Client, Turned::Ping(_) | Turned::Pong(_)) => true,
                (Side::Server, Turned::Pong(payload)) => self.is_answer(payload),
                (Side::Server, _) => false,
            };
            if !passed {
                return;
            }
            self.advance();
        }
    }

    fn advance(&mut self) {
        let turn = self.turns().get(self.place);
        let at = turn.map_or(0, |turn| turn.at);
        let message =
            turn.is_some_and(|turn| turn.side == Side::Client && turn.said.words().is_some());
        self.passed += usize::from(message);
        self.last = (at, Instant::now());
        self.place += 1;
    }

    fn is_answer(&self, payload: &Bytes) -> bool {
        let before = self.turns().get(..self.place).unwrap_or_default();
        before.iter().any(|turn| {
            turn.side == Side::Client && matches!(&turn.said, Turned::Ping(ping) if ping == payload)
        })
    }

    fn fits(&self, key: u128) -> bool {
        self.script.get(self.heard.len()) == Some(&key)
    }

    fn fits_loosely(&self, message: &Arc<dyn Message>) -> Result<bool, ExchangeError> {
        let Some(entry) = self.entry() else {
            return Ok(false);
        };
        let described = self
            .plugins
            .describe_said(message, self.session.secrets())?;
        let (index, place) = (&self.looked_up.index, self.heard.len());
        Ok(index.said_loosely(entry, self.protocol, place, &described))
    }

    /// Another conversation that went the same way until now and goes on with this key.
    fn change(&mut self, key: u128) -> bool {
        self.is_open()
            && self.change_to(|all, heard| {
                all.get(..heard.len()) == Some(heard) && all.get(heard.len()) == Some(&key)
            })
    }

    fn change_to(&mut self, fits: impl Fn(&[u128], &[u128]) -> bool) -> bool {
        let Some(own) = self.entry().cloned() else {
            return false;
        };
        let (index, protocol) = (&self.looked_up.index, self.protocol);
        let mut script = None;
        let found = self.line.choose(|entry| {
            let other = !Arc::ptr_eq(entry, &own) && alike(entry, &own, protocol);
            script = other.then(|| index.said(entry, protocol).ok()).flatten();
            script.as_ref().is_some_and(|said| fits(said, &self.heard))
        });
        let Some(found) = found else {
            return false;
        };
        self.script = script.unwrap_or_default();
        if let Some(before) = self.chosen.replace(found) {
            before.give_back();
        }
        (self.place, self.passed) = (0, 0);
        self.last = (0, Instant::now());
        true
    }
}

/// True where a client that got the head of one may as well have got that of the other. The head of
/// a call is not sent before the choice is made.
fn alike(one: &Entry, other: &Entry, protocol: Protocol) -> bool {
    one.turns(protocol).is_some()
        && (protocol == Protocol::Grpc
            || (one.response.status == other.response.status
                && one.response.fields == other.response.fields))
}

impl Drop for Cursor {
    fn drop(&mut self) {
        if !self.missed {
            self.session.tally().count(Outcome::Hit);
        }
    }
}
