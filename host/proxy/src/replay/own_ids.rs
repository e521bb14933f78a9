//! Values that a client made up come back as its own: what the recorded response repeats of the
//! recorded request is replaced.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use memchr::memmem;

use super::body_edits::BodyEdits;
use super::edit_list::{EditList, Finder};
use super::lookup::Lookup;
use super::own_json::OwnJson;
use super::stored_body::read;
use crate::handler::{ExchangeError, RequestContext};
use crate::session::{Entry, Session};
use ouli_codec::minted::{Occurrence, ValueSet, is_followed, is_plain};
use ouli_codec::minted_values::for_each_value;
use ouli_codec::randomness::looks_random;
use ouli_codec::words::spelled_like;
use ouli_matching::key::{JsonValue, MintedRules, MintedValue, Role};
use ouli_message::{Content, Fields, Request};
use ouli_plugin::Plugins;
use ouli_redaction::{RedactedMessage, is_placeholder};

/// Headers of a response that repeat the id which the client gave its request.
const REPEATED: [&str; 8] = [
    "request-id",
    "x-b3-parentspanid",
    "x-b3-spanid",
    "x-b3-traceid",
    "x-client-request-id",
    "x-correlation-id",
    "x-ms-client-request-id",
    "x-request-id",
];

/// The most texts that one conversation keeps.
const MAX_TEXTS: usize = 4096;

/// What a client calls otherwise than the recorded one.
#[derive(Clone, Default)]
pub(crate) struct OwnIds {
    plugins: Option<Arc<Plugins>>,
    session: Option<Arc<Session>>,
    /// For the places in JSON where a response repeats them.
    json: OwnJson,
    /// Whole values of headers, by their names.
    headers: Vec<(String, String, String)>,
    /// The ids of the request in fields of the response that the recording leaves out.
    left_out: Vec<(HeaderName, String)>,
    /// Values that are found anywhere.
    texts: HashMap<Arc<str>, String>,
    set: ValueSet,
    /// The calls of the request that its own response does not answer: the recorded id, and that
    /// of the client.
    unanswered: Vec<(Vec<u8>, String)>,
}

impl OwnIds {
    /// What the client of a request calls otherwise than that of a recorded one. Large bodies are
    /// read and parsed on another thread.
    ///
    /// # Errors
    /// If the recorded body cannot be read, or there is not enough memory.
    pub(crate) async fn of(
        context: &RequestContext<'_>,
        lookup: &Lookup,
        entry: &Entry,
    ) -> Result<Self, ExchangeError> {
        let plugins = &context.snapshot.plugins;
        let mut own = Self::of_run(plugins, &context.session);
        let view = &lookup.request_view;
        let rules = plugins.minted_rules();
        let Some(rules) = rules.filter(|it| it.may_have_values(&**view)) else {
            return Ok(own);
        };
        if rules.has_request_ids() {
            own.add_left_out(lookup.request(), entry);
        }
        let (live, has_body) = (
            Arc::clone(lookup.shared_request()),
            rules.has_body_places(&**view),
        );
        let recorded = match (&entry.request.body, has_body) {
            (Content::Stored { .. }, true) => {
                let body = Content::Inline(read(context, &entry.request.body).await?);
                with_body(&entry.request, body)
            }
            (Content::Stored { .. }, false) => with_body(&entry.request, Content::EMPTY),
            (Content::Inline(_), _) => Arc::clone(&entry.request),
        };
        let size = match has_body {
            true => live.body.inline().len() + recorded.body.inline().len(),
            false => 0,
        };
        let plugins = Arc::clone(plugins);
        let response = &entry.response;
        let has_answer = response.status != StatusCode::ACCEPTED && response.body.size() > 0;
        let compare = move || {
            if let Some(rules) = plugins.minted_rules() {
                let recorded = values(rules, &recorded);
                if !recorded.is_empty() {
                    let live = values(rules, &live);
                    if !has_answer {
                        own.unanswered = calls(&live, &recorded);
                    }
                    own.add(&live, recorded);
                }
            }
            own
        };
        let (own, _memory) = context.work_on_body(size, compare).await?;
        Ok(own)
    }

    /// The same for what is in the heads of two requests.
    pub(crate) fn of_heads(
        plugins: &Arc<Plugins>,
        session: &Arc<Session>,
        (lookup, entry): (&Lookup, &Entry),
    ) -> Self {
        let mut own = Self::of_run(plugins, session);
        let view = &lookup.request_view;
        let rules = plugins.minted_rules();
        if let Some(rules) = rules.filter(|it| it.may_have_values(&**view)) {
            let heads = [lookup.request(), &*entry.request];
            let [live, recorded] = heads.map(|it| values(rules, &with_body(it, Content::EMPTY)));
            own.add(&live, recorded);
            if rules.has_request_ids() {
                own.add_left_out(lookup.request(), entry);
            }
        }
        own
    }

    /// Keeps the ids in headers of the request that the response had too, but the recording leaves
    /// out: a server that sends such a header repeats that of the request.
    fn add_left_out(&mut self, live: &Request, entry: &Entry) {
        for name in &entry.response.omitted {
            let values = [&live.fields, &entry.request.fields].map(|it| it.get_str(name.as_str()));
            if let [Some(own), Some(_)] = values
                && REPEATED.contains(&name.as_str())
            {
                self.left_out.push((name.clone(), own.to_owned()));
            }
        }
    }

    /// What the clients of the whole run call otherwise.
    pub(crate) fn of_run(plugins: &Arc<Plugins>, session: &Arc<Session>) -> Self {
        Self {
            plugins: Some(Arc::clone(plugins)),
            session: session.renames_minted().then(|| Arc::clone(session)),
            ..Self::default()
        }
    }

    /// From now on, what other clients of the run call otherwise counts too.
    pub(crate) fn follow_run(&mut self, session: &Arc<Session>) {
        if self.session.is_none() && session.renames_minted() {
            self.session = Some(Arc::clone(session));
        }
    }

    /// True if a message of a conversation may have values.
    pub(crate) fn may_have_any(&self, live: &Bytes) -> bool {
        let rules = self.plugins.as_ref().and_then(|it| it.minted_rules());
        let is_call = || memmem::find(live, b"\"jsonrpc\"").is_some();
        self.texts.len() < MAX_TEXTS && rules.is_some_and(|rules| rules.has_places() || is_call())
    }

    /// What a message of a conversation calls otherwise than the recorded one in its place.
    pub(crate) fn add_message(&mut self, live: &Bytes, recorded: &Bytes) {
        let plugins = self.plugins.clone();
        if let Some(rules) = plugins.as_ref().and_then(|plugins| plugins.minted_rules()) {
            let [live, recorded] = [live, recorded].map(|bytes| values(rules, &message(bytes)));
            self.json.keep_latest(MAX_TEXTS);
            self.add(&live, recorded);
        }
    }

    /// True if nothing is called otherwise.
    pub(crate) fn is_empty(&self) -> bool {
        let has_texts = !(self.headers.is_empty() && self.texts.is_empty());
        self.session.is_none() && self.json.is_empty() && !has_texts
    }

    /// The client gets the answers to its calls in a stream of another request.
    pub(crate) fn announce_calls(&mut self, session: &Session, entry: &Entry) {
        for (recorded, own) in self.unanswered.drain(..) {
            session
                .answered_calls()
                .add(&entry.request.target, recorded, own);
        }
    }

    /// True if a value of this exchange alone is called otherwise, which counts as renamed. Ids of
    /// requests and traces are no part of a key.
    pub(crate) fn renames_own(&self) -> bool {
        !self.json.is_empty()
    }

    fn add(&mut self, live: &[MintedValue], recorded: Vec<MintedValue>) {
        let live: HashMap<&str, &MintedValue> =
            live.iter().map(|it| (it.place.as_str(), it)).collect();
        for recorded in recorded {
            let Some(live) = live.get(recorded.place.as_str()) else {
                continue;
            };
            let (from, to) = (&recorded.text, &live.text);
            if from != to && is_distinct(&recorded) && is_plain(to) {
                let from: Arc<str> = from.as_str().into();
                self.set.insert(&from);
                self.texts.insert(from, to.clone());
            } else if let Some(name) = recorded.place.strip_prefix("header ")
                && from != to
            {
                let name = name.split(' ').next().unwrap_or_default();
                self.headers
                    .push((name.to_owned(), from.clone(), to.clone()));
            }
            if let (Some(recorded), Some(live)) = (recorded.json, &live.json) {
                self.json.add(recorded, live);
            }
        }
    }

    /// The ids of the request in fields that the recording leaves out, once they are renewed.
    pub(crate) fn repeat_fields(&self, fields: &mut HeaderMap) {
        for (name, own) in &self.left_out {
            if let Ok(own) = own.parse() {
                fields.insert(name, own);
            }
        }
    }

    /// True if a value of the client has another length than the recorded one.
    pub(crate) fn changes_lengths(&self) -> bool {
        let mut texts = self.texts.iter();
        !self.json.is_empty() || texts.any(|(recorded, own)| recorded.len() != own.len())
    }

    /// The head of a response, or its trailers, with the values of this client.
    pub(crate) fn rename_fields(&self, fields: &mut HeaderMap) {
        if self.is_empty() {
            return;
        }
        for (name, value) in fields.iter_mut() {
            let Ok(text) = value.to_str() else {
                continue;
            };
            let whole = self
                .headers
                .iter()
                .find(|(own, from, _)| name.as_str() == own && from == text);
            let renamed = match whole {
                Some((.., to)) => Some(to.clone().into_bytes()),
                None => {
                    let mut edits = EditList::default();
                    self.add_texts(text.as_bytes(), &mut edits);
                    let edits = BodyEdits::new(edits);
                    (!edits.is_empty()).then(|| edits.apply(text.as_bytes()))
                }
            };
            let renamed = renamed.and_then(|it| HeaderValue::from_bytes(&it).ok());
            if let Some(renamed) = renamed {
                *value = renamed;
            }
        }
    }

    /// What is replaced in a body of this type; in a message of a conversation without a type.
    pub(crate) fn edits(&self, content_type: Option<&str>, body: &Bytes) -> BodyEdits {
        let mut edits = EditList::default();
        let plugins = self.plugins.as_ref().filter(|_| !self.json.is_empty());
        if let Some(rules) = plugins.and_then(|plugins| plugins.minted_rules()) {
            self.json.add_edits(rules, (content_type, body), &mut edits);
        }
        self.add_texts(body, &mut edits);
        BodyEdits::new(edits)
    }

    /// Adds what is replaced wherever it stands.
    fn add_texts(&self, text: &[u8], edits: &mut EditList) {
        let known = self
            .session
            .as_ref()
            .map(|session| session.secrets().minted());
        for_each_value(text, known, &self.set, |Occurrence { range, value }| {
            let shared;
            let own = match self.texts.get(&value) {
                Some(own) => own,
                None => {
                    shared = self.session.as_ref().and_then(|it| it.own_value(&value));
                    let Some(own) = &shared else {
                        return;
                    };
                    &**own
                }
            };
            let own = spelled_like(own, &text[range.clone()]);
            edits.push(range, own.as_bytes(), Finder::Search);
        });
    }
}

/// True for a recorded value that is found anywhere in a response. A value that is no declared one
/// may be a word or a number there.
fn is_distinct(recorded: &MintedValue) -> bool {
    let value = &recorded.text;
    is_placeholder(value.as_bytes())
        || is_followed(value) && (recorded.is_declared || looks_random(value.as_bytes()))
}

/// The values of a request.
fn values(rules: &MintedRules, request: &Arc<Request>) -> Vec<MintedValue> {
    let view = RedactedMessage::request("".into(), "".into(), Arc::clone(request));
    rules.values(&view)
}

/// The calls in a request: the recorded id, and that of the client.
fn calls(live: &[MintedValue], recorded: &[MintedValue]) -> Vec<(Vec<u8>, String)> {
    let of_calls = |values: &[MintedValue]| {
        let values = values.iter().filter_map(|it| it.json.clone());
        values
            .filter(|it| it.role == Role::Call)
            .collect::<Vec<JsonValue>>()
    };
    let pairs = of_calls(recorded).into_iter().zip(of_calls(live));
    pairs
        .map(|(recorded, live)| (recorded.compared, live.text))
        .collect()
}

/// A recorded request with its body in memory.
fn with_body(request: &Request, body: Content) -> Arc<Request> {
    Arc::new(Request {
        body,
        ..request.clone()
    })
}

/// A message of a conversation as a request without a head.
fn message(bytes: &Bytes) -> Arc<Request> {
    Arc::new(Request {
        method: Method::POST,
        authority: String::new(),
        target: "/".to_owned(),
        fields: Fields::default(),
        body: Content::Inline(bytes.clone()),
        trailers: Fields::default(),
        truncated_at: None,
    })
}
