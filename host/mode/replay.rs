//! Answers from the cassette. In auto, what it does not have is asked of the upstream and recorded.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;

use super::body::Outgoing;
use super::context::Asked;
use super::forward::{self, Head, Sent};
use super::record::{RequestBody, ask_and_record};
use super::{ExchangeError, whole};
use crate::config;
use crate::exchange::coding::{self, Coding};
use crate::exchange::{self, Content, Message};
use crate::plugin::Keyed;
use crate::session::{Entry, Exhausted, Found, Index, Outcome};

/// A request as it is looked up.
struct LookedUp {
    head: Head,
    body: Bytes,
    index: Arc<Index>,
    view: Arc<dyn Message>,
    keyed: Keyed,
}

/// Answers from the cassette or with a miss. No upstream is asked, whatever happens.
pub(super) async fn replay(
    asked: &Asked<'_>,
    request: Request<Incoming>,
) -> Result<Response<Outgoing>, ExchangeError> {
    let wanted = Wanted::of(&request);
    let looked_up = look_up(asked, request).await?;
    match find(asked, &looked_up) {
        Found::Hit(entry) => hit(asked, &entry, &wanted).await,
        Found::Spent(count) => Err(miss(asked, &looked_up, Some(count))),
        Found::Nothing => Err(miss(asked, &looked_up, None)),
    }
}

/// Answers from the cassette, or asks the upstream and records.
pub(super) async fn auto(
    asked: &Asked<'_>,
    request: Request<Incoming>,
) -> Result<Response<Outgoing>, ExchangeError> {
    let wanted = Wanted::of(&request);
    let looked_up = look_up(asked, request).await?;
    let key = looked_up.keyed.key.hash();
    asked.session.settled(key).await;
    if let Found::Hit(entry) = find(asked, &looked_up) {
        return hit(asked, &entry, &wanted).await;
    }
    let mut hold = asked.gate.live.budget.hold();
    let body = looked_up.body;
    let room = hold.grow(body.len());
    let sent = if room {
        RequestBody::Whole((body.clone(), HeaderMap::new(), hold))
    } else {
        let limits = &asked.snapshot.config.limits;
        let lost = super::capture::Capture::new(limits.recorded_body, &asked.gate.live.budget);
        RequestBody::Copied(lost.shared())
    };
    ask_and_record(asked, looked_up.head, Sent::Whole(body), sent, Some(key)).await
}

async fn look_up(asked: &Asked<'_>, request: Request<Incoming>) -> Result<LookedUp, ExchangeError> {
    let index = asked.index().await?;
    let head = forward::head(asked, &request, true);
    let most = asked.snapshot.config.limits.request_body;
    let body = whole(request.into_body(), most).await?;
    let secrets = asked.session.secrets();
    let plugins = &asked.snapshot.plugins;
    let view = plugins.view(
        Arc::clone(&asked.endpoint.name),
        Arc::clone(asked.session.name()),
        Arc::new(as_recorded(asked, &head, &body)?),
        Arc::clone(secrets),
    )?;
    let keyed = plugins.key(&view, secrets)?;
    Ok(LookedUp {
        head,
        body,
        index,
        view,
        keyed,
    })
}

/// The request in the form in which it would be recorded, so that both sides of a comparison are
/// alike.
fn as_recorded(
    asked: &Asked<'_>,
    head: &Head,
    body: &Bytes,
) -> Result<exchange::Request, ExchangeError> {
    let mut request = head.recorded(&asked.endpoint.authority);
    let limits = &asked.snapshot.config.limits;
    let bounds = coding::Bounds {
        bytes: limits.decoded_body as u64,
        ratio: limits.decoded_ratio as u64,
    };
    let decoded = coding::of(&request.fields)
        .and_then(|codings| coding::decode(body.clone(), &codings, bounds));
    let decoded = decoded.map_err(|error| ExchangeError::Undecodable(error.to_string()))?;
    request.body = Content::Inline(decoded);
    Ok(request)
}

fn find(asked: &Asked<'_>, looked_up: &LookedUp) -> Found {
    let exhausted = match asked.snapshot.config.exhausted {
        config::Exhausted::Repeat => Exhausted::Repeat,
        config::Exhausted::Miss => Exhausted::Miss,
    };
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

fn miss(asked: &Asked<'_>, looked_up: &LookedUp, spent: Option<usize>) -> ExchangeError {
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
struct Wanted {
    head_only: bool,
    codings: Option<String>,
}

impl Wanted {
    fn of<B>(request: &Request<B>) -> Self {
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
        }
    }
}

async fn hit(
    asked: &Asked<'_>,
    entry: &Arc<Entry>,
    wanted: &Wanted,
) -> Result<Response<Outgoing>, ExchangeError> {
    let bytes = match &entry.response.body {
        Content::Inline(bytes) => bytes.clone(),
        Content::Stored { digest, .. } => stored(asked, digest).await?,
    };
    let response = rebuild(&entry.response, bytes, wanted)?;
    asked.session.tally().count(Outcome::Hit);
    Ok(response)
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

/// The recorded response for this client: coded again as it was, where the client takes that.
fn rebuild(
    recorded: &exchange::Response,
    bytes: Bytes,
    wanted: &Wanted,
) -> Result<Response<Outgoing>, ExchangeError> {
    let codings =
        coding::of(&recorded.fields).map_err(|error| ExchangeError::Gateway(error.to_string()))?;
    let accepted = accepts(wanted, &codings);
    let without_body = wanted.head_only || has_no_body(recorded.status);
    let bytes = if accepted && !bytes.is_empty() {
        coding::encode(&bytes, &codings)
            .map_err(|error| ExchangeError::Gateway(error.to_string()))?
    } else {
        bytes
    };
    let mut headers = HeaderMap::with_capacity(recorded.fields.len() + 1);
    let mut sized = false;
    for (name, value) in recorded.fields.iter() {
        if *name == CONTENT_LENGTH && !without_body {
            sized = true;
            headers.insert(CONTENT_LENGTH, HeaderValue::from(bytes.len()));
        } else if *name != TRANSFER_ENCODING && (accepted || *name != CONTENT_ENCODING) {
            headers.append(name.clone(), value.clone());
        }
    }
    let trailers = &recorded.trailers;
    let trailers = (!trailers.is_empty()).then(|| trailers.to_map());
    let bytes = if without_body { Bytes::new() } else { bytes };
    let mut response = Response::new(Outgoing::recorded(bytes, trailers, sized));
    *response.status_mut() = recorded.status;
    *response.headers_mut() = headers;
    Ok(response)
}

fn accepts(wanted: &Wanted, codings: &[Coding]) -> bool {
    let accepted = wanted.codings.as_deref();
    codings
        .iter()
        .all(|coding| coding::accepts(accepted, *coding))
}

/// Responses that never have a body (RFC 9110, section 6.4.1).
fn has_no_body(status: StatusCode) -> bool {
    status.is_informational()
        || status == StatusCode::NO_CONTENT
        || status == StatusCode::NOT_MODIFIED
}
