//! The digests in a cassette: of the content of an exchange, independent of layout, and of a body.

use sha2::{Digest, Sha256};

use super::stream_names::{self, MessageRecord};
use ouli_message::stream::{Stream, StreamContent};
use ouli_message::{CodedBody, Content, Exchange, FailureCause, Fields, Response};

/// The digest of an exchange in a cassette: `sha256:` and 32 hex digits.
///
/// It covers names and values with their lengths, and bodies by size and SHA-256. It does not
/// depend on the layout of the file, on where a body is stored, or on the times of a stream or a
/// failure, so that recording the same traffic again gives the same digest.
pub fn digest(exchange: &Exchange) -> String {
    let Exchange {
        endpoint,
        request,
        response,
        stream,
        failure,
        tags,
    } = exchange;
    let mut content = Vec::with_capacity(1024);
    push_text(&mut content, DOMAIN);
    push_text(&mut content, endpoint.as_bytes());
    push_text(&mut content, request.method.as_str().as_bytes());
    push_text(&mut content, request.authority.as_bytes());
    push_text(&mut content, request.target.as_bytes());
    push_fields(&mut content, &request.fields);
    push_body(&mut content, &request.body);
    push_fields(&mut content, &request.trailers);
    if exchange.has_response() {
        push_text(&mut content, response.status.as_str().as_bytes());
        push_fields(&mut content, &response.fields);
        push_body(&mut content, &response.body);
        push_fields(&mut content, &response.trailers);
    }
    push_length(&mut content, tags.len());
    for (name, value) in tags {
        push_text(&mut content, name.as_bytes());
        push_text(&mut content, value.as_bytes());
    }
    if let Some(stream) = stream {
        push_stream(&mut content, stream);
    }
    if let Some(failure) = failure {
        push_failure(&mut content, &failure.cause);
    }
    if let Some(length) = request.truncated_at {
        push_text(&mut content, b"truncated_at");
        push_text(&mut content, length.to_string().as_bytes());
    }
    match &response.coded {
        CodedBody::Derived => {}
        CodedBody::Exact(coded) => {
            push_text(&mut content, b"coded");
            push_body(&mut content, coded);
        }
        CodedBody::Undecoded => push_text(&mut content, b"undecoded"),
    }
    if exchange.has_response() {
        push_optional_members(&mut content, response);
    }
    let hash = Sha256::digest(&content);
    let mut text = String::with_capacity(PREFIX.len() + 32);
    text.push_str(PREFIX);
    push_hex(&mut text, &hash[..16]);
    text
}

/// Members that are seldom present add nothing to the digest of an exchange without them.
fn push_optional_members(content: &mut Vec<u8>, response: &Response) {
    if let Some(reason) = &response.reason {
        push_text(content, b"reason");
        push_text(content, reason.as_bytes());
    }
    if !response.omitted.is_empty() {
        push_text(content, b"omitted");
        push_length(content, response.omitted.len());
        for name in &response.omitted {
            push_text(content, name.as_str().as_bytes());
        }
    }
}

/// The SHA-256 of a body, in lower-case hex: the name of its file.
pub fn body_digest(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(64);
    push_hex(&mut text, &Sha256::digest(bytes));
    text
}

/// True if `text` can be the digest of a body: 64 lower-case hex digits.
pub(crate) fn is_body_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| HEX.contains(&byte))
}

fn push_fields(content: &mut Vec<u8>, fields: &Fields) {
    push_length(content, fields.len());
    for (name, value) in fields.iter() {
        push_text(content, name.as_str().as_bytes());
        push_text(content, value.as_bytes());
    }
}

fn push_body(content: &mut Vec<u8>, body: &Content) {
    content.extend_from_slice(&body.size().to_be_bytes());
    match body {
        Content::Inline(bytes) if bytes.is_empty() => {}
        Content::Inline(bytes) => {
            let mut hex = String::with_capacity(64);
            push_hex(&mut hex, &Sha256::digest(bytes));
            content.extend_from_slice(hex.as_bytes());
        }
        Content::Stored { size: 0, .. } => {}
        Content::Stored { digest, .. } => content.extend_from_slice(digest.as_bytes()),
    }
}

fn push_stream(content: &mut Vec<u8>, stream: &Stream) {
    push_text(content, b"stream");
    match &stream.content {
        StreamContent::Chunks(unit, chunks) => {
            push_text(content, stream_names::unit_name(*unit).as_bytes());
            push_length(content, chunks.len());
            for chunk in chunks {
                content.extend_from_slice(&chunk.size.to_be_bytes());
            }
        }
        StreamContent::Messages(protocol, messages) => {
            push_text(content, stream_names::protocol_name(*protocol).as_bytes());
            push_length(content, messages.len());
            for message in messages {
                push_text(content, message.side.name().as_bytes());
                push_message(content, &MessageRecord::from(&message.kind));
            }
        }
    }
    let ended = stream_names::ending_name(stream.ending);
    push_text(content, ended.unwrap_or_default().as_bytes());
}

fn push_failure(content: &mut Vec<u8>, cause: &FailureCause) {
    let code = cause.code.map(|code| code.to_string());
    push_text(content, b"failure");
    push_text(content, cause.phase.name().as_bytes());
    push_text(content, cause.kind.name().as_bytes());
    push_text(content, code.unwrap_or_default().as_bytes());
}

fn push_message(content: &mut Vec<u8>, record: &MessageRecord<'_>) {
    let compressed = if record.compressed { "compressed" } else { "" };
    let code = record.code.map(|code| code.to_string());
    push_text(content, record.kind.as_bytes());
    push_text(content, compressed.as_bytes());
    push_text(content, code.unwrap_or_default().as_bytes());
    push_body(content, &record.content);
}

fn push_text(content: &mut Vec<u8>, bytes: &[u8]) {
    push_length(content, bytes.len());
    content.extend_from_slice(bytes);
}

fn push_length(content: &mut Vec<u8>, length: usize) {
    content.extend_from_slice(&(length as u64).to_be_bytes());
}

fn push_hex(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        text.push(char::from(HEX[usize::from(byte >> 4)]));
        text.push(char::from(HEX[usize::from(byte & 15)]));
    }
}

const DOMAIN: &[u8] = b"ouli-cassette 1";
const PREFIX: &str = "sha256:";
const HEX: &[u8; 16] = b"0123456789abcdef";

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::test_exchanges::sample;

    #[test]
    fn stored_and_inline_bodies_have_the_same_digest() {
        let inline = sample(1);
        let mut stored = inline.clone();
        stored.response.body = Content::Stored {
            digest: body_digest(inline.response.body.inline()),
            size: inline.response.body.size(),
        };
        assert_eq!(digest(&inline), digest(&stored));
    }

    #[test]
    fn every_member_changes_the_digest() {
        let base = sample(1);
        let changes: [fn(&mut Exchange); 10] = [
            |it| it.endpoint.push('x'),
            |it| it.request.authority.push('x'),
            |it| it.request.target.push('x'),
            |it| it.request.body = Content::Inline(Bytes::from_static(b"x")),
            |it| it.response.status = http::StatusCode::IM_A_TEAPOT,
            |it| it.response.reason = Some(String::new()),
            |it| it.response.omitted = vec![http::header::DATE],
            |it| it.response.trailers = it.response.fields.clone(),
            |it| it.request.fields.retain(|name, _| name != "accept"),
            |it| it.tags.push(("a".into(), "b".into())),
            |it| it.response.coded = CodedBody::Exact(Content::Inline(Bytes::from_static(b"x"))),
            |it| it.response.coded = CodedBody::Undecoded,
        ];
        for change in changes {
            let mut other = base.clone();
            change(&mut other);
            assert_ne!(digest(&base), digest(&other), "{other:?}");
        }
    }

    #[test]
    fn bytes_cannot_move_between_adjacent_members() {
        let mut left = sample(1);
        left.endpoint = "ab".into();
        left.request.authority = "c".into();
        let mut right = left.clone();
        right.endpoint = "a".into();
        right.request.authority = "bc".into();
        assert_ne!(digest(&left), digest(&right));
    }
}
