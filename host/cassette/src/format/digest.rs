//! The digests of a cassette: of an exchange's content, whatever its layout, and of a body.

use sha2::{Digest, Sha256};

use super::stream_names::{self, MessageRecord};
use ouli_message::stream::{Stream, StreamContent};
use ouli_message::{Content, Exchange, FailureCause, Fields};

/// The digest of an exchange as it stands in a cassette: `sha256:` and 32 hex digits.
///
/// It covers names and values with their lengths, and bodies by their size and SHA-256, so that
/// neither the layout of the file nor the place of a body counts. Nor do the times of a stream
/// or a failure, so that the same conversation has the same digest when it is recorded again.
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
    part(&mut content, DOMAIN);
    part(&mut content, endpoint.as_bytes());
    part(&mut content, request.method.as_str().as_bytes());
    part(&mut content, request.authority.as_bytes());
    part(&mut content, request.target.as_bytes());
    fields(&mut content, &request.fields);
    body(&mut content, &request.body);
    fields(&mut content, &request.trailers);
    if exchange.has_response() {
        part(&mut content, response.status.as_str().as_bytes());
        fields(&mut content, &response.fields);
        body(&mut content, &response.body);
        fields(&mut content, &response.trailers);
    }
    length(&mut content, tags.len());
    for (name, value) in tags {
        part(&mut content, name.as_bytes());
        part(&mut content, value.as_bytes());
    }
    if let Some(it) = stream {
        self::stream(&mut content, it);
    }
    if let Some(it) = failure {
        push_failure(&mut content, &it.cause);
    }
    let whole = Sha256::digest(&content);
    let mut text = String::with_capacity(PREFIX.len() + 32);
    text.push_str(PREFIX);
    push_hex(&mut text, &whole[..16]);
    text
}

/// The SHA-256 of a body, in lower-case hex: the name of its file.
pub fn body_digest(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(64);
    push_hex(&mut text, &Sha256::digest(bytes));
    text
}

/// True where `text` can name a body: 64 lower-case hex digits.
pub(crate) fn is_body_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| HEX.contains(&byte))
}

fn fields(content: &mut Vec<u8>, fields: &Fields) {
    length(content, fields.len());
    for (name, value) in fields.iter() {
        part(content, name.as_str().as_bytes());
        part(content, value.as_bytes());
    }
}

fn body(content: &mut Vec<u8>, body: &Content) {
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

fn stream(content: &mut Vec<u8>, stream: &Stream) {
    part(content, b"stream");
    match &stream.content {
        StreamContent::Chunks(unit, pieces) => {
            part(content, stream_names::unit_name(*unit).as_bytes());
            length(content, pieces.len());
            for piece in pieces {
                content.extend_from_slice(&piece.size.to_be_bytes());
            }
        }
        StreamContent::Messages(protocol, turns) => {
            part(content, stream_names::protocol_name(*protocol).as_bytes());
            length(content, turns.len());
            for turn in turns {
                part(content, turn.side.name().as_bytes());
                push_message(content, &MessageRecord::from(&turn.kind));
            }
        }
    }
    let ended = stream_names::ending_name(stream.ending);
    part(content, ended.unwrap_or_default().as_bytes());
}

fn push_failure(content: &mut Vec<u8>, fault: &FailureCause) {
    let code = fault.code.map(|code| code.to_string());
    part(content, b"failure");
    part(content, fault.phase.name().as_bytes());
    part(content, fault.kind.name().as_bytes());
    part(content, code.unwrap_or_default().as_bytes());
}

fn push_message(content: &mut Vec<u8>, spoken: &MessageRecord<'_>) {
    let compressed = if spoken.compressed { "compressed" } else { "" };
    let code = spoken.code.map(|code| code.to_string());
    part(content, spoken.kind.as_bytes());
    part(content, compressed.as_bytes());
    part(content, code.unwrap_or_default().as_bytes());
    body(content, &spoken.content);
}

fn part(content: &mut Vec<u8>, bytes: &[u8]) {
    length(content, bytes.len());
    content.extend_from_slice(bytes);
}

fn length(content: &mut Vec<u8>, length: usize) {
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
    use crate::tests::sample;

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
    fn every_part_changes_the_digest() {
        let base = sample(1);
        let changes: [fn(&mut Exchange); 8] = [
            |it| it.endpoint.push('x'),
            |it| it.request.authority.push('x'),
            |it| it.request.target.push('x'),
            |it| it.request.body = Content::Inline(Bytes::from_static(b"x")),
            |it| it.response.status = http::StatusCode::IM_A_TEAPOT,
            |it| it.response.trailers = it.response.fields.clone(),
            |it| it.request.fields.retain(|name, _| name != "accept"),
            |it| it.tags.push(("a".into(), "b".into())),
        ];
        for change in changes {
            let mut other = base.clone();
            change(&mut other);
            assert_ne!(digest(&base), digest(&other), "{other:?}");
        }
    }

    #[test]
    fn a_boundary_between_parts_cannot_move() {
        let mut left = sample(1);
        left.endpoint = "ab".into();
        left.request.authority = "c".into();
        let mut right = left.clone();
        right.endpoint = "a".into();
        right.request.authority = "bc".into();
        assert_ne!(digest(&left), digest(&right));
    }
}
