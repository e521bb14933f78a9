//! The redaction of streams: events and messages one by one, then together, so that a secret which
//! a border cuts is found as well.

use std::sync::Arc;

use bytes::Bytes;

use crate::PluginFailure;
use crate::contract::chunks::join;
use crate::contract::conversation_message::{Said as Shown, rid};
use crate::contract::stream_part::{Part, PartKind};
use crate::load::component::Plugin;
use crate::redaction::{Place, RedactionCount, Redactors, add, ask, shared, wrong};
use ouli_codec::Message;
use ouli_codec::chunks::cut;
use ouli_message::stream::{Form, Protocol, Said, Side, Stream, Turn, Unit};
use ouli_message::{Content, Exchange, Response};
use ouli_redaction::{Joint, PlainMessage, Redaction};

/// What came back for a request.
pub(super) struct Answer {
    pub(super) response: Response,
    pub(super) stream: Option<Stream>,
}

impl Redactors {
    /// A response and its stream without what the declared rules take out.
    pub(super) fn declared(
        &self,
        redaction: &Redaction<'_>,
        mut response: Response,
        stream: Option<Stream>,
        (path, counts): (&str, &mut RedactionCount),
    ) -> Answer {
        // The pieces of a body are looked at one by one.
        let aside = match &stream {
            Some(stream) if matches!(stream.form, Form::Pieces(..)) => {
                std::mem::replace(&mut response.body, Content::EMPTY)
            }
            Some(_) | None => Content::EMPTY,
        };
        let redacted = redaction.response(&response);
        add(counts, redacted.counts);
        let mut answer = Answer {
            response: redacted.value,
            stream,
        };
        let content_type = answer
            .response
            .fields
            .text("content-type")
            .map(str::to_owned);
        match answer.stream.as_mut().map(|stream| &mut stream.form) {
            Some(Form::Pieces(unit, pieces)) => {
                let parts = cut(aside.to_bytes(), pieces).collect();
                let parts = pieces_rid(redaction, *unit, content_type.as_deref(), parts, counts);
                answer.response.body = Content::Inline(join(&parts, pieces));
            }
            Some(Form::Turns(protocol, turns)) => {
                self.turns_rid(redaction, *protocol, turns, (path, counts));
            }
            None => {}
        }
        answer
    }

    fn turns_rid(
        &self,
        redaction: &Redaction<'_>,
        protocol: Protocol,
        turns: &mut [Turn],
        (path, counts): (&str, &mut RedactionCount),
    ) {
        // What is cut by the border of two binary messages cannot be taken out of both and leave
        // messages that their readers know, so this is for WebSockets alone.
        let together = |turns: &mut [Turn], counts: &mut RedactionCount| {
            if protocol == Protocol::WebSocket {
                for side in [Side::Client, Side::Server] {
                    joined(redaction, turns, side, counts);
                }
            }
        };
        together(turns, counts);
        let shapes = [Side::Client, Side::Server].map(|side| self.shape(protocol, path, side));
        for turn in &mut *turns {
            let shape = match turn.side {
                Side::Client => &shapes[0],
                Side::Server => &shapes[1],
            };
            let mut rid = |bytes: &Bytes| {
                let outcome = rid(redaction, protocol, shape.as_ref(), bytes);
                add(counts, outcome.counts);
                outcome.value
            };
            match &mut turn.said {
                Said::Text(words) | Said::Binary(words) => {
                    if let Content::Inline(bytes) = &mut words.content {
                        *bytes = rid(bytes);
                    }
                }
                Said::Ping(bytes) | Said::Pong(bytes) => *bytes = rid(bytes),
                Said::Close { reason, .. } => {
                    let new = rid(&Bytes::copy_from_slice(reason.as_bytes()));
                    *reason = String::from_utf8_lossy(&new).into_owned();
                }
                Said::End => {}
            }
        }
        together(turns, counts);
    }

    /// Asks the redactors that ask about a response, where there is one, and about the parts of its
    /// stream.
    pub(super) fn ask_answer(
        &self,
        place: &Place<'_>,
        answer: Answer,
        answered: bool,
    ) -> Result<Answer, PluginFailure> {
        let Answer {
            mut response,
            mut stream,
        } = answer;
        if answered {
            response = self.ask_response(place, response)?;
        }
        let of: Arc<dyn Message> = Arc::new(PlainMessage::response(
            Arc::clone(place.endpoint),
            Arc::clone(place.session),
            Arc::new(place.request.clone()),
            Arc::new(response.clone()),
        ));
        for plugin in self.asked(place.request.path()) {
            match stream.as_mut().map(|stream| &mut stream.form) {
                Some(Form::Pieces(_, pieces)) => {
                    let parts = cut(response.body.to_bytes(), pieces).collect();
                    let parts = ask_pieces(plugin, &of, parts, place)?;
                    response.body = Content::Inline(join(&parts, pieces));
                }
                Some(Form::Turns(protocol, turns)) => {
                    for side in [Side::Client, Side::Server] {
                        self.ask_turns(plugin, &of, (*protocol, side), turns, place)?;
                    }
                }
                None => {}
            }
            if !response.trailers.is_empty() {
                let part = Part::new(
                    Arc::clone(&of),
                    PartKind::Trailers,
                    Side::Server,
                    Bytes::new(),
                )
                .with_fields(response.trailers.clone());
                let wanted = ask(plugin, &shared(part), place.secrets)?;
                ouli_redaction::edit_trailers(&mut response.trailers, wanted.edits)
                    .map_err(|error| wrong(plugin, &error))?;
            }
        }
        Ok(Answer { response, stream })
    }

    fn ask_turns(
        &self,
        plugin: &Plugin,
        of: &Arc<dyn Message>,
        (protocol, side): (Protocol, Side),
        turns: &mut [Turn],
        place: &Place<'_>,
    ) -> Result<(), PluginFailure> {
        let shape = self.shape(protocol, place.request.path(), side);
        let parts = contents(turns, side).map(|bytes| bytes.clone()).collect();
        let show = |bytes: Bytes| {
            let said = Shown {
                request: of,
                protocol,
                side,
                bytes: &bytes,
            };
            said.part(bytes.clone(), shape.as_ref())
        };
        let parts = ask_parts(plugin, show, parts, place)?;
        for (bytes, part) in contents(turns, side).zip(parts) {
            *bytes = part;
        }
        Ok(())
    }

    /// A request and its response as recording policies see them, with the parts of a stream.
    pub(super) fn both(
        &self,
        exchange: &Exchange,
        session: &Arc<str>,
    ) -> (Arc<dyn Message>, Arc<dyn Message>) {
        let endpoint: Arc<str> = exchange.endpoint.as_str().into();
        let request = Arc::new(exchange.request.clone());
        let response = Arc::new(exchange.response.clone());
        let of = PlainMessage::request(
            Arc::clone(&endpoint),
            Arc::clone(session),
            Arc::clone(&request),
        );
        let of: Arc<dyn Message> = Arc::new(of.with_failure(exchange.failure));
        let answer = PlainMessage::response(endpoint, Arc::clone(session), request, response);
        let answer = answer
            .with_parts(self.parts(exchange, &of))
            .with_failure(exchange.failure);
        (of, Arc::new(answer))
    }

    fn parts(&self, exchange: &Exchange, of: &Arc<dyn Message>) -> Vec<Arc<dyn Message>> {
        let mut parts: Vec<Arc<dyn Message>> = Vec::new();
        match exchange.stream.as_ref().map(|stream| &stream.form) {
            Some(Form::Pieces(_, pieces)) => {
                for bytes in cut(exchange.response.body.to_bytes(), pieces) {
                    let of = Arc::clone(of);
                    parts.push(Arc::new(Part::new(
                        of,
                        PartKind::Event,
                        Side::Server,
                        bytes,
                    )));
                }
            }
            Some(Form::Turns(protocol, turns)) => {
                for turn in turns {
                    let Some(words) = turn.said.words() else {
                        continue;
                    };
                    let said = Shown {
                        request: of,
                        protocol: *protocol,
                        side: turn.side,
                        bytes: &words.content.to_bytes(),
                    };
                    let shape = self.shape(*protocol, of.path(), turn.side);
                    parts.push(Arc::new(said.part(said.bytes.clone(), shape.as_ref())));
                }
            }
            None => {}
        }
        let trailers = &exchange.response.trailers;
        if exchange.stream.is_some() && !trailers.is_empty() {
            let part = Part::new(
                Arc::clone(of),
                PartKind::Trailers,
                Side::Server,
                Bytes::new(),
            );
            parts.push(Arc::new(part.with_fields(trailers.clone())));
        }
        parts
    }
}

/// The messages of one side.
fn contents(turns: &mut [Turn], side: Side) -> impl Iterator<Item = &mut Bytes> {
    let own = turns.iter_mut().filter(move |turn| turn.side == side);
    own.filter_map(|turn| match &mut turn.said.words_mut()?.content {
        Content::Inline(bytes) => Some(bytes),
        Content::Stored { .. } => None,
    })
}

/// Looks at the messages of one side together.
fn joined(redaction: &Redaction<'_>, turns: &mut [Turn], side: Side, counts: &mut RedactionCount) {
    let parts: Vec<_> = contents(turns, side).map(|bytes| bytes.clone()).collect();
    let parts = together(redaction, &parts, Joint::Messages, counts);
    for (bytes, part) in contents(turns, side).zip(parts) {
        *bytes = part;
    }
}

fn pieces_rid(
    redaction: &Redaction<'_>,
    unit: Unit,
    content_type: Option<&str>,
    parts: Vec<Bytes>,
    counts: &mut RedactionCount,
) -> Vec<Bytes> {
    let joint = match unit {
        Unit::Event => Joint::Events,
        Unit::Line => Joint::Lines,
        Unit::Chunk => return chunks_rid(redaction, content_type, parts, counts),
    };
    let parts = together(redaction, &parts, joint, counts);
    let mut each = Vec::with_capacity(parts.len());
    for part in parts {
        // The end of a piece is no part of a secret, though one that is cut has no other end.
        let end = part.iter().rposition(|byte| !matches!(byte, b'\r' | b'\n'));
        let content = part.slice(..end.map_or(0, |last| last + 1));
        let outcome = redaction.body(content_type, &content);
        add(counts, outcome.counts);
        each.push(Bytes::from(
            [&outcome.value[..], &part[content.len()..]].concat(),
        ));
    }
    together(redaction, &each, joint, counts)
}

fn together(
    redaction: &Redaction<'_>,
    parts: &[Bytes],
    joint: Joint,
    counts: &mut RedactionCount,
) -> Vec<Bytes> {
    let outcome = redaction.joined(parts, joint);
    add(counts, outcome.counts);
    outcome.value
}

/// Chunks are no units of anything, so the body is looked at as one. From the first chunk on that
/// changes, all that follows is one chunk.
fn chunks_rid(
    redaction: &Redaction<'_>,
    content_type: Option<&str>,
    parts: Vec<Bytes>,
    counts: &mut RedactionCount,
) -> Vec<Bytes> {
    let whole = Bytes::from(parts.concat());
    let outcome = redaction.body(content_type, &whole);
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

fn ask_pieces(
    plugin: &Plugin,
    of: &Arc<dyn Message>,
    parts: Vec<Bytes>,
    place: &Place<'_>,
) -> Result<Vec<Bytes>, PluginFailure> {
    let show = |bytes| Part::new(Arc::clone(of), PartKind::Event, Side::Server, bytes);
    ask_parts(plugin, show, parts, place)
}

/// Asks a redactor about each part, in order. What it holds back of one it sees again, in front of
/// the next; at the end nothing is held back any more.
fn ask_parts(
    plugin: &Plugin,
    show: impl Fn(Bytes) -> Part,
    parts: Vec<Bytes>,
    place: &Place<'_>,
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
        let wanted = ask(plugin, &shared(show(shown.clone())), place.secrets)?;
        let edited = ouli_redaction::edit_part(&shown, wanted.edits, border)
            .map_err(|error| wrong(plugin, &error))?;
        if let Some(before) = done.last_mut() {
            *before = [before, &edited.bytes[..edited.border]].concat().into();
        }
        let own = edited.bytes.slice(edited.border..);
        let hold = wanted.hold.min(own.len());
        held = own.slice(own.len() - hold..);
        done.push(own.slice(..own.len() - hold));
    }
    if let Some(last) = done.last_mut() {
        *last = [&last[..], &held].concat().into();
    }
    Ok(done)
}
