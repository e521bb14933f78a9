//! The redaction of streams: events and messages one by one, then together, so that a secret which
//! a border cuts is found as well.

use std::sync::Arc;

use bytes::Bytes;

use crate::PluginFailure;
use crate::contract::chunks::join_chunks;
use crate::contract::conversation_message::{ConversationMessage as Shown, redact_message};
use crate::contract::stream_part::{StreamPart, StreamPartKind};
use crate::load::component::Plugin;
use crate::redaction::{
    RedactionContext, RedactionCounts, Redactors, add, call_redactor, into_shared, wrong,
};
use ouli_codec::MessageView;
use ouli_codec::chunks::chunk_bodies;
use ouli_message::stream::{
    ChunkKind, Message, MessageKind, Protocol, Side, Stream, StreamContent,
};
use ouli_message::{Content, Exchange, Response};
use ouli_redaction::{PartFormat, RedactedMessage, Redaction};

/// What came back for a request.
pub(super) struct RedactedResponse {
    pub(super) response: Response,
    pub(super) stream: Option<Stream>,
}

impl Redactors {
    /// A response and its stream without what the declared rules take out.
    pub(super) fn apply_declared_rules(
        &self,
        redaction: &Redaction<'_>,
        mut response: Response,
        stream: Option<Stream>,
        (path, counts): (&str, &mut RedactionCounts),
    ) -> RedactedResponse {
        // The pieces of a body are looked at one by one.
        let aside = match &stream {
            Some(stream) if matches!(stream.content, StreamContent::Chunks(..)) => {
                std::mem::replace(&mut response.body, Content::EMPTY)
            }
            Some(_) | None => Content::EMPTY,
        };
        let redacted = redaction.redact_response(&response);
        add(counts, redacted.counts);
        let mut answer = RedactedResponse {
            response: redacted.value,
            stream,
        };
        let content_type = answer
            .response
            .fields
            .get_str("content-type")
            .map(str::to_owned);
        match answer.stream.as_mut().map(|stream| &mut stream.content) {
            Some(StreamContent::Chunks(unit, pieces)) => {
                let parts = chunk_bodies(aside.to_bytes(), pieces).collect();
                let parts = redact_chunks(redaction, *unit, content_type.as_deref(), parts, counts);
                answer.response.body = Content::Inline(join_chunks(&parts, pieces));
            }
            Some(StreamContent::Messages(protocol, turns)) => {
                self.redact_messages(redaction, *protocol, turns, (path, counts));
            }
            None => {}
        }
        answer
    }

    fn redact_messages(
        &self,
        redaction: &Redaction<'_>,
        protocol: Protocol,
        turns: &mut [Message],
        (path, counts): (&str, &mut RedactionCounts),
    ) {
        // What is cut by the border of two binary messages cannot be taken out of both and leave
        // messages that their readers know, so this is for WebSockets alone.
        let together = |turns: &mut [Message], counts: &mut RedactionCounts| {
            if protocol == Protocol::WebSocket {
                for side in [Side::Client, Side::Server] {
                    redact_messages_together(redaction, turns, side, counts);
                }
            }
        };
        together(turns, counts);
        let shapes =
            [Side::Client, Side::Server].map(|side| self.message_type(protocol, path, side));
        for turn in &mut *turns {
            let shape = match turn.side {
                Side::Client => &shapes[0],
                Side::Server => &shapes[1],
            };
            let mut rid = |bytes: &Bytes| {
                let outcome = redact_message(redaction, protocol, shape.as_ref(), bytes);
                add(counts, outcome.counts);
                outcome.value
            };
            match &mut turn.kind {
                MessageKind::Text(words) | MessageKind::Binary(words) => {
                    if let Content::Inline(bytes) = &mut words.content {
                        *bytes = rid(bytes);
                    }
                }
                MessageKind::Ping(bytes) | MessageKind::Pong(bytes) => *bytes = rid(bytes),
                MessageKind::Close { reason, .. } => {
                    let new = rid(&Bytes::copy_from_slice(reason.as_bytes()));
                    *reason = String::from_utf8_lossy(&new).into_owned();
                }
                MessageKind::End => {}
            }
        }
        together(turns, counts);
    }

    /// Asks the redactors that ask about a response, where there is one, and about the parts of its
    /// stream.
    pub(super) fn call_for_stream(
        &self,
        place: &RedactionContext<'_>,
        answer: RedactedResponse,
        answered: bool,
    ) -> Result<RedactedResponse, PluginFailure> {
        let RedactedResponse {
            mut response,
            mut stream,
        } = answer;
        if answered {
            response = self.call_for_response(place, response)?;
        }
        let of: Arc<dyn MessageView> = Arc::new(RedactedMessage::response(
            Arc::clone(place.endpoint),
            Arc::clone(place.session),
            Arc::new(place.request.clone()),
            Arc::new(response.clone()),
        ));
        for plugin in self.called_redactors(place.request.path()) {
            match stream.as_mut().map(|stream| &mut stream.content) {
                Some(StreamContent::Chunks(_, pieces)) => {
                    let parts = chunk_bodies(response.body.to_bytes(), pieces).collect();
                    let parts = call_for_chunks(plugin, &of, parts, place)?;
                    response.body = Content::Inline(join_chunks(&parts, pieces));
                }
                Some(StreamContent::Messages(protocol, turns)) => {
                    for side in [Side::Client, Side::Server] {
                        self.call_for_messages(plugin, &of, (*protocol, side), turns, place)?;
                    }
                }
                None => {}
            }
            if !response.trailers.is_empty() {
                let part = StreamPart::new(
                    Arc::clone(&of),
                    StreamPartKind::Trailers,
                    Side::Server,
                    Bytes::new(),
                )
                .with_fields(response.trailers.clone());
                let wanted = call_redactor(plugin, &into_shared(part), place.secrets)?;
                ouli_redaction::edit_trailers(&mut response.trailers, wanted.edits)
                    .map_err(|error| wrong(plugin, &error))?;
            }
        }
        Ok(RedactedResponse { response, stream })
    }

    fn call_for_messages(
        &self,
        plugin: &Plugin,
        of: &Arc<dyn MessageView>,
        (protocol, side): (Protocol, Side),
        turns: &mut [Message],
        place: &RedactionContext<'_>,
    ) -> Result<(), PluginFailure> {
        let shape = self.message_type(protocol, place.request.path(), side);
        let parts = inline_payloads(turns, side)
            .map(|bytes| bytes.clone())
            .collect();
        let show = |bytes: Bytes| {
            let said = Shown {
                request: of,
                protocol,
                side,
                bytes: &bytes,
            };
            said.to_part(bytes.clone(), shape.as_ref())
        };
        let parts = call_for_parts(plugin, show, parts, place)?;
        for (bytes, part) in inline_payloads(turns, side).zip(parts) {
            *bytes = part;
        }
        Ok(())
    }

    /// A request and its response as recording policies see them, with the parts of a stream.
    pub(super) fn policy_views(
        &self,
        exchange: &Exchange,
        session: &Arc<str>,
    ) -> (Arc<dyn MessageView>, Arc<dyn MessageView>) {
        let endpoint: Arc<str> = exchange.endpoint.as_str().into();
        let request = Arc::new(exchange.request.clone());
        let response = Arc::new(exchange.response.clone());
        let of = RedactedMessage::request(
            Arc::clone(&endpoint),
            Arc::clone(session),
            Arc::clone(&request),
        );
        let of: Arc<dyn MessageView> = Arc::new(of.with_failure(exchange.failure));
        let answer = RedactedMessage::response(endpoint, Arc::clone(session), request, response);
        let answer = answer
            .with_parts(self.stream_parts(exchange, &of))
            .with_failure(exchange.failure);
        (of, Arc::new(answer))
    }

    fn stream_parts(
        &self,
        exchange: &Exchange,
        of: &Arc<dyn MessageView>,
    ) -> Vec<Arc<dyn MessageView>> {
        let mut parts: Vec<Arc<dyn MessageView>> = Vec::new();
        match exchange.stream.as_ref().map(|stream| &stream.content) {
            Some(StreamContent::Chunks(_, pieces)) => {
                for bytes in chunk_bodies(exchange.response.body.to_bytes(), pieces) {
                    let of = Arc::clone(of);
                    parts.push(Arc::new(StreamPart::new(
                        of,
                        StreamPartKind::Event,
                        Side::Server,
                        bytes,
                    )));
                }
            }
            Some(StreamContent::Messages(protocol, turns)) => {
                for turn in turns {
                    let Some(words) = turn.kind.payload() else {
                        continue;
                    };
                    let said = Shown {
                        request: of,
                        protocol: *protocol,
                        side: turn.side,
                        bytes: &words.content.to_bytes(),
                    };
                    let shape = self.message_type(*protocol, of.path(), turn.side);
                    parts.push(Arc::new(said.to_part(said.bytes.clone(), shape.as_ref())));
                }
            }
            None => {}
        }
        let trailers = &exchange.response.trailers;
        if exchange.stream.is_some() && !trailers.is_empty() {
            let part = StreamPart::new(
                Arc::clone(of),
                StreamPartKind::Trailers,
                Side::Server,
                Bytes::new(),
            );
            parts.push(Arc::new(part.with_fields(trailers.clone())));
        }
        parts
    }
}

/// The messages of one side.
fn inline_payloads(turns: &mut [Message], side: Side) -> impl Iterator<Item = &mut Bytes> {
    let own = turns.iter_mut().filter(move |turn| turn.side == side);
    own.filter_map(|turn| match &mut turn.kind.payload_mut()?.content {
        Content::Inline(bytes) => Some(bytes),
        Content::Stored { .. } => None,
    })
}

/// Looks at the messages of one side together.
fn redact_messages_together(
    redaction: &Redaction<'_>,
    turns: &mut [Message],
    side: Side,
    counts: &mut RedactionCounts,
) {
    let parts: Vec<_> = inline_payloads(turns, side)
        .map(|bytes| bytes.clone())
        .collect();
    let parts = redact_across_parts(redaction, &parts, PartFormat::Messages, counts);
    for (bytes, part) in inline_payloads(turns, side).zip(parts) {
        *bytes = part;
    }
}

fn redact_chunks(
    redaction: &Redaction<'_>,
    unit: ChunkKind,
    content_type: Option<&str>,
    parts: Vec<Bytes>,
    counts: &mut RedactionCounts,
) -> Vec<Bytes> {
    let joint = match unit {
        ChunkKind::Event => PartFormat::Events,
        ChunkKind::Line => PartFormat::Lines,
        ChunkKind::Raw => return redact_raw_chunks(redaction, content_type, parts, counts),
    };
    let parts = redact_across_parts(redaction, &parts, joint, counts);
    let mut each = Vec::with_capacity(parts.len());
    for part in parts {
        // The end of a piece is no part of a secret, though one that is cut has no other end.
        let end = part.iter().rposition(|byte| !matches!(byte, b'\r' | b'\n'));
        let content = part.slice(..end.map_or(0, |last| last + 1));
        let outcome = redaction.redact_body(content_type, &content);
        add(counts, outcome.counts);
        each.push(Bytes::from(
            [&outcome.value[..], &part[content.len()..]].concat(),
        ));
    }
    redact_across_parts(redaction, &each, joint, counts)
}

fn redact_across_parts(
    redaction: &Redaction<'_>,
    parts: &[Bytes],
    joint: PartFormat,
    counts: &mut RedactionCounts,
) -> Vec<Bytes> {
    let outcome = redaction.redact_across_parts(parts, joint);
    add(counts, outcome.counts);
    outcome.value
}

/// Chunks are no units of anything, so the body is looked at as one. From the first chunk on that
/// changes, all that follows is one chunk.
fn redact_raw_chunks(
    redaction: &Redaction<'_>,
    content_type: Option<&str>,
    parts: Vec<Bytes>,
    counts: &mut RedactionCounts,
) -> Vec<Bytes> {
    let whole = Bytes::from(parts.concat());
    let outcome = redaction.redact_body(content_type, &whole);
    add(counts, outcome.counts);
    let new = outcome.value;
    if new == whole {
        return parts;
    }
    let mut start = 0;
    let mut kept = Vec::new();
    for part in parts {
        if new.get(start..start + part.len()) != Some(&part[..]) {
            break;
        }
        start += part.len();
        kept.push(part);
    }
    kept.push(new.slice(start..));
    kept
}

fn call_for_chunks(
    plugin: &Plugin,
    of: &Arc<dyn MessageView>,
    parts: Vec<Bytes>,
    place: &RedactionContext<'_>,
) -> Result<Vec<Bytes>, PluginFailure> {
    let show = |bytes| StreamPart::new(Arc::clone(of), StreamPartKind::Event, Side::Server, bytes);
    call_for_parts(plugin, show, parts, place)
}

/// Asks a redactor about each part, in order. What it holds back of one it sees again, in front of
/// the next; at the end nothing is held back any more.
fn call_for_parts(
    plugin: &Plugin,
    show: impl Fn(Bytes) -> StreamPart,
    parts: Vec<Bytes>,
    place: &RedactionContext<'_>,
) -> Result<Vec<Bytes>, PluginFailure> {
    let mut done: Vec<Bytes> = Vec::with_capacity(parts.len());
    let mut held = Bytes::new();
    for part in parts {
        let border = held.len();
        let shown = if held.is_empty() {
            part
        } else {
            [held, part].concat().into()
        };
        let wanted = call_redactor(plugin, &into_shared(show(shown.clone())), place.secrets)?;
        let edited = ouli_redaction::edit_part(&shown, wanted.edits, border)
            .map_err(|error| wrong(plugin, &error))?;
        if let Some(before) = done.last_mut() {
            *before = [before, &edited.bytes[..edited.boundary]].concat().into();
        }
        let own = edited.bytes.slice(edited.boundary..);
        let hold = wanted.hold.min(own.len());
        held = own.slice(own.len() - hold..);
        done.push(own.slice(..own.len() - hold));
    }
    if let Some(last) = done.last_mut() {
        *last = [&last[..], &held].concat().into();
    }
    Ok(done)
}
