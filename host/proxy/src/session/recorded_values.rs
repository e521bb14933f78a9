//! A new exchange of a run has the recorded values in the place of those that the clients of the
//! run made up. So a later run, with values of its own, finds it as it finds the others.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, StatusCode};

use super::session_state::Session;
use crate::replay::body_edits::BodyEdits;
use crate::replay::edit_list::{EditList, Finder};
use ouli_codec::minted::{Occurrence, ValueSet};
use ouli_codec::minted_values::for_each_value;
use ouli_codec::words::spelled_like;
use ouli_message::stream::{MessageKind, StreamContent};
use ouli_message::{Content, Exchange, Fields};

/// Renames the values in an exchange. Bodies of gRPC and binary messages are as they were, and a
/// request of which a part was received is too.
pub(super) fn rename(exchange: &mut Exchange, session: &Session) {
    if !session.renames_minted() || exchange.request.truncated_at.is_some() {
        return;
    }
    let is_grpc = exchange.response.is_grpc();
    let (request, response) = (&mut exchange.request, &mut exchange.response);
    let target = edits(request.target.as_bytes(), session);
    if let Ok(target) = String::from_utf8(target.apply(request.target.as_bytes())) {
        request.target = target;
    }
    let fields = [&mut request.fields, &mut request.trailers];
    let fields = fields
        .into_iter()
        .chain([&mut response.fields, &mut response.trailers]);
    fields.for_each(|fields| rename_fields(fields, session));
    if is_grpc {
        return;
    }
    rename_content(&mut request.body, |it| it, session);
    let is_part = response.status == StatusCode::PARTIAL_CONTENT;
    let kept = |edits: BodyEdits| match is_part {
        true => edits.of_equal_length(),
        false => edits,
    };
    let body = rename_content(&mut response.body, kept, session);
    if !body.is_empty() {
        response.coded.forget_exact();
    }
    match exchange.stream.as_mut().map(|stream| &mut stream.content) {
        Some(StreamContent::Chunks(_, chunks)) => body.move_chunks(chunks),
        Some(StreamContent::Messages(_, messages)) => {
            for message in messages {
                if let MessageKind::Text(payload) = &mut message.kind {
                    rename_content(&mut payload.content, |it| it, session);
                }
            }
        }
        None => {}
    }
}

fn rename_fields(fields: &mut Fields, session: &Session) {
    for (_, value) in fields.values_mut() {
        let edits = edits(value.as_bytes(), session);
        if edits.is_empty() {
            continue;
        }
        if let Ok(renamed) = HeaderValue::from_bytes(&edits.apply(value.as_bytes())) {
            *value = renamed;
        }
    }
}

/// Renames the values in a body or a message, and returns what was changed.
fn rename_content(
    content: &mut Content,
    kept: impl Fn(BodyEdits) -> BodyEdits,
    session: &Session,
) -> BodyEdits {
    let edits = kept(edits(content.inline(), session));
    if !edits.is_empty() {
        *content = Content::Inline(Bytes::from(edits.apply(content.inline())));
    }
    edits
}

/// What is renamed in a text. A recorded value in it is another one than that of the run, so the
/// two change places.
fn edits(text: &[u8], session: &Session) -> BodyEdits {
    let known = session.secrets().minted();
    let mut edits = EditList::default();
    let rename = |Occurrence { range, value }| {
        if let Some(other) = other_name(&value, session) {
            let other = spelled_like(&other, &text[range.clone()]);
            edits.push(range, other.as_bytes(), Finder::Search);
        }
    };
    for_each_value(text, Some(known), &ValueSet::default(), rename);
    BodyEdits::new(edits)
}

fn other_name(value: &Arc<str>, session: &Session) -> Option<Arc<str>> {
    let recorded = session.recorded_value(value);
    recorded.or_else(|| session.own_value(value))
}
