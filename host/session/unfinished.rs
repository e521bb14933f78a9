//! The body of a response that broke off, completed while it is redacted and cut again before it is
//! written: rules that name places in JSON or in parts find them there too.

use bytes::Bytes;

use super::Outcome;
use crate::exchange::failure::Phase;
use crate::exchange::{Content, Exchange, unfinished};

/// What was added to a body.
pub(super) struct Added(Vec<u8>);

/// Adds what a body needs to be read.
///
/// # Errors
/// Where nothing makes it readable, so that its secrets cannot be found.
pub(super) fn complete(exchange: &mut Exchange) -> Result<Added, Outcome> {
    let broke = exchange.failure.map(|failure| failure.fault.phase) == Some(Phase::Body);
    // Pieces of a stream are whole each, but for the last one.
    if !broke || exchange.stream.is_some() {
        return Ok(Added(Vec::new()));
    }
    let response = &mut exchange.response;
    let body = response.body.to_bytes();
    let rest = unfinished::rest(response.fields.text("content-type"), &body);
    let Some(rest) = rest else {
        let reason = "the response broke off where its secrets cannot be found";
        return Err(Outcome::Partial(reason.to_owned()));
    };
    if !rest.is_empty() {
        response.body = Content::Inline([&body[..], &rest].concat().into());
    }
    Ok(Added(rest))
}

/// Takes away again what was added. A body that no longer ends with it was changed there, and stays
/// as it is.
pub(super) fn cut(exchange: &mut Exchange, Added(rest): &Added) {
    if rest.is_empty() {
        return;
    }
    let body = exchange.response.body.to_bytes();
    if body.ends_with(rest) {
        let body: Bytes = body.slice(..body.len() - rest.len());
        exchange.response.body = Content::Inline(body);
    }
}
