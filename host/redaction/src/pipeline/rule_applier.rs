//! The declared rules, applied to one exchange.
//!
//! The parts of a stream are redacted one by one, and also joined, so that a secret which a chunk
//! or message boundary cuts is found.

use bytes::Bytes;

use super::chunks::join_chunks;
use super::streamed_response::StreamedResponse;
use crate::conversation_message::message_type;
use crate::cross_chunk::PartFormat;
use crate::pass::{Counts, Outcome, Redaction};
use ouli_codec::chunks::chunk_bodies;
use ouli_codec::grpc::Schema;
use ouli_message::stream::{Chunk, ChunkKind, Message, MessageKind, Protocol, Side, StreamContent};
use ouli_message::{Content, Request, Response};

/// Applies the declared rules to one exchange and counts what they removed.
pub(super) struct RuleApplier<'a> {
    /// For what the client sent.
    sent: Redaction<'a>,
    /// For what the server sent.
    received: Redaction<'a>,
    schema: &'a Schema,
    path: &'a str,
    counts: Counts,
}

impl<'a> RuleApplier<'a> {
    pub(super) fn new(
        (redaction, response_begun): (Redaction<'a>, u64),
        schema: &'a Schema,
        path: &'a str,
    ) -> Self {
        Self {
            sent: redaction,
            received: redaction.of_response(response_begun),
            schema,
            path,
            counts: Counts::new(),
        }
    }

    /// How many secrets each rule removed.
    pub(super) fn into_counts(self) -> Counts {
        self.counts
    }

    pub(super) fn redact_request(&mut self, request: &Request) -> Request {
        let outcome = self.sent.redact_request(request);
        self.count(outcome)
    }

    pub(super) fn redact_response(&mut self, streamed: StreamedResponse) -> StreamedResponse {
        let StreamedResponse {
            mut response,
            mut stream,
        } = streamed;
        match stream.as_mut().map(|stream| &mut stream.content) {
            Some(StreamContent::Chunks(kind, chunks)) => {
                // The chunks of the body are redacted on their own.
                let body = std::mem::replace(&mut response.body, Content::EMPTY);
                response = self.redact_head(&response);
                let content_type = response.fields.get_str("content-type");
                let body = self.redact_chunked_body(*kind, content_type, &body, chunks);
                response.body = Content::Inline(body);
            }
            Some(StreamContent::Messages(protocol, messages)) => {
                response = self.redact_head(&response);
                self.redact_messages(*protocol, messages);
            }
            None => response = self.redact_head(&response),
        }
        StreamedResponse { response, stream }
    }

    fn redact_head(&mut self, response: &Response) -> Response {
        let outcome = self.received.redact_response(response);
        self.count(outcome)
    }

    fn redact_chunked_body(
        &mut self,
        kind: ChunkKind,
        content_type: Option<&str>,
        body: &Content,
        chunks: &mut Vec<Chunk>,
    ) -> Bytes {
        let body = body.to_bytes();
        let parts: Vec<_> = chunk_bodies(body.clone(), chunks).collect();
        let redacted = match kind {
            ChunkKind::Event => self.redact_chunks(PartFormat::Events, content_type, parts),
            ChunkKind::Line => self.redact_chunks(PartFormat::Lines, content_type, parts),
            ChunkKind::Raw => self.redact_raw_chunks(content_type, &body, parts),
        };
        join_chunks(&body, &redacted, chunks)
    }

    fn redact_chunks(
        &mut self,
        format: PartFormat,
        content_type: Option<&str>,
        chunks: Vec<Bytes>,
    ) -> Vec<Bytes> {
        let mut chunks = self.redact_across_parts(Side::Server, chunks, format);
        for chunk in &mut chunks {
            // The line end is kept out: a secret without an end would extend to it.
            let end = chunk
                .iter()
                .rposition(|byte| !matches!(byte, b'\r' | b'\n'));
            let content = chunk.slice(..end.map_or(0, |last| last + 1));
            let outcome = self.received.redact_body(content_type, &content);
            let new = self.count(outcome);
            if new != content {
                *chunk = [&new[..], &chunk[content.len()..]].concat().into();
            }
        }
        self.redact_across_parts(Side::Server, chunks, format)
    }

    /// Raw chunks are arbitrary slices, so the body is redacted as a whole. From the first chunk on
    /// that differs, the rest is one chunk.
    fn redact_raw_chunks(
        &mut self,
        content_type: Option<&str>,
        whole: &Bytes,
        chunks: Vec<Bytes>,
    ) -> Vec<Bytes> {
        let outcome = self.received.redact_body(content_type, whole);
        let new = self.count(outcome);
        if new == whole {
            return chunks;
        }
        let mut start = 0;
        let mut kept = Vec::new();
        for chunk in chunks {
            if new.get(start..start + chunk.len()) != Some(&chunk[..]) {
                break;
            }
            start += chunk.len();
            kept.push(chunk);
        }
        kept.push(new.slice(start..));
        kept
    }

    fn redact_messages(&mut self, protocol: Protocol, messages: &mut [Message]) {
        self.redact_joined_messages(protocol, messages);
        let types = [Side::Client, Side::Server]
            .map(|side| message_type(self.schema, protocol, self.path, side));
        for message in &mut *messages {
            let message_type = match message.side {
                Side::Client => &types[0],
                Side::Server => &types[1],
            };
            let is_text =
                protocol == Protocol::WebSocket && matches!(message.kind, MessageKind::Text(_));
            let redaction = *self.redaction_of(message.side);
            let mut redact = |bytes: &Bytes| {
                let outcome = if is_text {
                    redaction.redact_text_message(bytes)
                } else {
                    let message_type = message_type.as_ref();
                    redaction.redact_message(protocol, message_type, bytes)
                };
                self.count(outcome)
            };
            match &mut message.kind {
                MessageKind::Text(payload) | MessageKind::Binary(payload) => {
                    if let Content::Inline(bytes) = &mut payload.content {
                        *bytes = redact(bytes);
                    }
                }
                MessageKind::Ping(bytes) | MessageKind::Pong(bytes) => *bytes = redact(bytes),
                MessageKind::Close { reason, .. } => {
                    let new = redact(&Bytes::copy_from_slice(reason.as_bytes()));
                    *reason = String::from_utf8_lossy(&new).into_owned();
                }
                // The reason is a text of the gateway.
                MessageKind::End | MessageKind::Invalid { .. } => {}
            }
        }
        self.redact_joined_messages(protocol, messages);
    }

    /// Redacts the joined messages of each side of a WebSocket. A secret that the boundary of two
    /// gRPC messages cuts stays: without it the messages could no longer be decoded.
    fn redact_joined_messages(&mut self, protocol: Protocol, messages: &mut [Message]) {
        if protocol != Protocol::WebSocket {
            return;
        }
        for side in [Side::Client, Side::Server] {
            let parts: Vec<_> = inline_payloads(messages, side)
                .map(|bytes| bytes.clone())
                .collect();
            let parts = self.redact_across_parts(side, parts, PartFormat::Messages);
            for (bytes, part) in inline_payloads(messages, side).zip(parts) {
                *bytes = part;
            }
        }
    }

    fn redact_across_parts(
        &mut self,
        side: Side,
        parts: Vec<Bytes>,
        format: PartFormat,
    ) -> Vec<Bytes> {
        let outcome = self.redaction_of(side).redact_across_parts(parts, format);
        self.count(outcome)
    }

    fn redaction_of(&self, side: Side) -> &Redaction<'a> {
        match side {
            Side::Client => &self.sent,
            Side::Server => &self.received,
        }
    }

    fn count<T>(&mut self, outcome: Outcome<T>) -> T {
        for (rule, count) in outcome.counts {
            *self.counts.entry(rule).or_default() += count;
        }
        outcome.value
    }
}

/// The payloads of the messages of one side, as far as they are in memory.
pub(super) fn inline_payloads(
    messages: &mut [Message],
    side: Side,
) -> impl Iterator<Item = &mut Bytes> {
    let own = messages
        .iter_mut()
        .filter(move |message| message.side == side);
    own.filter_map(|message| match &mut message.kind.payload_mut()?.content {
        Content::Inline(bytes) => Some(bytes),
        Content::Stored { .. } => None,
    })
}
