//! The body of a response that broke off, completed while it is redacted and cut again before it is
//! written: rules that name places in JSON or in parts find them there too.

use bytes::Bytes;

use super::Outcome;
use ouli_codec::chunks::chunk_bodies as pieces_of;
use ouli_codec::truncated;
use ouli_message::failure::Phase;
use ouli_message::stream::{Chunk, Ending, StreamContent};
use ouli_message::{Content, Exchange};

/// What was added to a body.
pub(super) struct AddedSuffix(Vec<u8>);

/// Adds what a body needs to be read. Of a stream that is its last piece: the others are whole.
///
/// # Errors
/// Where nothing makes it readable, so that its secrets cannot be found.
pub(super) fn complete_body(exchange: &mut Exchange) -> Result<AddedSuffix, Outcome> {
    let broke = exchange.failure.map(|failure| failure.cause.phase) == Some(Phase::Body);
    let body = exchange.response.body.to_bytes();
    let rest = match &exchange.stream {
        Some(stream) if stream.ending != Ending::Complete => match &stream.content {
            StreamContent::Chunks(_, pieces) => json_line_suffix(&body, pieces),
            StreamContent::Messages(..) => Vec::new(),
        },
        None if broke => {
            let content_type = exchange.response.fields.get_str("content-type");
            truncated::missing_suffix(content_type, &body).ok_or_else(|| {
                let reason = "the response broke off where its secrets cannot be found";
                Outcome::Partial(reason.to_owned())
            })?
        }
        Some(_) | None => Vec::new(),
    };
    if !rest.is_empty() {
        exchange.response.body = Content::Inline([&body[..], &rest].concat().into());
        if let Some(last) = last_chunk(exchange) {
            last.size += rest.len() as u64;
        }
    }
    Ok(AddedSuffix(rest))
}

/// What the last line of the last piece needs, where it is JSON, also behind the `data:` of an
/// event.
fn json_line_suffix(body: &Bytes, pieces: &[Chunk]) -> Vec<u8> {
    let last = pieces_of(body.clone(), pieces).last().unwrap_or_default();
    let start = memchr::memrchr(b'\n', &last).map_or(0, |end| end + 1);
    let line = &last[start..];
    let json = line.strip_prefix(b"data:").unwrap_or(line);
    truncated::missing_suffix(None, json).unwrap_or_default()
}

fn last_chunk(exchange: &mut Exchange) -> Option<&mut Chunk> {
    match &mut exchange.stream.as_mut()?.content {
        StreamContent::Chunks(_, pieces) => pieces.last_mut(),
        StreamContent::Messages(..) => None,
    }
}

/// Takes away again what was added. A body that no longer ends with it was changed there, and stays
/// as it is.
pub(super) fn remove_suffix(exchange: &mut Exchange, AddedSuffix(rest): &AddedSuffix) {
    let size = rest.len() as u64;
    let body = exchange.response.body.to_bytes();
    if rest.is_empty() || !body.ends_with(rest) {
        return;
    }
    if let Some(last) = last_chunk(exchange) {
        let Some(before) = last.size.checked_sub(size) else {
            return;
        };
        last.size = before;
    }
    exchange.response.body = Content::Inline(body.slice(..body.len() - rest.len()));
}
