//! Asks the upstream and passes its answer on; while recording, a copy goes to the cassette.

use std::sync::{Arc, PoisonError};

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Request, Response};
use http_body::Body as _;
use hyper::body::Incoming;

use super::ExchangeError;
use super::body::Outgoing;
use super::capture::{Capture, Shared, Taken, Tee, Upward};
use super::context::Asked;
use super::draft::{Draft, Half};
use super::forward::{self, Head, Sent};
use super::log::{Log, SharedLog};
use super::unanswered::Unanswered;
use crate::exchange::stream::Side;
use crate::exchange::{grpc, pieces};
use crate::session::{Kind, Outcome};

/// Asks the upstream; nothing is kept.
pub(super) async fn pass(
    asked: &Asked<'_>,
    request: Request<Incoming>,
) -> Result<Response<Outgoing>, ExchangeError> {
    let head = forward::head(asked, &request, false);
    let body = Sent::Passing(request.into_body());
    let response = forward::send(asked, head, body).await?;
    let lasts = matches!(
        body_kind(response.headers(), response.body()),
        Some(Some(_))
    ) || grpc::is_call(response.headers());
    Ok(response.map(|body| Outgoing::passing(body).lasting(lasts)))
}

/// Asks the upstream; the exchange is recorded.
pub(super) async fn record(
    asked: &Asked<'_>,
    request: Request<Incoming>,
) -> Result<Response<Outgoing>, ExchangeError> {
    let head = forward::head(asked, &request, true);
    let (body, sent) = sending(asked, &head, request.into_body().into());
    ask_and_record(asked, head, body, sent, None).await
}

/// A body as it is sent, and as the recording gets it.
pub(super) fn sending(asked: &Asked<'_>, head: &Head, body: Upward) -> (Sent, Recorded) {
    let budget = &asked.gate.live.budget;
    let log = grpc::is_call(&head.headers).then(|| Log::new(budget).shared());
    if body.is_end_stream() && log.is_none() {
        let nothing = Recorded::whole(asked, Bytes::new());
        return (Sent::Whole(Bytes::new()), nothing);
    }
    let copy = logged(asked, Side::Client, log.as_ref()).shared();
    let teed = Sent::Teed(body, Arc::clone(&copy));
    let body = RequestBody::Copied(copy);
    (teed, Recorded { body, log })
}

fn logged(asked: &Asked<'_>, side: Side, log: Option<&SharedLog>) -> Capture {
    let most = asked.snapshot.config.limits.recorded_body;
    let copy = Capture::new(most, &asked.gate.live.budget);
    match log {
        Some(log) => copy.logged(side, Arc::clone(log)),
        None => copy,
    }
}

/// What the recording gets of a request.
pub(super) struct Recorded {
    pub(super) body: RequestBody,
    /// The log of a call.
    pub(super) log: Option<SharedLog>,
}

impl Recorded {
    /// A body that was read before it is sent.
    pub(super) fn whole(asked: &Asked<'_>, bytes: Bytes) -> Self {
        let mut hold = asked.gate.live.budget.hold();
        let body = if hold.grow(bytes.len()) {
            RequestBody::Whole(Ok(Taken {
                bytes,
                trailers: HeaderMap::new(),
                hold,
                cut: None,
            }))
        } else {
            let reason = "too much is being recorded at once (limits.recording_memory)";
            RequestBody::Whole(Err(reason.to_owned()))
        };
        Self { body, log: None }
    }
}

/// The request's body as the recording gets it.
pub(super) enum RequestBody {
    /// It was read before it was sent.
    Whole(Half),
    /// It is copied while it is sent.
    Copied(Shared),
}

impl RequestBody {
    pub(super) fn take(self) -> Half {
        match self {
            Self::Whole(half) => half,
            Self::Copied(copy) => copy.lock().unwrap_or_else(PoisonError::into_inner).take(),
        }
    }
}

/// Sends the request and records the exchange. With `key`, the recording is appended, and the key
/// is held as pending from the end of the response until it is written.
pub(super) async fn ask_and_record(
    asked: &Asked<'_>,
    head: Head,
    body: Sent,
    sent: Recorded,
    key: Option<u128>,
) -> Result<Response<Outgoing>, ExchangeError> {
    let request = head.recorded(&asked.endpoint.authority);
    let unanswered = match (&sent.body, &sent.log) {
        (RequestBody::Copied(copy), Some(log)) => {
            let content_type = head.headers.get(CONTENT_TYPE);
            let both = (copy, log);
            Some(Unanswered::new(asked, &request, content_type, both, key))
        }
        (_, _) => None,
    };
    let answered = forward::send(asked, head, body).await;
    if let Some(unanswered) = unanswered {
        unanswered.over();
    }
    let response = match answered {
        Ok(response) => response,
        Err(error) => {
            let reason = "the upstream gave no response".to_owned();
            asked.session.tally().count(Outcome::Partial(reason));
            return Err(error);
        }
    };
    Ok(record_response(asked, request, response, sent, key))
}

/// Passes a response on and records the exchange at its end.
pub(super) fn record_response(
    asked: &Asked<'_>,
    request: crate::exchange::Request,
    response: Response<Incoming>,
    sent: Recorded,
    key: Option<u128>,
) -> Response<Outgoing> {
    let (parts, body) = response.into_parts();
    let kind = body_kind(&parts.headers, &body);
    let (kind, log) = match sent.log {
        Some(log) => (Some(Kind::Grpc), Some(log)),
        None => {
            let log = kind.map(|_| Log::new(&asked.gate.live.budget).shared());
            (kind.map(Kind::Body), log)
        }
    };
    let mut draft = Draft::new(asked, request, (parts.status, &parts.headers), key);
    let copy = logged(asked, Side::Server, log.as_ref());
    let lasts = matches!(kind, Some(Kind::Body(Some(_)) | Kind::Grpc));
    if let (Some(kind), Some(log)) = (kind, log) {
        draft = draft.flowing(kind, log);
    }
    let sent = sent.body;
    let tee = Tee::new(body, copy, move |came| draft.finish(sent.take(), came));
    Response::from_parts(parts, Outgoing::teed(tee).lasting(lasts))
}

/// The units of a response that may be a stream: of some types those that the type has, of others
/// chunks where the length is not told. None where it is none.
fn body_kind(
    headers: &HeaderMap,
    body: &Incoming,
) -> Option<Option<crate::exchange::stream::Unit>> {
    let content_type = headers.get(CONTENT_TYPE).and_then(|it| it.to_str().ok());
    let unit = content_type.and_then(pieces::unit);
    if unit.is_some() {
        return Some(unit);
    }
    (body.size_hint().exact().is_none() && !body.is_end_stream()).then_some(None)
}
