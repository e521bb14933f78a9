//! Values that a client made up come back as its own: what the recorded response repeats of the
//! recorded request is replaced.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use memchr::memmem;

use super::body_edits::BodyEdits;
use super::edit_list::{EditList, Finder};
use super::lookup::Lookup;
use crate::session::{Entry, Session};
use ouli_codec::chunks::chunk_kind;
use ouli_codec::event_stream;
use ouli_codec::json::Document;
use ouli_codec::minted::{Occurrence, ValueSet, is_followed, is_plain};
use ouli_codec::minted_values::for_each_value;
use ouli_matching::key::{MintedRules, MintedValue};
use ouli_message::stream::ChunkKind;
use ouli_message::{Content, Fields, Request};
use ouli_plugin::Plugins;
use ouli_redaction::{RedactedMessage, is_placeholder};

/// Headers of a response that repeat the id which the client gave its request.
const REPEATED: [&str; 5] = [
    "request-id",
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
    /// By the recorded JSON text, for the places where a response repeats it.
    json: HashMap<String, String>,
    /// Those of long ago in a conversation.
    older_json: HashMap<String, String>,
    /// Whole values of headers, by their names.
    headers: Vec<(String, String, String)>,
    /// The ids of the request in fields of the response that the recording leaves out.
    left_out: Vec<(HeaderName, String)>,
    /// Values that are found anywhere.
    texts: HashMap<Arc<str>, String>,
    set: ValueSet,
}

impl OwnIds {
    /// What the client of a request calls otherwise than that of a recorded one.
    pub(crate) fn of(
        plugins: &Arc<Plugins>,
        session: &Arc<Session>,
        lookup: &Lookup,
        entry: &Entry,
    ) -> Self {
        let mut own = Self::of_run(plugins, session);
        let live = &lookup.request_view;
        let Some(rules) = plugins
            .minted_rules()
            .filter(|it| it.may_have_values(&**live))
        else {
            return own;
        };
        let recorded = values(rules, &entry.request);
        if !recorded.is_empty() {
            own.add(&values(rules, lookup.shared_request()), recorded);
        }
        if rules.has_request_ids() {
            own.add_left_out(lookup.request(), entry);
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

    /// Reads the values of a message of a conversation and of the recorded one in its place. None
    /// if it has none.
    pub(crate) fn message_values(
        &self,
        live: &Bytes,
        recorded: &Bytes,
    ) -> Option<impl FnOnce() -> MessageValues + Send + 'static> {
        let plugins = self.plugins.clone()?;
        let rules = plugins.minted_rules()?;
        let may_have_any = rules.has_places() || memmem::find(live, b"\"jsonrpc\"").is_some();
        if !may_have_any || self.texts.len() >= MAX_TEXTS {
            return None;
        }
        let messages = [live.clone(), recorded.clone()];
        Some(move || {
            let rules = plugins.minted_rules();
            let values = messages.map(|bytes| match rules {
                Some(rules) => values(rules, &message(&bytes)),
                None => Vec::new(),
            });
            MessageValues(values)
        })
    }

    /// What a message of a conversation calls otherwise than the recorded one in its place.
    pub(crate) fn add_values(&mut self, MessageValues([live, recorded]): MessageValues) {
        self.add(&live, recorded);
    }

    /// True if nothing is called otherwise.
    pub(crate) fn is_empty(&self) -> bool {
        let has_texts = !(self.headers.is_empty() && self.texts.is_empty());
        self.session.is_none() && !self.has_json() && !has_texts
    }

    /// True if a value of this exchange alone is called otherwise, which counts as renamed. Ids of
    /// requests and traces are no part of a key.
    pub(crate) fn renames_own(&self) -> bool {
        self.has_json()
    }

    fn has_json(&self) -> bool {
        !(self.json.is_empty() && self.older_json.is_empty())
    }

    fn own_json(&self, recorded: &str) -> Option<&String> {
        let newer = self.json.get(recorded);
        newer.or_else(|| self.older_json.get(recorded))
    }

    fn add(&mut self, live: &[MintedValue], recorded: Vec<MintedValue>) {
        let live: HashMap<&str, &MintedValue> =
            live.iter().map(|it| (it.place.as_str(), it)).collect();
        for recorded in recorded {
            let Some(live) = live.get(recorded.place.as_str()) else {
                continue;
            };
            if live.text == recorded.text {
                self.json.remove(&recorded.text);
                self.older_json.remove(&recorded.text);
                continue;
            }
            let (from, to) = (unquoted(&recorded), unquoted(live));
            let is_distinct = is_followed(from) || is_placeholder(from.as_bytes());
            if is_distinct && is_plain(to) {
                let from: Arc<str> = from.into();
                self.set.insert(&from);
                self.texts.insert(from, to.to_owned());
            } else if let Some(name) = recorded.place.strip_prefix("header ") {
                let name = name.split(' ').next().unwrap_or_default();
                self.headers
                    .push((name.to_owned(), from.to_owned(), to.to_owned()));
            }
            if recorded.is_json {
                // What was called long ago is answered.
                if self.json.len() >= MAX_TEXTS {
                    self.older_json = std::mem::take(&mut self.json);
                }
                self.json.insert(recorded.text, live.text.clone());
            }
        }
    }

    /// The ids of the request in fields that the recording leaves out, once they are renewed.
    pub(crate) fn repeat_fields(&self, fields: &mut HeaderMap) {
        for (name, own) in &self.left_out {
            if let (Some(field), Ok(own)) = (fields.get_mut(name), own.parse()) {
                *field = own;
            }
        }
    }

    /// The head of a response with the values of this client.
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
        if self.has_json() {
            match content_type.and_then(chunk_kind) {
                Some(ChunkKind::Event) => self.add_lines(body, data_lines(body), &mut edits),
                Some(ChunkKind::Line) => self.add_lines(body, lines(body), &mut edits),
                Some(ChunkKind::Raw) | None => self.add_json(body, 0, &mut edits),
            }
        }
        self.add_texts(body, &mut edits);
        BodyEdits::new(edits)
    }

    /// A message of a conversation with the values of this client.
    pub(crate) fn renamed(&self, bytes: Bytes) -> Bytes {
        let edits = self.edits(None, &bytes);
        match edits.is_empty() {
            true => bytes,
            false => edits.apply(&bytes).into(),
        }
    }

    fn add_lines(
        &self,
        body: &Bytes,
        lines: impl Iterator<Item = Range<usize>>,
        edits: &mut EditList,
    ) {
        for line in lines {
            self.add_json(&body.slice(line.clone()), line.start, edits);
        }
    }

    /// Adds what is replaced in a JSON text that begins at this place.
    fn add_json(&self, text: &Bytes, start: usize, edits: &mut EditList) {
        let rules = self
            .plugins
            .as_ref()
            .and_then(|plugins| plugins.minted_rules());
        let begins = text.trim_ascii_start().first();
        let Some(rules) = rules.filter(|_| begins.is_some_and(|it| b"{[".contains(it))) else {
            return;
        };
        let Some(json) = Document::parse(text.clone()) else {
            return;
        };
        rules.for_each_answered(&json, |place| {
            let recorded = text.get(place.clone());
            let recorded = recorded.and_then(|it| std::str::from_utf8(it).ok());
            if let Some(own) = recorded.and_then(|recorded| self.own_json(recorded)) {
                let range = start + place.start..start + place.end;
                edits.push(range, own.as_bytes(), Finder::Place);
            }
        });
    }

    /// Adds what is replaced wherever it stands.
    fn add_texts(&self, text: &[u8], edits: &mut EditList) {
        let known = self
            .session
            .as_ref()
            .map(|session| session.secrets().minted());
        for_each_value(text, known, &self.set, |Occurrence { range, value }| {
            if let Some(own) = self.texts.get(&value) {
                edits.push(range, own.as_bytes(), Finder::Search);
            } else if let Some(own) = self.session.as_ref().and_then(|it| it.own_value(&value)) {
                edits.push(range, own.as_bytes(), Finder::Search);
            }
        });
    }
}

/// The values of a message of a conversation, and of the recorded one in its place.
pub(crate) struct MessageValues([Vec<MintedValue>; 2]);

/// The values of a request. A body that is not in memory has none.
fn values(rules: &MintedRules, request: &Arc<Request>) -> Vec<MintedValue> {
    let request = match &request.body {
        Content::Inline(_) => Arc::clone(request),
        Content::Stored { .. } => Arc::new(Request {
            body: Content::EMPTY,
            ..Request::clone(request)
        }),
    };
    let view = RedactedMessage::request("".into(), "".into(), request);
    rules.values(&view)
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

/// The value of a JSON string without its quotes, or the text.
fn unquoted(value: &MintedValue) -> &str {
    let inner = value
        .text
        .strip_prefix('"')
        .and_then(|it| it.strip_suffix('"'));
    inner.filter(|_| value.is_json).unwrap_or(&value.text)
}

/// The data of the events in a body, line by line.
fn data_lines(body: &Bytes) -> impl Iterator<Item = Range<usize>> {
    lines(body).filter_map(|line| {
        let data = body[line.clone()].strip_prefix(b"data:")?;
        Some(line.end - data.len()..line.end)
    })
}

fn lines(body: &Bytes) -> impl Iterator<Item = Range<usize>> {
    let mut start = 0;
    event_stream::line_sizes(body).map(move |size| {
        let line = start..start + size;
        start += size;
        line
    })
}
