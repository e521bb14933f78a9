//! What the clients of recorded conversations said: as keys, and in full for reports.

use std::sync::{Arc, PoisonError};

use bytes::Bytes;

use super::index::shown_target;
use super::{Entry, Index};
use ouli_codec::Message;
use ouli_matching::key::{self, Described};
use ouli_matching::miss::{self, Candidate, Cause, Miss, Missed};
use ouli_message::stream::{Protocol, Side, Turn, Words};
use ouli_plugin::{Keyed, PluginFailure, Said};

/// Conversations that are compared in full for the report of a miss.
const COMPARED: usize = 24;

/// A message of a client that fits no recorded one.
pub struct Unheard<'a> {
    /// The request that began the conversation, as matchers see it.
    pub request: &'a Arc<dyn Message>,
    /// What the sides speak.
    pub protocol: Protocol,
    /// The place of the message among those of the client, from 0.
    pub place: usize,
    /// Its parts; none where the client ended instead.
    pub described: Vec<Described>,
    /// Who made its key.
    pub keyed: Option<&'a Keyed>,
}

impl Index {
    /// The keys of the messages that the client of a conversation sent, in order. Derived once.
    ///
    /// # Errors
    /// Where they cannot be read, or a plugin fails.
    pub fn said(&self, entry: &Entry, protocol: Protocol) -> Result<Arc<[u128]>, String> {
        if let Some(keys) = self.known_said(entry) {
            return Ok(keys);
        }
        let request = self.view(entry)?;
        let words = words(entry, protocol).map(|words| {
            let message = self.message(&request, protocol, words)?;
            let keyed = self.plugins.said_key(&message, self.session.secrets());
            Ok(keyed.map_err(|error| error.to_string())?.key.hash())
        });
        let keys: Arc<[u128]> = words.collect::<Result<_, String>>()?;
        let mut known = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(entry.ordinal, Arc::clone(&keys));
        Ok(keys)
    }

    /// The same where it was derived before.
    pub fn known_said(&self, entry: &Entry) -> Option<Arc<[u128]>> {
        let known = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&entry.ordinal).cloned()
    }

    /// True where a message is the one at a place of a recorded conversation, with any text in the
    /// place of a placeholder.
    pub fn said_loosely(
        &self,
        entry: &Entry,
        protocol: Protocol,
        place: usize,
        described: &[Described],
    ) -> bool {
        let recorded = self.describe(entry, protocol, place);
        recorded.is_some_and(|recorded| {
            key::holds_placeholder(&recorded) && key::fits(&recorded, described)
        })
    }

    /// Explains why a message has no answer: the recorded conversations of the same request, by
    /// what their clients said at this place.
    pub fn explain_unheard(&self, unheard: Unheard<'_>, entries: &[Arc<Entry>]) -> Miss {
        let (place, protocol) = (unheard.place, unheard.protocol);
        let line = |view: &dyn Message| {
            let target = shown_target(view);
            format!("{} {target}, client message {}", view.method(), place + 1)
        };
        let candidates = entries.iter().take(COMPARED).filter_map(|entry| {
            let view = self.view(entry).ok()?;
            Some(Candidate {
                ordinal: usize::try_from(entry.ordinal).unwrap_or(usize::MAX),
                line: line(&*view),
                described: self.describe(entry, protocol, place).unwrap_or_default(),
                used: entry.used(),
            })
        });
        let authority = unheard.request.authority();
        let plugin = unheard.keyed.map(|keyed| &keyed.matcher);
        let missed = Missed {
            session: self.session.name().to_string(),
            line: line(&**unheard.request),
            upstream: (!authority.is_empty()).then(|| authority.to_owned()),
            matcher: plugin
                .filter(|matcher| !matcher.is_builtin())
                .map(|matcher| matcher.name().to_owned()),
            described: unheard.described,
            cause: Cause::Unequal,
        };
        miss::report(missed, candidates.collect())
    }

    /// The bytes of a turn.
    ///
    /// # Errors
    /// Where they are stored beside the cassette and cannot be read.
    pub fn words(&self, words: &Words) -> std::io::Result<Bytes> {
        self.bytes(&words.content)
    }

    fn describe(&self, entry: &Entry, protocol: Protocol, place: usize) -> Option<Vec<Described>> {
        let words = words(entry, protocol).nth(place)?;
        let request = self.view(entry).ok()?;
        let message = self.message(&request, protocol, words).ok()?;
        let secrets = self.session.secrets();
        self.plugins.describe_said(&message, secrets).ok()
    }

    fn message(
        &self,
        request: &Arc<dyn Message>,
        protocol: Protocol,
        words: &Words,
    ) -> Result<Arc<dyn Message>, String> {
        let bytes = self.words(words).map_err(|error| error.to_string())?;
        let said = Said {
            request,
            protocol,
            side: Side::Client,
            bytes: &bytes,
        };
        let message = self.plugins.said(said, self.session.secrets());
        message.map_err(|error: PluginFailure| error.to_string())
    }
}

/// The messages of the client, in order.
fn words(entry: &Entry, protocol: Protocol) -> impl Iterator<Item = &Words> {
    let turns = entry.turns(protocol).unwrap_or_default();
    let said = |turn: &&Turn| turn.side == Side::Client;
    turns
        .iter()
        .filter(said)
        .filter_map(|turn| turn.said.words())
}
