//! Builds the response for a recorded exchange.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, Response, StatusCode};

use super::awaited_events::awaited_events;
use super::body_end::BodyEnd;
use super::client_capabilities::ClientCapabilities;
use super::cookie_expiry::renew_cookies;
use super::own_ids::OwnIds;
use super::recorded_body::{Division, RecordedBody, edited_body, recorded_body, renamed_body};
use super::renewed_fields::add_renewed_fields;
use super::representation::Representation;
use super::timed_body::TimedBody;
use crate::handler::{ExchangeError, OutgoingBody, RequestContext};
use crate::session::Entry;
use ouli_codec::content_coding;
use ouli_config::Timing;
use ouli_message::CodedBody;
use ouli_message::stream::{Chunk, Ending, StreamContent};
use ouli_net::http::set_reason_phrase;

/// The recorded response, in the form that the client accepts, with the values that it made up.
pub(crate) async fn recorded_response(
    context: &RequestContext<'_>,
    entry: &Arc<Entry>,
    client: &ClientCapabilities,
    own_ids: OwnIds,
) -> Result<Response<OutgoingBody>, ExchangeError> {
    let recorded = &entry.response;
    let codings = match recorded.coded {
        CodedBody::Undecoded => Vec::new(),
        // Only an edited cassette names others.
        CodedBody::Exact(_) | CodedBody::Derived => {
            content_coding::of(&recorded.fields).unwrap_or_default()
        }
    };
    let mut form = Representation::choose(&entry.request, recorded, &codings, client);
    let without_body = client.head_only || has_no_body(recorded.status);
    let schedule = ChunkSchedule::of(entry, client.is_http1).filter(|_| !without_body);
    let (division, end) = match schedule {
        Some(ChunkSchedule { chunks, end }) => {
            let complete = matches!(end, BodyEnd::Complete);
            let chunks = chunks.into_owned();
            (Division::Chunks { chunks, complete }, end)
        }
        None => (Division::Whole, BodyEnd::Complete),
    };
    let renamed = match without_body || own_ids.is_empty() {
        true => None,
        false => renamed_body(context, recorded, own_ids.clone()).await?,
    };
    let body = match renamed {
        _ if without_body => RecordedBody::Whole(Bytes::new()),
        Some(renamed) => {
            form = form.renamed();
            edited_body(context, renamed, (codings, form), division).await?
        }
        None => recorded_body(context, entry, (codings, form), division).await?,
    };
    let mut trailers = form.trailers(&recorded.trailers);
    trailers
        .iter_mut()
        .for_each(|fields| own_ids.rename_fields(fields));
    let recorded_length = recorded.fields.get_str(CONTENT_LENGTH.as_str());
    let (body, length) = match body {
        RecordedBody::Chunks(chunks) => {
            let sent = chunks.iter().map(|(_, bytes)| bytes.len()).sum();
            let length = recorded_length.map(|recorded_length| match end {
                BodyEnd::Complete => sent,
                _ => truncated_content_length(recorded_length, sent),
            });
            let awaited = awaited_events(context, entry, &chunks);
            let timed = TimedBody::new(chunks, trailers, end, replay_timing(context));
            (OutgoingBody::timed(timed.awaiting(awaited)), length)
        }
        RecordedBody::Whole(bytes) => {
            let has_length = recorded_length.is_some() && !without_body;
            let length = has_length.then_some(bytes.len());
            (OutgoingBody::full(bytes, trailers, has_length), length)
        }
    };
    let mut headers = form.headers(recorded, length);
    if client.head_only && own_ids.changes_lengths() {
        // The length of the body that a GET would get is not known (RFC 9110, section 9.3.2).
        headers.remove(CONTENT_LENGTH);
    }
    Ok(with_head(body, entry, headers, &own_ids))
}

/// A response with the recorded head, of which these are the fields.
fn with_head(
    body: OutgoingBody,
    entry: &Entry,
    mut headers: HeaderMap,
    own_ids: &OwnIds,
) -> Response<OutgoingBody> {
    own_ids.rename_fields(&mut headers);
    add_renewed_fields(&mut headers, entry);
    renew_cookies(&mut headers, SystemTime::now());
    own_ids.repeat_fields(&mut headers);
    let mut response = Response::new(body);
    *response.status_mut() = entry.response.status;
    *response.headers_mut() = headers;
    if let Some(reason) = &entry.response.reason {
        set_reason_phrase(response.extensions_mut(), reason);
    }
    response
}

/// The pace of streams, and how long a stream that the client ended is kept open.
fn replay_timing(context: &RequestContext<'_>) -> (Timing, Duration) {
    let config = &context.snapshot.config;
    (config.timing, config.limits.stream_idle_timeout)
}

/// The chunks of a body that is sent over time.
struct ChunkSchedule<'a> {
    chunks: Cow<'a, [Chunk]>,
    end: BodyEnd,
}

impl<'a> ChunkSchedule<'a> {
    fn of(entry: &'a Entry, is_alone: bool) -> Option<Self> {
        let failure = entry.failure.as_ref();
        let stream = entry.stream.as_ref();
        let chunks = match stream.map(|stream| &stream.content) {
            Some(StreamContent::Chunks(_, chunks)) => Cow::Borrowed(&**chunks),
            Some(StreamContent::Messages(..)) => return None,
            // All bytes before the failure.
            None => {
                failure?;
                let size = entry.response.body.size();
                Cow::Owned(vec![Chunk { at: 0, size }])
            }
        };
        let ending = stream.map_or(Ending::Complete, |stream| stream.ending);
        let end = BodyEnd::of(ending, failure, is_alone);
        Some(Self { chunks, end })
    }
}

/// The `content-length` of a body that is aborted: more than is sent, so that the client notices.
fn truncated_content_length(recorded_length: &str, sent: usize) -> usize {
    recorded_length
        .parse()
        .unwrap_or(0)
        .max(sent.saturating_add(1))
}

/// Responses that never have a body (RFC 9110, section 6.4.1).
fn has_no_body(status: StatusCode) -> bool {
    status.is_informational()
        || status == StatusCode::NO_CONTENT
        || status == StatusCode::NOT_MODIFIED
}
