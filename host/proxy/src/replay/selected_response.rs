//! The response to a request for the head, a part or a changed version of a resource of which only
//! the whole is recorded.

use std::ops::RangeInclusive;
use std::sync::Arc;

use bytes::Bytes;
use headers::{ContentRange, HeaderMapExt as _};
use http::header::{
    CACHE_CONTROL, CONTENT_LENGTH, CONTENT_LOCATION, DATE, ETAG, EXPIRES, LAST_MODIFIED, VARY,
};
use http::{HeaderMap, HeaderName, Response, StatusCode};

use super::client_capabilities::ClientCapabilities;
use super::lookup::{Lookup, look_up_request};
use super::own_ids::OwnIds;
use super::recorded_response::recorded_response;
use super::selection::{Selection, select};
use crate::handler::{AccessOutcome, ExchangeError, OutgoingBody, RequestContext};
use crate::session::{Entry, Hit, Outcome, is_selective, plain_request};
use ouli_message::{Request, is_body_digest};

/// The fields of a 304 (RFC 9110, section 15.4.5), and the validator that a response without an
/// entity tag has.
const NOT_MODIFIED_FIELDS: [HeaderName; 7] = [
    CACHE_CONTROL,
    CONTENT_LOCATION,
    DATE,
    ETAG,
    EXPIRES,
    LAST_MODIFIED,
    VARY,
];

/// The response from the recorded one for the whole resource. None if the request asks for the
/// whole itself, or the whole is not recorded. If it is with other secrets, the lookup says so.
pub(super) async fn selected_response(
    context: &RequestContext<'_>,
    lookup: &mut Lookup,
    client: &ClientCapabilities,
) -> Result<Option<Response<OutgoingBody>>, ExchangeError> {
    let request = lookup.request();
    let Some(plain) = plain_request(request) else {
        return Ok(None);
    };
    let whole = look_up_request(context, plain).await?;
    let must_succeed = is_selective(request);
    let (key, fields) = (&whole.match_key.key, whole.request_view.fields());
    let entry = match lookup.index.find_whole(key, fields, must_succeed) {
        Ok(Some(entry)) => entry,
        Ok(None) => return Ok(None),
        Err(conflict) => {
            lookup.conflict.get_or_insert(conflict);
            return Ok(None);
        }
    };
    // The length of a body is known once the body is.
    let with_body = client.with_body();
    let own_ids = OwnIds::of(context, &whole, &entry).await?;
    let response = recorded_response(context, &entry, &with_body, own_ids).await?;
    let response = if must_succeed {
        selected(lookup.request(), response)
    } else {
        response
    };
    let response = match client.head_only {
        true => response.map(|_| OutgoingBody::empty()),
        false => response,
    };
    count(context, &entry);
    Ok(Some(response))
}

/// The exchange can still be replayed to a request for the whole.
fn count(context: &RequestContext<'_>, entry: &Arc<Entry>) {
    entry.mark_served();
    let outcome = Outcome::Hit(Hit::WHOLE_RESOURCE);
    context.session.counters().count(outcome);
    context.trace.set_outcome(AccessOutcome::Hit);
}

fn selected(request: &Request, whole: Response<OutgoingBody>) -> Response<OutgoingBody> {
    let bytes = whole.body().bytes();
    let size = bytes.as_ref().map(|bytes| bytes.len() as u64);
    let fields = request.fields.to_map();
    let selection = select((&request.method, &fields), whole.headers(), size);
    match (selection, bytes) {
        (Selection::Whole, _) | (Selection::Part(_) | Selection::NotSatisfiable, None) => whole,
        (Selection::NotModified, _) => not_modified(whole.headers()),
        (Selection::PreconditionFailed, _) => {
            without_body(StatusCode::PRECONDITION_FAILED, whole.headers())
        }
        (Selection::NotSatisfiable, Some(bytes)) => {
            let mut response = without_body(StatusCode::RANGE_NOT_SATISFIABLE, whole.headers());
            let range = ContentRange::unsatisfied_bytes(bytes.len() as u64);
            response.headers_mut().typed_insert(range);
            response
        }
        (Selection::Part(range), Some(bytes)) => part(whole, &bytes, &range),
    }
}

fn not_modified(whole: &HeaderMap) -> Response<OutgoingBody> {
    let mut response = Response::new(OutgoingBody::empty());
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    for (name, value) in whole {
        if NOT_MODIFIED_FIELDS.contains(name) {
            response.headers_mut().append(name, value.clone());
        }
    }
    response
}

/// A response with the date of the whole one (RFC 9110, section 6.6.1).
fn without_body(status: StatusCode, whole: &HeaderMap) -> Response<OutgoingBody> {
    let mut response = Response::new(OutgoingBody::from_bytes(Bytes::new()));
    *response.status_mut() = status;
    if let Some(date) = whole.get(DATE) {
        response.headers_mut().insert(DATE, date.clone());
    }
    response
}

fn part(
    mut whole: Response<OutgoingBody>,
    bytes: &Bytes,
    range: &RangeInclusive<u64>,
) -> Response<OutgoingBody> {
    let position = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let (first, last) = (position(*range.start()), position(*range.end()));
    let Some(part) = (last < bytes.len()).then(|| bytes.slice(first..=last)) else {
        return whole;
    };
    let Ok(content_range) = ContentRange::bytes(range.clone(), bytes.len() as u64) else {
        return whole;
    };
    *whole.status_mut() = StatusCode::PARTIAL_CONTENT;
    let headers = whole.headers_mut();
    // A digest of the content covers all of it.
    let digests: Vec<_> = headers
        .keys()
        .filter(|name| is_body_digest(name))
        .cloned()
        .collect();
    for name in digests {
        headers.remove(name);
    }
    headers.insert(CONTENT_LENGTH, part.len().into());
    headers.typed_insert(content_range);
    whole.map(|_| OutgoingBody::from_bytes(part))
}
