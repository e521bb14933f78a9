//! Asks the upstream and passes its answer on; while recording, a copy goes to the cassette.

use std::future::poll_fn;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Request, Response};
use http_body::Body as _;

use super::abandoned_call::Unanswered;
use super::arrival_log::{Log, SharedLog};
use super::body_capture::{Capture, Lost, Shared, Taken, Terms};
use super::failed_exchange::Waiting;
use super::forward::{self, Head, Sent};
use super::pending_exchange::{Draft, Half};
use super::reclaimable_body::Returned;
use super::tee_body::{Tee, Upward};
use crate::handler::buffered_body::Held;
use crate::handler::context::Asked;
pub(crate) use crate::handler::error_response::ExchangeError;
use crate::handler::response_body::Outgoing;
use crate::session::{Hold, Kind};
use ouli_codec::{chunks, grpc};
use ouli_message::stream::Side;
use ouli_net::server::Arriving;
use ouli_net::upstream::Inbound;

/// Asks the upstream; nothing is kept.
pub(crate) async fn pass(
    asked: &Asked<'_>,
    request: Request<Arriving>,
) -> Result<Response<Outgoing>, ExchangeError> {
    let head = forward::head(asked, &request, false);
    let body = Sent::Passing(request.into_body());
    let mut response = forward::send(asked, head, body).await?;
    let call = grpc::is_call(response.headers());
    let kind = body_kind(response.headers(), response.body());
    let lasts = call || matches!(kind, Some(Some(_)));
    if lasts {
        response.body_mut().let_last(patience(asked, call));
    }
    Ok(response.map(|body| Outgoing::passing(body).lasting(lasts)))
}

/// Asks the upstream; the exchange is recorded.
pub(crate) async fn record(
    asked: &Asked<'_>,
    request: Request<Arriving>,
) -> Result<Response<Outgoing>, ExchangeError> {
    let head = forward::head(asked, &request, true);
    let (body, sent) = sending(asked, &head, request.into_body().into());
    ask_and_record(asked, head, body, sent, None).await
}

/// A body as it is sent, and as the recording gets it.
pub(crate) fn sending(asked: &Asked<'_>, head: &Head, body: Upward) -> (Sent, Recorded) {
    let budget = &asked.gate.live.budget;
    let log = grpc::is_call(&head.headers).then(|| Log::new(budget).shared());
    if body.is_end_stream() && log.is_none() {
        return (Sent::Whole(Bytes::new()), Recorded::nothing(asked));
    }
    let copy = logged(asked, Side::Client, log.as_ref()).shared();
    // The messages of a call may go on until it is answered.
    let wanted = asked.endpoint.configured.record_failures && log.is_none();
    let (back, rest) = wanted.then(Returned::channel).unzip();
    let teed = Sent::Teed(body, Arc::clone(&copy), back);
    let body = RequestBody::Copied(copy);
    (teed, Recorded { body, log, rest })
}

fn logged(asked: &Asked<'_>, side: Side, log: Option<&SharedLog>) -> Capture {
    let terms = Terms::from(&*asked.snapshot.config);
    let copy = Capture::new(terms, &asked.gate.live.budget);
    match log {
        Some(log) => copy.logged(side, Arc::clone(log)),
        None => copy,
    }
}

/// What the recording gets of a request.
pub(crate) struct Recorded {
    pub(crate) body: RequestBody,
    /// The log of a call.
    pub(crate) log: Option<SharedLog>,
    /// What an upstream that fails did not take of the body.
    pub(crate) rest: Option<Returned>,
}

impl Recorded {
    /// No body.
    pub(crate) fn nothing(asked: &Asked<'_>) -> Self {
        Self::holding(Bytes::new(), asked.gate.live.budget.hold())
    }

    /// A body that was read before it is sent. Where it is to be held back for room, this waits.
    pub(crate) async fn whole(asked: &Asked<'_>, held: &mut Held) -> Self {
        match held.record(asked).await {
            Some(hold) => Self::holding(held.bytes.clone(), hold),
            None => Self::known(Err(Lost::no_room())),
        }
    }

    fn holding(bytes: Bytes, hold: Hold) -> Self {
        Self::known(Ok(Taken {
            bytes,
            trailers: HeaderMap::new(),
            hold,
            cut: None,
            fault: None,
        }))
    }

    fn known(half: Half) -> Self {
        Self {
            body: RequestBody::Whole(half),
            log: None,
            rest: None,
        }
    }
}

/// The request's body as the recording gets it.
pub(crate) enum RequestBody {
    /// It was read before it was sent.
    Whole(Half),
    /// It is copied while it is sent.
    Copied(Shared),
}

impl RequestBody {
    pub(crate) fn take(self) -> Half {
        match self {
            Self::Whole(half) => half,
            Self::Copied(copy) => copy.lock().unwrap_or_else(PoisonError::into_inner).take(),
        }
    }
}

/// Sends the request and records the exchange. With `key`, the recording is appended, and the key
/// is held as pending from the end of the response until it is written.
pub(crate) async fn ask_and_record(
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
    let waiting = Waiting::new(asked, request, sent, key);
    let answered = forward::send(asked, head, body).await;
    if let Some(unanswered) = unanswered {
        unanswered.over();
    }
    match answered {
        Ok(response) => {
            let (request, sent) = waiting.answered();
            Ok(record_response(asked, request, response, sent, key).await)
        }
        Err(error) => {
            waiting.failed(error.fault()).await;
            Err(error)
        }
    }
}

/// Passes a response on and records the exchange at its end.
pub(crate) async fn record_response(
    asked: &Asked<'_>,
    request: ouli_message::Request,
    response: Response<Inbound>,
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
    let call = matches!(kind, Some(Kind::Grpc));
    let lasts = call || matches!(kind, Some(Kind::Body(Some(_))));
    if let (Some(kind), Some(log)) = (kind, log) {
        draft = draft.flowing(kind, log);
    }
    let sent = sent.body;
    let mut tee = Tee::new(body, copy, move |came| draft.finish(sent.take(), came));
    if let Some(mut delivery) = tee.delivery() {
        poll_fn(|cx| delivery.poll(cx)).await;
    }
    if lasts {
        tee.let_last(patience(asked, call));
    }
    Response::from_parts(parts, Outgoing::teed(tee).lasting(lasts))
}

/// For how long a stream may pause. In a call it may be the client's turn to speak, so that the
/// silence of the upstream means nothing.
fn patience(asked: &Asked<'_>, call: bool) -> Option<Duration> {
    (!call).then_some(asked.snapshot.config.limits.stream_idle_timeout)
}

/// The units of a response that may be a stream: of some types those that the type has, of others
/// chunks where the length is not told. None where it is none.
fn body_kind(headers: &HeaderMap, body: &Inbound) -> Option<Option<ouli_message::stream::Unit>> {
    let content_type = headers.get(CONTENT_TYPE).and_then(|it| it.to_str().ok());
    let unit = content_type.and_then(chunks::unit);
    if unit.is_some() {
        return Some(unit);
    }
    (body.size_hint().exact().is_none() && !body.is_end_stream()).then_some(None)
}
