//! Asks the upstream and passes its answer on; while recording, a copy goes to the cassette.

use std::sync::{Arc, PoisonError};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::Body as _;
use hyper::body::Incoming;

use super::ExchangeError;
use super::body::Outgoing;
use super::capture::{Capture, Shared, Taken, Tee};
use super::context::{Asked, Live};
use super::forward::{self, Head, Sent};
use crate::exchange::{self, Content, Fields};
use crate::session::{Captured, Hold, Job, Outcome, Session};

/// Asks the upstream; nothing is kept.
pub(super) async fn pass(
    asked: &Asked<'_>,
    request: Request<Incoming>,
) -> Result<Response<Outgoing>, ExchangeError> {
    let head = forward::head(asked, &request, false);
    let body = Sent::Passing(request.into_body());
    let response = forward::send(asked, head, body).await?;
    Ok(response.map(Outgoing::passing))
}

/// Asks the upstream; the exchange is recorded.
pub(super) async fn record(
    asked: &Asked<'_>,
    request: Request<Incoming>,
) -> Result<Response<Outgoing>, ExchangeError> {
    let head = forward::head(asked, &request, true);
    let limits = &asked.snapshot.config.limits;
    let copy = Capture::new(limits.recorded_body, &asked.gate.live.budget).shared();
    let body = request.into_body();
    let (body, sent) = if body.is_end_stream() {
        let hold = asked.gate.live.budget.hold();
        let nothing = (Bytes::new(), HeaderMap::new(), hold);
        (Sent::Whole(Bytes::new()), RequestBody::Whole(nothing))
    } else {
        let teed = Sent::Teed(body, Arc::clone(&copy));
        (teed, RequestBody::Copied(copy))
    };
    ask_and_record(asked, head, body, sent, None).await
}

/// The request's body as the recording gets it.
pub(super) enum RequestBody {
    /// It was read before it was sent.
    Whole(Taken),
    /// It is copied while it is sent.
    Copied(Shared),
}

impl RequestBody {
    fn take(self) -> Result<Taken, String> {
        match self {
            Self::Whole(taken) => Ok(taken),
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
    sent: RequestBody,
    key: Option<u128>,
) -> Result<Response<Outgoing>, ExchangeError> {
    let request = head.recorded(&asked.endpoint.authority);
    let response = match forward::send(asked, head, body).await {
        Ok(response) => response,
        Err(error) => {
            let reason = "the upstream gave no response".to_owned();
            asked.session.tally().count(Outcome::Partial(reason));
            return Err(error);
        }
    };
    let (parts, body) = response.into_parts();
    let end = End {
        live: Arc::clone(&asked.gate.live),
        session: Arc::clone(&asked.session),
        key,
        sent,
        job: Draft {
            endpoint: asked.endpoint.name.to_string(),
            request,
            status: parts.status,
            fields: Fields::from(&parts.headers),
            plugins: Arc::clone(&asked.snapshot.plugins),
            guard: Arc::clone(&asked.snapshot.guard),
        },
    };
    let most = asked.snapshot.config.limits.recorded_body;
    let copy = Capture::new(most, &asked.gate.live.budget);
    let tee = Tee::new(body, copy, move |taken| end.reached(taken));
    Ok(Response::from_parts(parts, Outgoing::teed(tee)))
}

/// What is known of an exchange when the head of its response is there.
struct Draft {
    endpoint: String,
    request: exchange::Request,
    status: StatusCode,
    fields: Fields,
    plugins: Arc<crate::plugin::Plugins>,
    guard: Arc<exchange::redaction::Guard>,
}

/// Waits for the end of the response.
struct End {
    live: Arc<Live>,
    session: Arc<Session>,
    key: Option<u128>,
    sent: RequestBody,
    job: Draft,
}

impl End {
    /// The response came to its end, or will not: the exchange is whole or dropped.
    fn reached(self, response: Result<Taken, String>) {
        let whole = response
            .map_err(|reason| format!("the response is not whole: {reason}"))
            .and_then(|response| {
                let request = self.sent.take();
                let request =
                    request.map_err(|reason| format!("the request is not whole: {reason}"))?;
                Ok((request, response))
            });
        let (request, response) = match whole {
            Ok(pair) => pair,
            Err(reason) => {
                let session = self.session.name();
                tracing::warn!(%session, "not recorded: {reason}");
                self.session.tally().count(Outcome::Partial(reason));
                return;
            }
        };
        if let Some(key) = self.key {
            self.session.begin_writing(key);
        }
        let append = self.key.is_some();
        let job = self
            .job
            .complete(self.session, request, response, (append, self.key));
        hand_over(&self.live, Box::new(job));
    }
}

impl Draft {
    fn complete(
        self,
        session: Arc<Session>,
        (sent, sent_trailers, sent_hold): Taken,
        (body, trailers, hold): Taken,
        (append, pending): (bool, Option<u128>),
    ) -> Job {
        let held: [Hold; 2] = [sent_hold, hold];
        Job {
            session,
            captured: Captured {
                endpoint: self.endpoint,
                request: exchange::Request {
                    body: Content::Inline(sent),
                    trailers: Fields::from(&sent_trailers),
                    ..self.request
                },
                response: exchange::Response {
                    status: self.status,
                    fields: self.fields,
                    body: Content::Inline(body),
                    trailers: Fields::from(&trailers),
                },
            },
            plugins: self.plugins,
            guard: self.guard,
            append,
            pending,
            held,
        }
    }
}

/// Into the queue at once where it has room; else a task waits for it, so that the client does not.
fn hand_over(live: &Arc<Live>, job: Box<Job>) {
    let Err(job) = live.recorder.offer(job) else {
        return;
    };
    let recorder = live.recorder.clone();
    live.drain.spawn(async move {
        let (session, pending) = (Arc::clone(&job.session), job.pending);
        if !recorder.give(job).await {
            let reason = "the recorder has ended".to_owned();
            session.tally().count(Outcome::Failed(reason));
            if let Some(key) = pending {
                session.end_writing(key);
            }
        }
    });
}
