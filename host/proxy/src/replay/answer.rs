//! Answers from the cassette. In auto, what it does not have is asked of the upstream and recorded.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version};

use super::timed_body::{BodyEnd, TimedBody};
use crate::conversation;
use crate::handler::buffered_body::BufferedBody;
use crate::handler::context::RequestContext;
pub(crate) use crate::handler::error_response::{ErrorFormat, ExchangeError};
use crate::handler::response_body::OutgoingBody;
use crate::record::failed_exchange;
use crate::record::forward::{self, ForwardedBody, RequestHead};
use crate::record::relay::{RequestRecording, forward_and_record};
use crate::session::{Entry, ExhaustedPolicy, Index, LookupResult, Outcome, ReplayQueue};
use ouli_codec::MessageView;
use ouli_codec::chunks::chunk_bodies;
use ouli_codec::content_coding::{self, Coding};
use ouli_config::Timing;
use ouli_message::Content;
use ouli_message::stream::{Chunk, Ending, StreamContent};
use ouli_net::server::IncomingBody;
use ouli_plugin::MatchKey;

/// A request as it is looked up.
pub(crate) struct Lookup {
    pub(crate) index: Arc<Index>,
    pub(crate) request_view: Arc<dyn MessageView>,
    pub(crate) match_key: MatchKey,
}

/// Answers from the cassette or with a miss. No upstream is asked, whatever happens.
pub(crate) async fn replay(
    asked: &RequestContext<'_>,
    request: Request<IncomingBody>,
) -> Result<Response<OutgoingBody>, ExchangeError> {
    if ErrorFormat::of(&request) == ErrorFormat::Grpc {
        return conversation::replay_call(asked, request).await;
    }
    let wanted = ClientCapabilities::of(&request);
    let (_, _held, looked_up) = look_up(asked, request).await?;
    match find(asked, &looked_up) {
        LookupResult::Hit(entry) => serve_hit(asked, &entry, &wanted).await,
        LookupResult::Exhausted(count) => Err(miss_error(asked, &looked_up, Some(count))),
        LookupResult::NotFound => Err(miss_error(asked, &looked_up, None)),
    }
}

/// Answers from the cassette, or asks the upstream and records.
pub(crate) async fn auto(
    asked: &RequestContext<'_>,
    request: Request<IncomingBody>,
) -> Result<Response<OutgoingBody>, ExchangeError> {
    if ErrorFormat::of(&request) == ErrorFormat::Grpc {
        return conversation::replay_call_or_forward(asked, request).await;
    }
    let wanted = ClientCapabilities::of(&request);
    let (head, mut held, looked_up) = look_up(asked, request).await?;

    let key = looked_up.match_key.key.hash();
    asked.session.wait_until_written(key).await;
    if let LookupResult::Hit(entry) = find(asked, &looked_up) {
        return serve_hit(asked, &entry, &wanted).await;
    }
    let sent = RequestRecording::buffered(asked, &mut held).await;
    let body = ForwardedBody::Full(held.bytes.clone());
    forward_and_record(asked, head, body, sent, Some(key)).await
}

/// Goes the way of a hit without being one, so that this thread has gone it before the first
/// request does.
pub(crate) async fn warm_up(asked: &RequestContext<'_>) {
    let index = asked.snapshot.index(asked.session.name());
    let Some((index, (entry, key))) = index.and_then(|index| {
        let sample = index.any_entry()?;
        Some((index, sample))
    }) else {
        return;
    };
    drop(ReplayQueue::of(&index, &key, exhausted_policy(asked)));
    // What cannot be answered is told to the request that asks for it.
    if entry.failure_without_response().is_none() {
        drop(recorded_response(asked, &entry, &ClientCapabilities::unrestricted()).await);
    }
}

async fn look_up(
    asked: &RequestContext<'_>,
    request: Request<IncomingBody>,
) -> Result<(RequestHead, BufferedBody, Lookup), ExchangeError> {
    let head = forward::request_head(asked, &request, true);
    let mut held = BufferedBody::read(asked, request.into_body()).await?;
    let request = decoded_request(asked, &head, &held.bytes)?;
    held.count_decoded(request.body.inline());
    Ok((head, held, look_up_request(asked, request).await?))
}

/// Looks a request up in the form in which it would be recorded.
pub(crate) async fn look_up_request(
    asked: &RequestContext<'_>,
    request: ouli_message::Request,
) -> Result<Lookup, ExchangeError> {
    let index = asked.index().await?;
    let secrets = asked.session.secrets();
    let plugins = &asked.snapshot.plugins;
    let view = plugins.view(
        Arc::clone(&asked.endpoint.name),
        Arc::clone(asked.session.name()),
        Arc::new(request),
        Arc::clone(secrets),
    )?;
    let keyed = plugins.key(&view, secrets)?;
    Ok(Lookup {
        index,
        request_view: view,
        match_key: keyed,
    })
}

/// The request in the form in which it would be recorded, so that both sides of a comparison are
/// alike.
fn decoded_request(
    asked: &RequestContext<'_>,
    head: &RequestHead,
    body: &Bytes,
) -> Result<ouli_message::Request, ExchangeError> {
    let mut request = head.to_recorded_request(&asked.endpoint.authority);
    let limits = &asked.snapshot.config.limits;
    let bounds = content_coding::Bounds {
        bytes: limits.decompressed_body as u64,
        ratio: limits.decompression_ratio as u64,
    };
    let decoded = content_coding::of(&request.fields)
        .and_then(|codings| content_coding::decode(body.clone(), &codings, bounds));
    let decoded = decoded.map_err(|error| ExchangeError::Undecodable(error.to_string()))?;
    request.body = Content::Inline(decoded);
    Ok(request)
}

/// What follows once all exchanges of a key were replayed.
pub(crate) fn exhausted_policy(asked: &RequestContext<'_>) -> ExhaustedPolicy {
    let may_ask = asked.endpoint.configured.mode == ouli_config::Mode::Auto;
    match asked.snapshot.config.on_exhausted {
        ouli_config::OnExhausted::Repeat if may_ask => ExhaustedPolicy::RepeatUnlessFailed,
        ouli_config::OnExhausted::Repeat => ExhaustedPolicy::Repeat,
        ouli_config::OnExhausted::Miss => ExhaustedPolicy::Miss,
    }
}

fn find(asked: &RequestContext<'_>, looked_up: &Lookup) -> LookupResult {
    let exhausted = exhausted_policy(asked);
    let index = &looked_up.index;
    match index.find(&looked_up.match_key.key, exhausted) {
        LookupResult::NotFound if index.has_wildcards() => {
            let plugins = &asked.snapshot.plugins;
            let live = plugins.describe(&looked_up.request_view, asked.session.secrets());
            live.map_or(LookupResult::NotFound, |live| {
                index.find_by_wildcard(&looked_up.match_key.key, &live, exhausted)
            })
        }
        found => found,
    }
}

/// Counts and explains a miss.
pub(crate) fn miss_error(
    asked: &RequestContext<'_>,
    looked_up: &Lookup,
    spent: Option<usize>,
) -> ExchangeError {
    asked.session.counters().count(Outcome::Miss);
    let secrets = asked.session.secrets();
    match asked
        .snapshot
        .plugins
        .describe(&looked_up.request_view, secrets)
    {
        Ok(live) => {
            let (index, keyed) = (&looked_up.index, &looked_up.match_key);
            let miss = index.explain_miss(&looked_up.request_view, keyed, live, spent);
            ExchangeError::Miss(Box::new(miss))
        }
        Err(failure) => ExchangeError::Plugin(failure),
    }
}

/// What the client can take.
pub(crate) struct ClientCapabilities {
    head_only: bool,
    accept_encoding: Option<String>,
    /// Its connection carries one response at a time.
    is_http1: bool,
}

impl ClientCapabilities {
    /// Of a client that takes the answer as it was.
    pub(crate) fn unrestricted() -> Self {
        Self {
            head_only: false,
            accept_encoding: None,
            is_http1: false,
        }
    }

    pub(crate) fn of<B>(request: &Request<B>) -> Self {
        let mut codings = None;
        for value in request.headers().get_all(ACCEPT_ENCODING) {
            let all: &mut String = codings.get_or_insert_default();
            if !all.is_empty() {
                all.push(',');
            }
            all.push_str(value.to_str().unwrap_or_default());
        }
        Self {
            head_only: *request.method() == Method::HEAD,
            accept_encoding: codings,
            is_http1: request.version() < Version::HTTP_2,
        }
    }
}

/// The recorded answer, counted.
pub(crate) async fn serve_hit(
    asked: &RequestContext<'_>,
    entry: &Arc<Entry>,
    wanted: &ClientCapabilities,
) -> Result<Response<OutgoingBody>, ExchangeError> {
    if let Some(failure) = entry.failure_without_response() {
        return Err(failed_exchange::replay_failure(asked, failure).await);
    }
    let response = recorded_response(asked, entry, wanted).await?;
    asked.session.counters().count(Outcome::Hit);
    Ok(response)
}

/// The recorded answer.
pub(crate) async fn recorded_response(
    asked: &RequestContext<'_>,
    entry: &Arc<Entry>,
    wanted: &ClientCapabilities,
) -> Result<Response<OutgoingBody>, ExchangeError> {
    let bytes = match &entry.response.body {
        Content::Inline(bytes) => bytes.clone(),
        Content::Stored { digest, .. } => read_stored_body(asked, digest).await?,
    };
    let flow = ChunkSchedule::of(entry, bytes.len(), wanted.is_http1);
    build_response(&entry.response, flow, replay_timing(asked), bytes, wanted)
}

async fn read_stored_body(
    asked: &RequestContext<'_>,
    digest: &str,
) -> Result<Bytes, ExchangeError> {
    let folder = Arc::clone(asked.handler.shared.sessions.folder());
    let (session, digest) = (Arc::clone(asked.session.name()), digest.to_owned());
    let read = tokio::task::spawn_blocking(move || folder.read_body(&session, &digest));
    match read.await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) => Err(ExchangeError::Internal(format!(
            "a recorded body cannot be read: {error}"
        ))),
        Err(error) => Err(ExchangeError::Internal(error.to_string())),
    }
}

/// At what pace streams are replayed, and how long one is kept open that the client ended.
fn replay_timing(asked: &RequestContext<'_>) -> (Timing, Duration) {
    let config = &asked.snapshot.config;
    (config.timing, config.limits.stream_idle_timeout)
}

/// How a body is sent that is not sent at once.
struct ChunkSchedule<'a> {
    chunks: Cow<'a, [Chunk]>,
    end: BodyEnd,
}

impl<'a> ChunkSchedule<'a> {
    fn of(entry: &'a Entry, size: usize, alone: bool) -> Option<Self> {
        let failure = entry.failure.as_ref();
        let stream = entry.stream.as_ref();
        let pieces = match stream.map(|stream| &stream.content) {
            Some(StreamContent::Chunks(_, pieces)) => Cow::Borrowed(&**pieces),
            Some(StreamContent::Messages(..)) => return None,
            // What came before it broke off.
            None => {
                failure?;
                let size = size as u64;
                Cow::Owned(vec![Chunk { at: 0, size }])
            }
        };
        let ending = stream.map_or(Ending::Complete, |stream| stream.ending);
        let end = BodyEnd::of(ending, failure, alone);
        Some(Self {
            chunks: pieces,
            end,
        })
    }
}

/// The recorded response for this client: coded again as it was, where the client takes that.
fn build_response(
    recorded: &ouli_message::Response,
    flow: Option<ChunkSchedule<'_>>,
    pace: (Timing, Duration),
    bytes: Bytes,
    wanted: &ClientCapabilities,
) -> Result<Response<OutgoingBody>, ExchangeError> {
    let failed = |error: content_coding::CodingError| ExchangeError::Internal(error.to_string());
    let codings = content_coding::of(&recorded.fields).map_err(failed)?;
    let accepted = accepts_all(wanted, &codings);
    let without_body = wanted.head_only || has_no_body(recorded.status);
    let codings = if accepted { codings } else { Vec::new() };
    let trailers = &recorded.trailers;
    let trailers = (!trailers.is_empty()).then(|| trailers.to_map());
    let told = recorded.fields.get_str(CONTENT_LENGTH.as_str());
    let (body, length) = match flow.filter(|_| !without_body) {
        Some(ChunkSchedule {
            chunks: pieces,
            end,
        }) => {
            let complete = matches!(end, BodyEnd::Complete);
            let pieces = encode_chunks(&pieces, &bytes, &codings, complete).map_err(failed)?;
            let sent = pieces.iter().map(|(_, bytes)| bytes.len()).sum();
            let length = told.map(|told| {
                if complete {
                    sent
                } else {
                    truncated_content_length(told, sent)
                }
            });
            let paced = TimedBody::new(pieces, trailers, end, pace);
            (OutgoingBody::timed(paced), length)
        }
        None => {
            let bytes = if codings.is_empty() || bytes.is_empty() {
                bytes
            } else {
                content_coding::encode(&bytes, &codings).map_err(failed)?
            };
            let bytes = if without_body { Bytes::new() } else { bytes };
            let sized = told.is_some() && !without_body;
            let length = sized.then_some(bytes.len());
            (OutgoingBody::full(bytes, trailers, sized), length)
        }
    };
    let mut response = Response::new(body);
    *response.status_mut() = recorded.status;
    *response.headers_mut() = headers(recorded, length, accepted);
    Ok(response)
}

/// The length that was told of a body that breaks off: more than is sent of it.
fn truncated_content_length(told: &str, sent: usize) -> usize {
    told.parse().unwrap_or(0).max(sent.saturating_add(1))
}

/// The recorded fields for a body of this length, where it is told. Where there is no body the
/// length is that of the recording.
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

/// The pieces of a body, coded so that a client can decode each as soon as it is there.
fn encode_chunks(
    pieces: &[Chunk],
    body: &Bytes,
    codings: &[Coding],
    complete: bool,
) -> Result<Vec<(Chunk, Bytes)>, content_coding::CodingError> {
    let mut encoder = (!codings.is_empty())
        .then(|| content_coding::Encoder::new(codings))
        .transpose()?;
    let mut coded = Vec::with_capacity(pieces.len());
    for (piece, bytes) in pieces.iter().zip(chunk_bodies(body.clone(), pieces)) {
        let bytes = match &mut encoder {
            Some(encoder) => encoder.encode_chunk(&bytes)?,
            None => bytes,
        };
        coded.push((*piece, bytes));
    }
    if let Some(encoder) = encoder
        && complete
        && let Some((piece, _)) = coded.last()
    {
        let piece = *piece;
        coded.push((piece, encoder.finish()));
    }
    coded.retain(|(_, bytes)| !bytes.is_empty());
    Ok(coded)
}

fn accepts_all(wanted: &ClientCapabilities, codings: &[Coding]) -> bool {
    let accepted = wanted.accept_encoding.as_deref();
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
