//! Answers from the cassette. In auto, what it does not have is asked of the upstream and recorded.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version};

use super::timed_body::{End, Paced};
use crate::conversation;
use crate::handler::buffered_body::Held;
use crate::handler::context::Asked;
pub(crate) use crate::handler::error_response::{Asks, ExchangeError};
use crate::handler::response_body::Outgoing;
use crate::record::failed_exchange;
use crate::record::forward::{self, Head, Sent};
use crate::record::relay::{Recorded, ask_and_record};
use crate::session::{Entry, Exhausted, Found, Index, Line, Outcome};
use ouli_codec::Message;
use ouli_codec::chunks::cut;
use ouli_codec::content_coding::{self, Coding};
use ouli_config::Timing;
use ouli_message::Content;
use ouli_message::stream::{Ending, Form, Piece};
use ouli_net::server::Arriving;
use ouli_plugin::Keyed;

/// A request as it is looked up.
pub(crate) struct LookedUp {
    pub(crate) index: Arc<Index>,
    pub(crate) view: Arc<dyn Message>,
    pub(crate) keyed: Keyed,
}

/// Answers from the cassette or with a miss. No upstream is asked, whatever happens.
pub(crate) async fn replay(
    asked: &Asked<'_>,
    request: Request<Arriving>,
) -> Result<Response<Outgoing>, ExchangeError> {
    if Asks::of(&request) == Asks::Grpc {
        return conversation::call(asked, request).await;
    }
    let wanted = Wanted::of(&request);
    let (_, _held, looked_up) = look_up(asked, request).await?;
    match find(asked, &looked_up) {
        Found::Hit(entry) => hit(asked, &entry, &wanted).await,
        Found::Spent(count) => Err(miss(asked, &looked_up, Some(count))),
        Found::Nothing => Err(miss(asked, &looked_up, None)),
    }
}

/// Answers from the cassette, or asks the upstream and records.
pub(crate) async fn auto(
    asked: &Asked<'_>,
    request: Request<Arriving>,
) -> Result<Response<Outgoing>, ExchangeError> {
    if Asks::of(&request) == Asks::Grpc {
        return conversation::call_or_ask(asked, request).await;
    }
    let wanted = Wanted::of(&request);
    let (head, mut held, looked_up) = look_up(asked, request).await?;

    let key = looked_up.keyed.key.hash();
    asked.session.settled(key).await;
    if let Found::Hit(entry) = find(asked, &looked_up) {
        return hit(asked, &entry, &wanted).await;
    }
    let sent = Recorded::whole(asked, &mut held).await;
    let body = Sent::Whole(held.bytes.clone());
    ask_and_record(asked, head, body, sent, Some(key)).await
}

/// Goes the way of a hit without being one, so that this thread has gone it before the first
/// request does.
pub(crate) async fn rehearse(asked: &Asked<'_>) {
    let index = asked.snapshot.index(asked.session.name());
    let Some((index, (entry, key))) = index.and_then(|index| {
        let sample = index.sample()?;
        Some((index, sample))
    }) else {
        return;
    };
    drop(Line::of(&index, &key, exhausted(asked)));
    // What cannot be answered is told to the request that asks for it.
    if entry.unanswered().is_none() {
        drop(answer(asked, &entry, &Wanted::as_it_was()).await);
    }
}

async fn look_up(
    asked: &Asked<'_>,
    request: Request<Arriving>,
) -> Result<(Head, Held, LookedUp), ExchangeError> {
    let head = forward::head(asked, &request, true);
    let mut held = Held::read(asked, request.into_body()).await?;
    let request = as_recorded(asked, &head, &held.bytes)?;
    held.add_decoded(request.body.inline());
    Ok((head, held, look_up_request(asked, request).await?))
}

/// Looks a request up in the form in which it would be recorded.
pub(crate) async fn look_up_request(
    asked: &Asked<'_>,
    request: ouli_message::Request,
) -> Result<LookedUp, ExchangeError> {
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
    Ok(LookedUp { index, view, keyed })
}

/// The request in the form in which it would be recorded, so that both sides of a comparison are
/// alike.
fn as_recorded(
    asked: &Asked<'_>,
    head: &Head,
    body: &Bytes,
) -> Result<ouli_message::Request, ExchangeError> {
    let mut request = head.recorded(&asked.endpoint.authority);
    let limits = &asked.snapshot.config.limits;
    let bounds = content_coding::Bounds {
        bytes: limits.decoded_body as u64,
        ratio: limits.decoded_ratio as u64,
    };
    let decoded = content_coding::of(&request.fields)
        .and_then(|codings| content_coding::decode(body.clone(), &codings, bounds));
    let decoded = decoded.map_err(|error| ExchangeError::Undecodable(error.to_string()))?;
    request.body = Content::Inline(decoded);
    Ok(request)
}

/// What follows once all exchanges of a key were replayed.
pub(crate) fn exhausted(asked: &Asked<'_>) -> Exhausted {
    let may_ask = asked.endpoint.configured.mode == ouli_config::Mode::Auto;
    match asked.snapshot.config.exhausted {
        ouli_config::Exhausted::Repeat if may_ask => Exhausted::RepeatAnswers,
        ouli_config::Exhausted::Repeat => Exhausted::Repeat,
        ouli_config::Exhausted::Miss => Exhausted::Miss,
    }
}

fn find(asked: &Asked<'_>, looked_up: &LookedUp) -> Found {
    let exhausted = exhausted(asked);
    let index = &looked_up.index;
    match index.find(&looked_up.keyed.key, exhausted) {
        Found::Nothing if index.is_loose() => {
            let plugins = &asked.snapshot.plugins;
            let live = plugins.describe(&looked_up.view, asked.session.secrets());
            live.map_or(Found::Nothing, |live| {
                index.find_loosely(&looked_up.keyed.key, &live, exhausted)
            })
        }
        found => found,
    }
}

/// Counts and explains a miss.
pub(crate) fn miss(asked: &Asked<'_>, looked_up: &LookedUp, spent: Option<usize>) -> ExchangeError {
    asked.session.tally().count(Outcome::Miss);
    let secrets = asked.session.secrets();
    match asked.snapshot.plugins.describe(&looked_up.view, secrets) {
        Ok(live) => {
            let (index, keyed) = (&looked_up.index, &looked_up.keyed);
            let miss = index.explain(&looked_up.view, keyed, live, spent);
            ExchangeError::Miss(Box::new(miss))
        }
        Err(failure) => ExchangeError::Plugin(failure),
    }
}

/// What the client can take.
pub(crate) struct Wanted {
    head_only: bool,
    codings: Option<String>,
    /// Its connection carries one response at a time.
    alone: bool,
}

impl Wanted {
    /// Of a client that takes the answer as it was.
    pub(crate) fn as_it_was() -> Self {
        Self {
            head_only: false,
            codings: None,
            alone: false,
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
            codings,
            alone: request.version() < Version::HTTP_2,
        }
    }
}

/// The recorded answer, counted.
pub(crate) async fn hit(
    asked: &Asked<'_>,
    entry: &Arc<Entry>,
    wanted: &Wanted,
) -> Result<Response<Outgoing>, ExchangeError> {
    if let Some(failure) = entry.unanswered() {
        return Err(failed_exchange::again(asked, failure).await);
    }
    let response = answer(asked, entry, wanted).await?;
    asked.session.tally().count(Outcome::Hit);
    Ok(response)
}

/// The recorded answer.
pub(crate) async fn answer(
    asked: &Asked<'_>,
    entry: &Arc<Entry>,
    wanted: &Wanted,
) -> Result<Response<Outgoing>, ExchangeError> {
    let bytes = match &entry.response.body {
        Content::Inline(bytes) => bytes.clone(),
        Content::Stored { digest, .. } => stored(asked, digest).await?,
    };
    let flow = Flow::of(entry, bytes.len(), wanted.alone);
    rebuild(&entry.response, flow, pace(asked), bytes, wanted)
}

async fn stored(asked: &Asked<'_>, digest: &str) -> Result<Bytes, ExchangeError> {
    let folder = Arc::clone(asked.gate.live.sessions.folder());
    let (session, digest) = (Arc::clone(asked.session.name()), digest.to_owned());
    let read = tokio::task::spawn_blocking(move || folder.body(&session, &digest));
    match read.await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) => Err(ExchangeError::Gateway(format!(
            "a recorded body cannot be read: {error}"
        ))),
        Err(error) => Err(ExchangeError::Gateway(error.to_string())),
    }
}

/// At what pace streams are replayed, and how long one is kept open that the client ended.
fn pace(asked: &Asked<'_>) -> (Timing, Duration) {
    let config = &asked.snapshot.config;
    (config.timing, config.limits.stream_idle_timeout)
}

/// How a body is sent that is not sent at once.
struct Flow<'a> {
    pieces: Cow<'a, [Piece]>,
    end: End,
}

impl<'a> Flow<'a> {
    fn of(entry: &'a Entry, size: usize, alone: bool) -> Option<Self> {
        let failure = entry.failure.as_ref();
        let stream = entry.stream.as_ref();
        let pieces = match stream.map(|stream| &stream.form) {
            Some(Form::Pieces(_, pieces)) => Cow::Borrowed(&**pieces),
            Some(Form::Turns(..)) => return None,
            // What came before it broke off.
            None => {
                failure?;
                let size = size as u64;
                Cow::Owned(vec![Piece { at: 0, size }])
            }
        };
        let ending = stream.map_or(Ending::Complete, |stream| stream.ending);
        let end = End::of(ending, failure, alone);
        Some(Self { pieces, end })
    }
}

/// The recorded response for this client: coded again as it was, where the client takes that.
fn rebuild(
    recorded: &ouli_message::Response,
    flow: Option<Flow<'_>>,
    pace: (Timing, Duration),
    bytes: Bytes,
    wanted: &Wanted,
) -> Result<Response<Outgoing>, ExchangeError> {
    let failed = |error: content_coding::CodingError| ExchangeError::Gateway(error.to_string());
    let codings = content_coding::of(&recorded.fields).map_err(failed)?;
    let accepted = accepts(wanted, &codings);
    let without_body = wanted.head_only || has_no_body(recorded.status);
    let codings = if accepted { codings } else { Vec::new() };
    let trailers = &recorded.trailers;
    let trailers = (!trailers.is_empty()).then(|| trailers.to_map());
    let told = recorded.fields.text(CONTENT_LENGTH.as_str());
    let (body, length) = match flow.filter(|_| !without_body) {
        Some(Flow { pieces, end }) => {
            let complete = matches!(end, End::Complete);
            let pieces = coded(&pieces, &bytes, &codings, complete).map_err(failed)?;
            let sent = pieces.iter().map(|(_, bytes)| bytes.len()).sum();
            let length = told.map(|told| if complete { sent } else { more(told, sent) });
            let paced = Paced::new(pieces, trailers, end, pace);
            (Outgoing::paced(paced), length)
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
            (Outgoing::recorded(bytes, trailers, sized), length)
        }
    };
    let mut response = Response::new(body);
    *response.status_mut() = recorded.status;
    *response.headers_mut() = headers(recorded, length, accepted);
    Ok(response)
}

/// The length that was told of a body that breaks off: more than is sent of it.
fn more(told: &str, sent: usize) -> usize {
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
fn coded(
    pieces: &[Piece],
    body: &Bytes,
    codings: &[Coding],
    complete: bool,
) -> Result<Vec<(Piece, Bytes)>, content_coding::CodingError> {
    let mut encoder = (!codings.is_empty())
        .then(|| content_coding::Encoder::new(codings))
        .transpose()?;
    let mut coded = Vec::with_capacity(pieces.len());
    for (piece, bytes) in pieces.iter().zip(cut(body.clone(), pieces)) {
        let bytes = match &mut encoder {
            Some(encoder) => encoder.piece(&bytes)?,
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

fn accepts(wanted: &Wanted, codings: &[Coding]) -> bool {
    let accepted = wanted.codings.as_deref();
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
