//! An exchange in progress, and its submission to the recorder at its end.

use std::sync::Arc;
use std::time::Instant;

use http::{HeaderMap, StatusCode};

use super::arrival_log::SharedArrivalLog;
use super::body_capture::{CaptureError, CaptureLimits, CaptureResult, CapturedBody};
use super::recorder_delivery::{self, Delivery};
use crate::handler::{AccessOutcome, RequestContext, RequestTrace, SharedState};
use crate::session::{
    CapturedExchange, Outcome, RecordJob, RecorderHandle, Session, StreamCapture, StreamKind,
};
use ouli_cassette::RequestStart;
use ouli_config::{Defect, OnRecorderFull};
use ouli_message::failure::FailureKind;
use ouli_message::stream::Ending;
use ouli_message::{CodedBody, Content, Failure, Fields};
use ouli_plugin::Plugins;
use ouli_redaction::{Guard, Secrets, WordReader};

/// An exchange whose response head has arrived.
pub(crate) struct PendingExchange {
    shared: Arc<SharedState>,
    trace: RequestTrace,
    session: Arc<Session>,
    /// When the request began.
    start: Option<Arc<RequestStart>>,
    /// The exchange is appended to the cassette, and this key is pending until it is written.
    key: Option<u128>,
    /// The time of the registry of secrets when the head of the response arrived.
    response_begun: u64,
    endpoint: String,
    request: ouli_message::Request,
    status: StatusCode,
    reason: Option<String>,
    fields: Fields,
    plugins: Arc<Plugins>,
    guard: Arc<Guard>,
    stream: Option<(StreamKind, SharedArrivalLog)>,
    capture_limits: CaptureLimits,
    /// When the head of the response arrived.
    started: Instant,
    records_failures: bool,
    failure: Option<Failure>,
}

impl PendingExchange {
    pub(crate) fn new(
        context: &RequestContext<'_>,
        request: ouli_message::Request,
        (status, headers): (StatusCode, &HeaderMap),
        key: Option<u128>,
    ) -> Self {
        let exchange = Self {
            shared: Arc::clone(&context.handler.shared),
            trace: context.trace.clone(),
            session: Arc::clone(&context.session),
            start: context.start.clone(),
            key,
            response_begun: context.session.secrets().now(),
            endpoint: context.endpoint.name.to_string(),
            request,
            status,
            reason: None,
            fields: Fields::from(headers),
            plugins: Arc::clone(&context.snapshot.plugins),
            guard: Arc::clone(&context.snapshot.guard),
            stream: None,
            capture_limits: CaptureLimits::from(&*context.snapshot.config),
            started: Instant::now(),
            records_failures: context.endpoint.configured.record_failures,
            failure: None,
        };
        exchange.learn_head()
    }

    /// The secrets of the session, if requests with those of the response may be looked up.
    pub(crate) fn learning_secrets(&self) -> Option<&Arc<Secrets>> {
        self.key.is_some().then(|| self.session.secrets())
    }

    fn learn_head(self) -> Self {
        if let Some(secrets) = self.learning_secrets() {
            for (_, value) in self.fields.iter() {
                secrets.tell(&mut WordReader::default(), value.as_bytes());
            }
        }
        self
    }

    /// The same exchange as a stream with an arrival log.
    pub(crate) fn with_stream(mut self, kind: StreamKind, log: SharedArrivalLog) -> Self {
        self.stream = Some((kind, log));
        self
    }

    /// The same exchange with a reason phrase that is not the standard one.
    pub(crate) fn with_reason(mut self, reason: Option<String>) -> Self {
        self.reason = reason;
        self
    }

    /// The same exchange with a failure.
    pub(crate) fn with_failure(mut self, failure: Failure) -> Self {
        self.failure = Some(failure);
        self
    }

    /// Both bodies have ended: submits the exchange to the recorder, or counts why not. If the
    /// recorder's queue is full, the caller polls the returned delivery and pauses the client.
    pub(crate) fn finish(
        mut self,
        request: CaptureResult,
        response: CaptureResult,
    ) -> Option<Delivery> {
        self.failure = self
            .failure
            .or_else(|| self.body_failure(response.as_ref().ok()?));
        let error = match self.check_complete(request, response) {
            Ok((request, response, ending)) => return self.submit(request, response, ending),
            Err(error) => error,
        };
        let session = self.session.name();
        let outcome = match error {
            CaptureError::Partial(reason) => {
                self.trace
                    .in_span(|| tracing::warn!(%session, "not recorded: {reason}"));
                Outcome::Failed(Defect::Partial, reason)
            }
            CaptureError::Dropped(reason) => {
                self.trace
                    .in_span(|| tracing::warn!(%session, "dropped: {reason}"));
                Outcome::Failed(Defect::Dropped, reason)
            }
        };
        self.session.counters().count(outcome);
        None
    }

    /// The failure of an aborted body, if failures are recorded. A WebSocket records its own
    /// ending, and a client ends a call or an event stream by leaving it.
    fn body_failure(&self, response: &CapturedBody) -> Option<Failure> {
        let cause = response.failure_cause.filter(|_| self.records_failures)?;
        let is_failure = match &self.stream {
            Some((StreamKind::WebSocket, _)) => false,
            Some((StreamKind::Grpc | StreamKind::Body(Some(_)), _)) => {
                cause.kind != FailureKind::ClientGone
            }
            Some((StreamKind::Body(None), _)) | None => true,
        };
        let at = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX);
        is_failure.then_some(Failure { cause, at })
    }

    /// Both bodies and the ending. A partial response is recorded of a stream that its client has
    /// ended, and of an exchange that is recorded as failed. A WebSocket records its own ending. A
    /// partial request is recorded if the upstream responded all the same.
    fn check_complete(
        &self,
        request: CaptureResult,
        response: CaptureResult,
    ) -> Result<(CapturedBody, CapturedBody, Ending), CaptureError> {
        let has_whole_response =
            self.failure.is_none() && response.as_ref().is_ok_and(|body| body.aborted.is_none());
        let is_broken_off = response.as_ref().is_ok_and(CapturedBody::is_broken_off);
        let allow_partial_stream = self.failure.is_some() || !is_broken_off;
        let (allow_partial_request, allow_partial_response) = match &self.stream {
            Some((StreamKind::WebSocket, _)) => (true, true),
            Some((StreamKind::Grpc, _)) => (true, allow_partial_stream),
            Some((StreamKind::Body(Some(_)), _)) => (has_whole_response, allow_partial_stream),
            Some((StreamKind::Body(None), _)) | None => {
                (has_whole_response, self.failure.is_some())
            }
        };
        let check = |body: CaptureResult, allow_partial: bool| {
            body.and_then(|body| {
                if allow_partial {
                    Ok(body)
                } else {
                    body.into_complete()
                }
            })
        };
        let response = check(response, allow_partial_response)
            .map_err(|error| error.with_side("the response"))?;
        let request = check(request, allow_partial_request)
            .map_err(|error| error.with_side("the request"))?;
        let ending = response
            .aborted
            .as_ref()
            .map_or(Ending::Complete, |(ending, _)| *ending);
        Ok((request, response, ending))
    }

    fn submit(
        self,
        request: CapturedBody,
        response: CapturedBody,
        ending: Ending,
    ) -> Option<Delivery> {
        let pending_key = self.key.map(|key| self.session.begin_writing(key));
        // The messages of a conversation have an ending instead.
        let is_conversation = matches!(
            self.stream,
            Some((StreamKind::Grpc | StreamKind::WebSocket, _))
        );
        let aborted_at =
            (request.aborted.is_some() && !is_conversation).then_some(request.bytes.len() as u64);
        let truncated_at = self.request.truncated_at.or(aborted_at);
        let mut reservations = vec![request.reservation, response.reservation];
        let stream = self.stream.map(|(kind, log)| {
            let (arrivals, reservation) = log.lock().take();
            reservations.push(reservation);
            StreamCapture {
                kind,
                arrivals,
                ending,
            }
        });
        let job = RecordJob {
            unwritten: self.session.unwritten_exchange(),
            unredacted: self.session.unredacted_exchange(),
            response_begun: self.response_begun,
            session: RecorderHandle::new(self.session),
            captured: CapturedExchange {
                endpoint: self.endpoint,
                request: ouli_message::Request {
                    truncated_at,
                    body: Content::Inline(request.bytes),
                    trailers: Fields::from(&request.trailers),
                    ..self.request
                },
                response: ouli_message::Response {
                    status: self.status,
                    reason: self.reason,
                    fields: self.fields,
                    body: Content::Inline(response.bytes),
                    coded: CodedBody::Derived,
                    trailers: Fields::from(&response.trailers),
                    omitted: Vec::new(),
                },
                stream,
                failure: self.failure,
            },
            plugins: self.plugins,
            start: self.start,
            guard: self.guard,
            append: pending_key.is_some(),
            pending_key,
            reservations,
        };
        enqueue(
            &self.shared,
            &self.trace,
            Box::new(job),
            self.capture_limits,
        )
    }
}

/// Puts the job into the recorder's queue. If the queue is full, the job is dropped or delivered
/// later, as `on_recorder_full` says.
fn enqueue(
    shared: &Arc<SharedState>,
    trace: &RequestTrace,
    job: Box<RecordJob>,
    limits: CaptureLimits,
) -> Option<Delivery> {
    let rejected = shared.recorder.try_submit(job).err();
    if rejected.is_none() || limits.on_recorder_full == OnRecorderFull::Wait {
        trace.set_outcome(AccessOutcome::Recorded);
    }
    let job = rejected?;
    match limits.on_recorder_full {
        OnRecorderFull::Wait => Some(Delivery::new(shared, job, limits.max_wait)),
        OnRecorderFull::Drop => {
            recorder_delivery::abandon(&job, recorder_delivery::queue_full());
            None
        }
    }
}
