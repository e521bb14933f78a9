//! Builds the response for a recorded exchange.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version};

use super::renewed_fields::add_renewed_fields;
use super::timed_body::{BodyEnd, TimedBody};
use crate::handler::{ExchangeError, OutgoingBody, RequestContext};
use crate::session::Entry;
use ouli_codec::chunks::chunk_bodies;
use ouli_codec::content_coding::{self, Coding};
use ouli_config::Timing;
use ouli_message::Content;
use ouli_message::stream::{Chunk, Ending, StreamContent};
use ouli_net::http::set_reason_phrase;

/// The responses that a client accepts.
pub(crate) struct ClientCapabilities {
    head_only: bool,
    accept_encoding: Option<String>,
    /// Its connection carries one response at a time.
    is_http1: bool,
}

impl ClientCapabilities {
    /// A client that accepts the response as recorded.
    pub(crate) fn unrestricted() -> Self {
        Self {
            head_only: false,
            accept_encoding: None,
            is_http1: false,
        }
    }

    pub(crate) fn of<B>(request: &Request<B>) -> Self {
        let mut accept_encoding = None;
        for value in request.headers().get_all(ACCEPT_ENCODING) {
            let joined: &mut String = accept_encoding.get_or_insert_default();
            if !joined.is_empty() {
                joined.push(',');
            }
            joined.push_str(value.to_str().unwrap_or_default());
        }
        Self {
            head_only: *request.method() == Method::HEAD,
            accept_encoding,
            is_http1: request.version() < Version::HTTP_2,
        }
    }
}

/// The recorded response, in the form that the client accepts.
pub(crate) async fn recorded_response(
    context: &RequestContext<'_>,
    entry: &Arc<Entry>,
    client: &ClientCapabilities,
) -> Result<Response<OutgoingBody>, ExchangeError> {
    let bytes = match &entry.response.body {
        Content::Inline(bytes) => bytes.clone(),
        Content::Stored { digest, .. } => read_stored_body(context, digest).await?,
    };
    let schedule = ChunkSchedule::of(entry, bytes.len(), client.is_http1);
    let timing = replay_timing(context);
    let mut response = build_response(&entry.response, schedule, timing, bytes, client)?;
    if let Some(reason) = &entry.response.reason {
        set_reason_phrase(response.extensions_mut(), reason);
    }
    add_renewed_fields(response.headers_mut(), entry);
    Ok(response)
}

async fn read_stored_body(
    context: &RequestContext<'_>,
    digest: &str,
) -> Result<Bytes, ExchangeError> {
    let folder = Arc::clone(context.handler.shared.sessions.folder());
    let (session, digest) = (Arc::clone(context.session.name()), digest.to_owned());
    let read = tokio::task::spawn_blocking(move || folder.read_body(&session, &digest));
    match read.await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) => Err(ExchangeError::Internal(format!(
            "a recorded body cannot be read: {error}"
        ))),
        Err(error) => Err(ExchangeError::Internal(error.to_string())),
    }
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
    fn of(entry: &'a Entry, size: usize, is_alone: bool) -> Option<Self> {
        let failure = entry.failure.as_ref();
        let stream = entry.stream.as_ref();
        let chunks = match stream.map(|stream| &stream.content) {
            Some(StreamContent::Chunks(_, chunks)) => Cow::Borrowed(&**chunks),
            Some(StreamContent::Messages(..)) => return None,
            // All bytes before the failure.
            None => {
                failure?;
                let size = size as u64;
                Cow::Owned(vec![Chunk { at: 0, size }])
            }
        };
        let ending = stream.map_or(Ending::Complete, |stream| stream.ending);
        let end = BodyEnd::of(ending, failure, is_alone);
        Some(Self { chunks, end })
    }
}

/// The recorded response for this client, with its recorded content codings if it accepts them.
fn build_response(
    recorded: &ouli_message::Response,
    schedule: Option<ChunkSchedule<'_>>,
    timing: (Timing, Duration),
    bytes: Bytes,
    client: &ClientCapabilities,
) -> Result<Response<OutgoingBody>, ExchangeError> {
    let failed = |error: content_coding::CodingError| ExchangeError::Internal(error.to_string());
    let codings = content_coding::of(&recorded.fields).map_err(failed)?;
    let accepted = accepts_all(client, &codings);
    let without_body = client.head_only || has_no_body(recorded.status);
    let codings = if accepted { codings } else { Vec::new() };
    let trailers = &recorded.trailers;
    let trailers = (!trailers.is_empty()).then(|| trailers.to_map());
    let recorded_length = recorded.fields.get_str(CONTENT_LENGTH.as_str());
    let (body, length) = match schedule.filter(|_| !without_body) {
        Some(ChunkSchedule { chunks, end }) => {
            let complete = matches!(end, BodyEnd::Complete);
            let chunks = encode_chunks(&chunks, &bytes, &codings, complete).map_err(failed)?;
            let sent = chunks.iter().map(|(_, bytes)| bytes.len()).sum();
            let length = recorded_length.map(|recorded_length| {
                if complete {
                    sent
                } else {
                    truncated_content_length(recorded_length, sent)
                }
            });
            let timed = TimedBody::new(chunks, trailers, end, timing);
            (OutgoingBody::timed(timed), length)
        }
        None => {
            let bytes = if codings.is_empty() || bytes.is_empty() {
                bytes
            } else {
                content_coding::encode(&bytes, &codings).map_err(failed)?
            };
            let bytes = if without_body { Bytes::new() } else { bytes };
            let has_length = recorded_length.is_some() && !without_body;
            let length = has_length.then_some(bytes.len());
            (OutgoingBody::full(bytes, trailers, has_length), length)
        }
    };
    let mut response = Response::new(body);
    *response.status_mut() = recorded.status;
    *response.headers_mut() = headers(recorded, length, accepted);
    Ok(response)
}

/// The `content-length` of a body that is aborted: more than is sent, so that the client notices.
fn truncated_content_length(recorded_length: &str, sent: usize) -> usize {
    recorded_length
        .parse()
        .unwrap_or(0)
        .max(sent.saturating_add(1))
}

/// The recorded fields, with this `content-length` for a body. A response without a body keeps the
/// recorded length.
fn headers(recorded: &ouli_message::Response, length: Option<usize>, accepted: bool) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(recorded.fields.len() + 1);
    for (name, value) in recorded.fields.iter() {
        match length {
            Some(length) if *name == CONTENT_LENGTH => {
                headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
            }
            Some(_) | None
                if *name != TRANSFER_ENCODING && (accepted || *name != CONTENT_ENCODING) =>
            {
                headers.append(name.clone(), value.clone());
            }
            Some(_) | None => {}
        }
    }
    headers
}

/// The chunks of a body, each encoded so that the client can decode it as soon as it arrives.
fn encode_chunks(
    chunks: &[Chunk],
    body: &Bytes,
    codings: &[Coding],
    complete: bool,
) -> Result<Vec<(Chunk, Bytes)>, content_coding::CodingError> {
    let mut encoder = (!codings.is_empty())
        .then(|| content_coding::Encoder::new(codings))
        .transpose()?;
    let mut encoded = Vec::with_capacity(chunks.len());
    for (chunk, bytes) in chunks.iter().zip(chunk_bodies(body.clone(), chunks)) {
        let bytes = match &mut encoder {
            Some(encoder) => encoder.encode_chunk(&bytes)?,
            None => bytes,
        };
        encoded.push((*chunk, bytes));
    }
    if let Some(encoder) = encoder
        && complete
        && let Some((chunk, _)) = encoded.last()
    {
        let chunk = *chunk;
        encoded.push((chunk, encoder.finish()));
    }
    encoded.retain(|(_, bytes)| !bytes.is_empty());
    Ok(encoded)
}

fn accepts_all(client: &ClientCapabilities, codings: &[Coding]) -> bool {
    let accepted = client.accept_encoding.as_deref();
    codings
        .iter()
        .all(|coding| content_coding::accepts(accepted, *coding))
}

/// Responses that never have a body (RFC 9110, section 6.4.1).
fn has_no_body(status: StatusCode) -> bool {
    status.is_informational()
        || status == StatusCode::NO_CONTENT
        || status == StatusCode::NOT_MODIFIED
}
