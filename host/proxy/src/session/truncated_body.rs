//! The body of a response that broke off, completed while it is redacted and cut again before it is
//! written: rules that name places in JSON or in parts find them there too.

use bytes::Bytes;

use super::Outcome;
use ouli_codec::chunks::cut as pieces_of;
use ouli_codec::truncated;
use ouli_message::failure::Phase;
use ouli_message::stream::{Ending, Form, Piece};
use ouli_message::{Content, Exchange};

/// What was added to a body.
pub(super) struct Added(Vec<u8>);

/// Adds what a body needs to be read. Of a stream that is its last piece: the others are whole.
///
/// # Errors
/// Where nothing makes it readable, so that its secrets cannot be found.
pub(super) fn complete(exchange: &mut Exchange) -> Result<Added, Outcome> {
    let broke = exchange.failure.map(|failure| failure.fault.phase) == Some(Phase::Body);
    let body = exchange.response.body.to_bytes();
    let rest = match &exchange.stream {
        Some(stream) if stream.ending != Ending::Complete => match &stream.form {
            Form::Pieces(_, pieces) => rest_of_line(&body, pieces),
            Form::Turns(..) => Vec::new(),
        },
        None if broke => {
            let content_type = exchange.response.fields.text("content-type");
            truncated::rest(content_type, &body).ok_or_else(|| {
                let reason = "the response broke off where its secrets cannot be found";
                Outcome::Partial(reason.to_owned())
            })?
        }
        Some(_) | None => Vec::new(),
    };
    if !rest.is_empty() {
        exchange.response.body = Content::Inline([&body[..], &rest].concat().into());
        if let Some(last) = last_piece(exchange) {
            last.size += rest.len() as u64;
        }
    }
    Ok(Added(rest))
}

/// What the last line of the last piece needs, where it is JSON, also behind the `data:` of an
/// event.
fn rest_of_line(body: &Bytes, pieces: &[Piece]) -> Vec<u8> {
    let last = pieces_of(body.clone(), pieces).last().unwrap_or_default();
    let start = memchr::memrchr(b'\n', &last).map_or(0, |end| end + 1);
    let line = &last[start..];
    let json = line.strip_prefix(b"data:").unwrap_or(line);
    truncated::rest(None, json).unwrap_or_default()
}

fn last_piece(exchange: &mut Exchange) -> Option<&mut Piece> {
    match &mut exchange.stream.as_mut()?.form {
        Form::Pieces(_, pieces) => pieces.last_mut(),
        Form::Turns(..) => None,
    }
}

/// Takes away again what was added. A body that no longer ends with it was changed there, and stays
/// as it is.
pub(super) fn cut(exchange: &mut Exchange, Added(rest): &Added) {
    let size = rest.len() as u64;
    let body = exchange.response.body.to_bytes();
    if rest.is_empty() || !body.ends_with(rest) {
        return;
    }
    if let Some(last) = last_piece(exchange) {
        let Some(before) = last.size.checked_sub(size) else {
            return;
        };
        last.size = before;
    }
    exchange.response.body = Content::Inline(body.slice(..body.len() - rest.len()));
}
