//! An exchange under way: what is known of it, and its way to the recorder once it has ended.

use std::sync::{Arc, PoisonError};
use std::time::Instant;

use http::{HeaderMap, StatusCode};

use super::arrival_log::SharedLog;
use super::body_capture::{Lost, Taken, Terms};
use super::recorder_delivery::{self, Delivery};
use crate::handler::context::{Asked, Live};
use crate::session::{Captured, Flow, Job, Kind, Outcome, Session};
use ouli_config::OnRecorderFull;
use ouli_message::failure::What;
use ouli_message::stream::Ending;
use ouli_message::{Content, Failure, Fields};
use ouli_plugin::Plugins;
use ouli_redaction::Guard;

/// What is known of an exchange when the head of its response is there.
pub(crate) struct Draft {
    live: Arc<Live>,
    session: Arc<Session>,
    /// The recording is appended, and this key is pending until it is written.
    key: Option<u128>,
    endpoint: String,
    request: ouli_message::Request,
    status: StatusCode,
    fields: Fields,
    plugins: Arc<Plugins>,
    guard: Arc<Guard>,
    flow: Option<(Kind, SharedLog)>,
    terms: Terms,
    /// When the head of the response was there.
    since: Instant,
    records_failures: bool,
    failure: Option<Failure>,
}

/// What was captured of a body, or why there is nothing.
pub(crate) type Half = Result<Taken, Lost>;

impl Draft {
    pub(crate) fn new(
        asked: &Asked<'_>,
        request: ouli_message::Request,
        (status, headers): (StatusCode, &HeaderMap),
        key: Option<u128>,
    ) -> Self {
        Self {
            live: Arc::clone(&asked.gate.live),
            session: Arc::clone(&asked.session),
            key,
            endpoint: asked.endpoint.name.to_string(),
            request,
            status,
            fields: Fields::from(headers),
            plugins: Arc::clone(&asked.snapshot.plugins),
            guard: Arc::clone(&asked.snapshot.guard),
            flow: None,
            terms: Terms::from(&*asked.snapshot.config),
            since: Instant::now(),
            records_failures: asked.endpoint.configured.record_failures,
            failure: None,
        }
    }

    /// The same exchange as a stream, whose arrivals stand in a log.
    pub(crate) fn flowing(mut self, kind: Kind, log: SharedLog) -> Self {
        self.flow = Some((kind, log));
        self
    }

    /// The same exchange as one that failed.
    pub(crate) fn failing(mut self, failure: Failure) -> Self {
        self.failure = Some(failure);
        self
    }

    /// Both bodies came to their end, or will not: the exchange is recorded or not. What it gives
    /// is still to be delivered: until then the client is held back.
    pub(crate) fn finish(mut self, request: Half, response: Half) -> Option<Delivery> {
        self.failure = self
            .failure
            .or_else(|| self.broken(response.as_ref().ok()?));
        let lost = match self.both(request, response) {
            Ok((request, response, ending)) => return self.hand_over(request, response, ending),
            Err(lost) => lost,
        };
        let session = self.session.name();
        let outcome = match lost {
            Lost::Partial(reason) => {
                tracing::warn!(%session, "not recorded: {reason}");
                Outcome::Partial(reason)
            }
            Lost::Dropped(reason) => {
                tracing::warn!(%session, "dropped: {reason}");
                Outcome::Dropped(reason)
            }
        };
        self.session.tally().count(outcome);
        None
    }

    /// The failure of a body that broke off, where failures are recorded. Conversations say by
    /// themselves how they ended, and to leave a stream is how its client ends it.
    fn broken(&self, response: &Taken) -> Option<Failure> {
        let fault = response.fault.filter(|_| self.records_failures)?;
        let failed = match &self.flow {
            Some((Kind::Grpc | Kind::WebSocket, _)) => false,
            Some((Kind::Body(Some(_)), _)) => fault.what != What::Left,
            Some((Kind::Body(None), _)) | None => true,
        };
        let at = u64::try_from(self.since.elapsed().as_micros()).unwrap_or(u64::MAX);
        failed.then_some(Failure { fault, at })
    }

    /// Only of a stream a part is worth something: its units are whole, and it is said how it
    /// ended. And of an exchange that is recorded as failed.
    fn both(&self, request: Half, response: Half) -> Result<(Taken, Taken, Ending), Lost> {
        let (cut_request, cut_response) = match &self.flow {
            Some((Kind::Grpc | Kind::WebSocket, _)) => (true, true),
            Some((Kind::Body(Some(_)), _)) => (false, true),
            Some((Kind::Body(None), _)) | None => (false, self.failure.is_some()),
        };
        let check =
            |half: Half, cut: bool| half.and_then(|it| if cut { Ok(it) } else { it.whole() });
        let response = check(response, cut_response).map_err(|lost| lost.of("the response"))?;
        let request = check(request, cut_request).map_err(|lost| lost.of("the request"))?;
        let ending = response.cut.as_ref().map_or(Ending::Complete, |cut| cut.0);
        Ok((request, response, ending))
    }

    fn hand_over(self, sent: Taken, came: Taken, ending: Ending) -> Option<Delivery> {
        if let Some(key) = self.key {
            self.session.begin_writing(key);
        }
        let mut held = vec![sent.hold, came.hold];
        let flow = self.flow.map(|(kind, log)| {
            let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
            let (arrivals, hold) = log.take();
            held.push(hold);
            Flow {
                kind,
                arrivals,
                ending,
            }
        });
        let job = Job {
            session: self.session,
            captured: Captured {
                endpoint: self.endpoint,
                request: ouli_message::Request {
                    body: Content::Inline(sent.bytes),
                    trailers: Fields::from(&sent.trailers),
                    ..self.request
                },
                response: ouli_message::Response {
                    status: self.status,
                    fields: self.fields,
                    body: Content::Inline(came.bytes),
                    trailers: Fields::from(&came.trailers),
                },
                flow,
                failure: self.failure,
            },
            plugins: self.plugins,
            guard: self.guard,
            append: self.key.is_some(),
            pending: self.key,
            held,
        };
        give(&self.live, Box::new(job), self.terms)
    }
}

/// Into the queue at once where it has room; else it is dropped, or to be delivered.
fn give(live: &Arc<Live>, job: Box<Job>, terms: Terms) -> Option<Delivery> {
    let job = live.recorder.offer(job).err()?;
    match terms.on_full {
        OnRecorderFull::Wait => Some(Delivery::new(live, job, terms.patience)),
        OnRecorderFull::Drop => {
            recorder_delivery::give_up(&job, recorder_delivery::full());
            None
        }
    }
}
