//! An exchange under way: what is known of it, and its way to the recorder once it has ended.

use std::sync::{Arc, PoisonError};
use std::time::Instant;

use http::{HeaderMap, StatusCode};

use super::arrival_log::SharedArrivalLog;
use super::body_capture::{CaptureError, CaptureLimits, CapturedBody};
use super::recorder_delivery::{self, Delivery};
use crate::handler::context::{RequestContext, SharedState};
use crate::session::{CapturedExchange, Outcome, RecordJob, Session, StreamCapture, StreamKind};
use ouli_config::OnRecorderFull;
use ouli_message::failure::FailureKind;
use ouli_message::stream::Ending;
use ouli_message::{Content, Failure, Fields};
use ouli_plugin::Plugins;
use ouli_redaction::Guard;

/// What is known of an exchange when the head of its response is there.
pub(crate) struct PendingExchange {
    shared: Arc<SharedState>,
    session: Arc<Session>,
    /// The recording is appended, and this key is pending until it is written.
    key: Option<u128>,
    endpoint: String,
    request: ouli_message::Request,
    status: StatusCode,
    fields: Fields,
    plugins: Arc<Plugins>,
    guard: Arc<Guard>,
    stream: Option<(StreamKind, SharedArrivalLog)>,
    capture_limits: CaptureLimits,
    /// When the head of the response was there.
    since: Instant,
    records_failures: bool,
    failure: Option<Failure>,
}

/// What was captured of a body, or why there is nothing.
pub(crate) type CaptureResult = Result<CapturedBody, CaptureError>;

impl PendingExchange {
    pub(crate) fn new(
        asked: &RequestContext<'_>,
        request: ouli_message::Request,
        (status, headers): (StatusCode, &HeaderMap),
        key: Option<u128>,
    ) -> Self {
        Self {
            shared: Arc::clone(&asked.handler.shared),
            session: Arc::clone(&asked.session),
            key,
            endpoint: asked.endpoint.name.to_string(),
            request,
            status,
            fields: Fields::from(headers),
            plugins: Arc::clone(&asked.snapshot.plugins),
            guard: Arc::clone(&asked.snapshot.guard),
            stream: None,
            capture_limits: CaptureLimits::from(&*asked.snapshot.config),
            since: Instant::now(),
            records_failures: asked.endpoint.configured.record_failures,
            failure: None,
        }
    }

    /// The same exchange as a stream, whose arrivals stand in a log.
    pub(crate) fn with_stream(mut self, kind: StreamKind, log: SharedArrivalLog) -> Self {
        self.stream = Some((kind, log));
        self
    }

    /// The same exchange as one that failed.
    pub(crate) fn with_failure(mut self, failure: Failure) -> Self {
        self.failure = Some(failure);
        self
    }

    /// Both bodies came to their end, or will not: the exchange is recorded or not. What it gives
    /// is still to be delivered: until then the client is held back.
    pub(crate) fn finish(
        mut self,
        request: CaptureResult,
        response: CaptureResult,
    ) -> Option<Delivery> {
        self.failure = self
            .failure
            .or_else(|| self.body_failure(response.as_ref().ok()?));
        let lost = match self.check_complete(request, response) {
            Ok((request, response, ending)) => return self.submit(request, response, ending),
            Err(lost) => lost,
        };
        let session = self.session.name();
        let outcome = match lost {
            CaptureError::Partial(reason) => {
                tracing::warn!(%session, "not recorded: {reason}");
                Outcome::Partial(reason)
            }
            CaptureError::Dropped(reason) => {
                tracing::warn!(%session, "dropped: {reason}");
                Outcome::Dropped(reason)
            }
        };
        self.session.counters().count(outcome);
        None
    }

    /// The failure of a body that broke off, where failures are recorded. Conversations say by
    /// themselves how they ended, and to leave a stream is how its client ends it.
    fn body_failure(&self, response: &CapturedBody) -> Option<Failure> {
        let fault = response.failure_cause.filter(|_| self.records_failures)?;
        let failed = match &self.stream {
            Some((StreamKind::Grpc | StreamKind::WebSocket, _)) => false,
            Some((StreamKind::Body(Some(_)), _)) => fault.kind != FailureKind::ClientGone,
            Some((StreamKind::Body(None), _)) | None => true,
        };
        let at = u64::try_from(self.since.elapsed().as_micros()).unwrap_or(u64::MAX);
        failed.then_some(Failure { cause: fault, at })
    }

    /// Only of a stream a part is worth something: its units are whole, and it is said how it
    /// ended. And of an exchange that is recorded as failed.
    fn check_complete(
        &self,
        request: CaptureResult,
        response: CaptureResult,
    ) -> Result<(CapturedBody, CapturedBody, Ending), CaptureError> {
        let (cut_request, cut_response) = match &self.stream {
            Some((StreamKind::Grpc | StreamKind::WebSocket, _)) => (true, true),
            Some((StreamKind::Body(Some(_)), _)) => (false, true),
            Some((StreamKind::Body(None), _)) | None => (false, self.failure.is_some()),
        };
        let check = |half: CaptureResult, cut: bool| {
            half.and_then(|it| if cut { Ok(it) } else { it.into_complete() })
        };
        let response =
            check(response, cut_response).map_err(|lost| lost.with_side("the response"))?;
        let request = check(request, cut_request).map_err(|lost| lost.with_side("the request"))?;
        let ending = response
            .aborted
            .as_ref()
            .map_or(Ending::Complete, |cut| cut.0);
        Ok((request, response, ending))
    }

    fn submit(self, sent: CapturedBody, came: CapturedBody, ending: Ending) -> Option<Delivery> {
        if let Some(key) = self.key {
            self.session.begin_writing(key);
        }
        let mut held = vec![sent.reservation, came.reservation];
        let flow = self.stream.map(|(kind, log)| {
            let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
            let (arrivals, hold) = log.take();
            held.push(hold);
            StreamCapture {
                kind,
                arrivals,
                ending,
            }
        });
        let job = RecordJob {
            session: self.session,
            captured: CapturedExchange {
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
                stream: flow,
                failure: self.failure,
            },
            plugins: self.plugins,
            guard: self.guard,
            append: self.key.is_some(),
            pending_key: self.key,
            reservations: held,
        };
        enqueue(&self.shared, Box::new(job), self.capture_limits)
    }
}

/// Into the queue at once where it has room; else it is dropped, or to be delivered.
fn enqueue(live: &Arc<SharedState>, job: Box<RecordJob>, terms: CaptureLimits) -> Option<Delivery> {
    let job = live.recorder.try_submit(job).err()?;
    match terms.on_recorder_full {
        OnRecorderFull::Wait => Some(Delivery::new(live, job, terms.max_wait)),
        OnRecorderFull::Drop => {
            recorder_delivery::abandon(&job, recorder_delivery::queue_full());
            None
        }
    }
}
