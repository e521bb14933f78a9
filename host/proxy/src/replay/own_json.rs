//! Values in JSON that a client calls otherwise than the recorded one, each with what it is for.

use std::collections::HashMap;
use std::ops::Range;

use bytes::Bytes;

use super::edit_list::{EditList, Finder};
use super::event_data::EventData;
use ouli_codec::chunks::chunk_kind;
use ouli_codec::event_stream;
use ouli_codec::json::Document;
use ouli_matching::key::{JsonValue, MintedRules, Role};
use ouli_message::stream::ChunkKind;

/// The values of the client, as JSON texts.
#[derive(Clone, Default)]
pub(super) struct OwnJson {
    newer: Values,
    /// Those of long ago in a conversation.
    older: Values,
    /// Declared ones whatever their place; none for one that is called in several ways.
    declared: HashMap<Vec<u8>, Option<String>>,
}

/// By what a value is for, and the recorded one.
type Values = HashMap<(Role, Vec<u8>), String>;

/// The record separator before a value of a JSON text sequence (RFC 7464, section 2.1).
const RECORD_SEPARATOR: u8 = 0x1e;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

impl OwnJson {
    pub(super) fn is_empty(&self) -> bool {
        self.newer.is_empty() && self.older.is_empty()
    }

    /// The client calls a recorded value so.
    pub(super) fn add(&mut self, recorded: JsonValue, live: &JsonValue) {
        let key = (recorded.role, recorded.compared);
        let is_equal = key.1 == live.compared;
        if matches!(key.0, Role::Declared(_)) {
            let own = self.declared.entry(key.1.clone());
            own.and_modify(|own| *own = own.take().filter(|own| *own == live.text))
                .or_insert_with(|| Some(live.text.clone()));
        }
        match is_equal {
            true => {
                self.newer.remove(&key);
                self.older.remove(&key);
            }
            false => {
                self.newer.insert(key, live.text.clone());
            }
        }
    }

    /// Keeps this number of values of a conversation, and the ones before them. What was called
    /// long ago is answered.
    pub(super) fn keep_latest(&mut self, count: usize) {
        if self.newer.len() >= count {
            self.older = std::mem::take(&mut self.newer);
            self.declared.clear();
        }
    }

    /// What the client calls a value of a response.
    fn own(&self, recorded: JsonValue) -> Option<&String> {
        let key = (recorded.role, recorded.compared);
        let own = self.newer.get(&key).or_else(|| self.older.get(&key));
        let elsewhere = || match key.0 {
            Role::Declared(_) => self.declared.get(&key.1)?.as_ref(),
            Role::Call | Role::Progress => None,
        };
        own.or_else(elsewhere)
    }

    /// Adds what is replaced in a body of this type; in a message of a conversation without a type.
    pub(super) fn add_edits(
        &self,
        rules: &MintedRules,
        (content_type, body): (Option<&str>, &Bytes),
        edits: &mut EditList,
    ) {
        let mut start = 0;
        match content_type.and_then(chunk_kind) {
            Some(ChunkKind::Event) => {
                for size in event_stream::event_sizes(body) {
                    let event = EventData::of(&body[start..start + size]);
                    let place = |at: Range<usize>| {
                        let at = event.place(at);
                        start + at.start..start + at.end
                    };
                    self.add_json(rules, &event.text, place, edits);
                    start += size;
                }
            }
            Some(ChunkKind::Line) => {
                for size in event_stream::line_sizes(body) {
                    let line = body.slice(start..start + size);
                    let place = |at: Range<usize>| start + at.start..start + at.end;
                    self.add_json(rules, &line, place, edits);
                    start += size;
                }
            }
            Some(ChunkKind::Raw) | None => self.add_json(rules, body, |at| at, edits),
        }
    }

    /// Adds what is replaced in a JSON text. `place` tells where a range of it is.
    fn add_json(
        &self,
        rules: &MintedRules,
        text: &Bytes,
        place: impl Fn(Range<usize>) -> Range<usize>,
        edits: &mut EditList,
    ) {
        let separator = usize::from(text.first() == Some(&RECORD_SEPARATOR));
        let text = text.slice(separator..);
        let json = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&text);
        let begins = json.trim_ascii_start().first();
        if !begins.is_some_and(|it| b"{[".contains(it)) {
            return;
        }
        let Some(json) = Document::parse(text) else {
            return;
        };
        rules.for_each_answered(&json, |range, recorded| {
            let range = range.start + separator..range.end + separator;
            if let Some(own) = self.own(recorded) {
                edits.push(place(range), own.as_bytes(), Finder::Place);
            }
        });
    }
}
