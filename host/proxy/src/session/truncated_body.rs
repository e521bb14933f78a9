//! Truncated response bodies. A truncated body is completed while it is redacted, so that rules for
//! positions in JSON or form parts apply to it, and truncated again before it is written.

use bytes::Bytes;

use super::outcome::Outcome;
use ouli_codec::chunks::chunk_bodies;
use ouli_codec::truncated;
use ouli_config::Defect;
use ouli_message::failure::Phase;
use ouli_message::stream::{Chunk, Ending, StreamContent};
use ouli_message::{Content, Exchange};

/// The bytes that were added to a body.
pub(super) struct AddedSuffix(Vec<u8>);

/// Completes the body of a truncated response. In a stream, only the last chunk can be truncated.
///
/// # Errors
/// If the body cannot be completed, so that its secrets cannot be found.
pub(super) fn complete_body(exchange: &mut Exchange) -> Result<AddedSuffix, Outcome> {
    let is_truncated = exchange.failure.map(|failure| failure.cause.phase) == Some(Phase::Body);
    let body = exchange.response.body.to_bytes();
    let suffix = match &exchange.stream {
        Some(stream) if stream.ending != Ending::Complete => match &stream.content {
            StreamContent::Chunks(_, chunks) => json_line_suffix(&body, chunks),
            StreamContent::Messages(..) => Vec::new(),
        },
        None if is_truncated => {
            let content_type = exchange.response.fields.get_str("content-type");
            truncated::missing_suffix(content_type, &body).ok_or_else(|| {
                let reason = "the response is truncated where its secrets cannot be found";
                Outcome::Failed(Defect::Partial, reason.to_owned())
            })?
        }
        Some(_) | None => Vec::new(),
    };
    if !suffix.is_empty() {
        exchange.response.body = Content::Inline([&body[..], &suffix].concat().into());
        if let Some(last) = last_chunk(exchange) {
            last.size += suffix.len() as u64;
        }
    }
    Ok(AddedSuffix(suffix))
}

/// The missing end of the last line of the last chunk, if the line or the `data:` of an event is
/// JSON.
fn json_line_suffix(body: &Bytes, chunks: &[Chunk]) -> Vec<u8> {
    let last = chunk_bodies(body.clone(), chunks)
        .last()
        .unwrap_or_default();
    let start = memchr::memrchr(b'\n', &last).map_or(0, |end| end + 1);
    let line = &last[start..];
    let json = line.strip_prefix(b"data:").unwrap_or(line);
    truncated::missing_suffix(None, json).unwrap_or_default()
}

fn last_chunk(exchange: &mut Exchange) -> Option<&mut Chunk> {
    match &mut exchange.stream.as_mut()?.content {
        StreamContent::Chunks(_, chunks) => chunks.last_mut(),
        StreamContent::Messages(..) => None,
    }
}

/// Removes the added suffix. If redaction changed the end of the body, the body is left as it is.
pub(super) fn remove_suffix(exchange: &mut Exchange, AddedSuffix(suffix): &AddedSuffix) {
    let size = suffix.len() as u64;
    let body = exchange.response.body.to_bytes();
    if suffix.is_empty() || !body.ends_with(suffix) {
        return;
    }
    if let Some(last) = last_chunk(exchange) {
        let Some(before) = last.size.checked_sub(size) else {
            return;
        };
        last.size = before;
    }
    exchange.response.body = Content::Inline(body.slice(..body.len() - suffix.len()));
}
