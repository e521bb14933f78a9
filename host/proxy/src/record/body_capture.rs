//! Captures one body for a recording, within limits. If the recorder has no memory left, the body
//! is paused or the capture fails, as `on_recorder_full` says.

use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http_body::Frame;
use parking_lot::Mutex;

use super::arrival_log::SharedArrivalLog;
use crate::handler::{RequestContext, body_buffer};
use crate::session::{MemoryBudget, MemoryReservation, MemoryWait};
use ouli_config::{Config, OnRecorderFull};
use ouli_message::failure::FailureCause;
use ouli_message::stream::{Ending, Side};
use ouli_net::upstream;
use ouli_redaction::{Secrets, WordReader};

/// The limits of a capture, and the policy for a full recorder.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CaptureLimits {
    /// Bytes of one body.
    pub(crate) max_bytes: usize,
    /// The policy for a full recorder.
    pub(crate) on_recorder_full: OnRecorderFull,
    /// The longest wait for memory.
    pub(crate) max_wait: Duration,
}

impl From<&Config> for CaptureLimits {
    fn from(config: &Config) -> Self {
        Self {
            max_bytes: config.limits.recorded_body,
            on_recorder_full: config.on_recorder_full,
            max_wait: config.limits.recorder_queue_timeout,
        }
    }
}

/// The most memory that is reserved before the bytes arrive.
const MAX_SPARE: usize = 256 << 10;

/// Why a body is not recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CaptureError {
    /// It is incomplete or too large.
    Partial(String),
    /// The recorder had no memory for it.
    Dropped(String),
}

impl CaptureError {
    /// The recorder has no memory left.
    pub(crate) fn recorder_memory_full() -> Self {
        let reason = "too much was being recorded at once (limits.recording_memory)";
        Self::Dropped(reason.to_owned())
    }

    /// The same error with the side that it concerns.
    pub(crate) fn with_side(self, side: &str) -> Self {
        match self {
            Self::Partial(reason) => Self::Partial(format!("{side} is incomplete: {reason}")),
            Self::Dropped(reason) => Self::Dropped(reason),
        }
    }
}

/// The state of a capture.
#[derive(Debug)]
enum State {
    /// The body is in transit.
    Open,
    /// The body is complete, with these trailers.
    Complete(HeaderMap),
    /// The body was aborted: by which side, and why.
    Aborted(Ending, String),
    /// The body is not recorded.
    Failed(CaptureError),
}

/// The capture of one body. The task that sends the body fills it, the end of the exchange takes
/// it.
#[derive(Debug)]
pub(crate) struct BodyCapture {
    bytes: Vec<u8>,
    reservation: MemoryReservation,
    /// The bytes that `reservation` holds.
    reserved: usize,
    state: State,
    limits: CaptureLimits,
    /// Bytes wait for memory.
    memory_wait: Option<Box<MemoryWait>>,
    /// The length that the head announces. After so many bytes the body is complete, even if its
    /// end is never polled.
    content_length: Option<u64>,
    /// Records when bytes arrive.
    arrival_log: Option<(Side, SharedArrivalLog)>,
    /// The cause of an abort, if failures are recorded.
    failure_cause: Option<FailureCause>,
    /// Learns what the upstream tells.
    told: Option<(Arc<Secrets>, WordReader)>,
}

/// A captured body.
#[derive(Debug)]
pub(crate) struct CapturedBody {
    pub(crate) bytes: Bytes,
    pub(crate) trailers: HeaderMap,
    /// Its memory reservation.
    pub(crate) reservation: MemoryReservation,
    /// If it was aborted: by which side, and why.
    pub(crate) aborted: Option<(Ending, String)>,
    pub(crate) failure_cause: Option<FailureCause>,
}

/// The next frame of a body, its error or its end.
pub(super) type NextFrame<E> = Option<Result<Frame<Bytes>, E>>;

/// A captured body, or why there is none.
pub(super) type CaptureResult = Result<CapturedBody, CaptureError>;

impl CapturedBody {
    /// True if the upstream aborted it.
    pub(super) fn is_broken_off(&self) -> bool {
        matches!(self.aborted, Some((Ending::ServerAborted, _)))
    }

    /// The body, if it is complete.
    pub(crate) fn into_complete(self) -> Result<Self, CaptureError> {
        match self.aborted {
            Some((_, reason)) => Err(CaptureError::Partial(reason)),
            None => Ok(self),
        }
    }
}

/// A capture that two tasks share.
pub(crate) type SharedCapture = Arc<Mutex<BodyCapture>>;

impl BodyCapture {
    pub(crate) fn new(limits: CaptureLimits, budget: &MemoryBudget) -> Self {
        Self {
            bytes: Vec::new(),
            reservation: budget.recording_reservation(),
            reserved: 0,
            state: State::Open,
            limits,
            memory_wait: None,
            content_length: None,
            arrival_log: None,
            failure_cause: None,
            told: None,
        }
    }

    /// The capture of one side of an exchange, with the arrival log of a stream.
    pub(super) fn for_side(
        context: &RequestContext<'_>,
        side: Side,
        log: Option<&SharedArrivalLog>,
    ) -> Self {
        let limits = CaptureLimits::from(&*context.snapshot.config);
        let capture = Self::new(limits, &context.handler.shared.budget);
        match log {
            Some(log) => capture.with_arrival_log(side, Arc::clone(log)),
            None => capture,
        }
    }

    /// The same capture with an arrival log.
    pub(crate) fn with_arrival_log(mut self, side: Side, log: SharedArrivalLog) -> Self {
        self.arrival_log = Some((side, log));
        self
    }

    /// The same capture of what the upstream tells the clients of a session with these secrets.
    pub(crate) fn told_to(mut self, secrets: Option<&Arc<Secrets>>) -> Self {
        self.told = secrets.map(|secrets| (Arc::clone(secrets), WordReader::default()));
        self
    }

    pub(crate) fn into_shared(self) -> SharedCapture {
        Arc::new(Mutex::new(self))
    }

    /// Sets the length that the head announces. The capture fails at once if it is over the limit.
    pub(crate) fn set_content_length(&mut self, length: Option<u64>) {
        self.content_length = length;
        if length.is_some_and(|length| length > self.limits.max_bytes as u64) {
            self.fail(self.too_large());
        }
    }

    fn too_large(&self) -> CaptureError {
        let max = self.limits.max_bytes;
        CaptureError::Partial(format!(
            "the body is larger than {max} bytes (limits.recorded_body)"
        ))
    }

    /// Captures the next frame of a body, its end, or an error of the `sender`. `ended` is true
    /// after the last frame. Pending while the frame waits for memory: the caller offers it again.
    pub(super) fn poll_next<E: std::error::Error + 'static>(
        &mut self,
        cx: &mut Context<'_>,
        next: Option<&Result<Frame<Bytes>, E>>,
        ended: bool,
        sender: Ending,
    ) -> Poll<()> {
        match next {
            Some(Ok(frame)) => {
                ready!(self.poll_frame(cx, frame));
                if ended {
                    self.end();
                }
            }
            Some(Err(error)) => {
                self.set_failure_cause(Some(upstream::classify_body_error(error)));
                self.abort(sender, format!("it was aborted: {error}"));
            }
            None => self.end(),
        }
        Poll::Ready(())
    }

    /// Captures a frame. Pending while it waits for memory: the caller offers it again.
    fn poll_frame(&mut self, cx: &mut Context<'_>, frame: &Frame<Bytes>) -> Poll<()> {
        if let Some(data) = frame.data_ref() {
            return self.poll_data(cx, data);
        }
        if let (Some(trailers), State::Open) = (frame.trailers_ref(), &self.state) {
            self.state = State::Complete(trailers.clone());
            self.log_arrival();
        }
        Poll::Ready(())
    }

    /// Captures bytes. Pending while they wait for memory: the caller offers them again.
    pub(crate) fn poll_data(&mut self, cx: &mut Context<'_>, data: &[u8]) -> Poll<()> {
        // The client has them before the exchange is complete.
        if let (Some((secrets, reader)), None) = (&mut self.told, &self.memory_wait) {
            secrets.tell(reader, data);
        }
        if !matches!(self.state, State::Open) {
            return Poll::Ready(());
        }
        if self.bytes.len() + data.len() > self.limits.max_bytes {
            self.fail(self.too_large());
        } else if self.try_reserve(data.len()) {
            self.bytes.extend_from_slice(data);
            self.log_arrival();
        } else if self.limits.on_recorder_full == OnRecorderFull::Drop
            || !self.reservation.can_ever_fit(data.len())
        {
            self.fail(CaptureError::recorder_memory_full());
        } else {
            return self.poll_memory(cx, data);
        }
        Poll::Ready(())
    }

    fn poll_memory(&mut self, cx: &mut Context<'_>, data: &[u8]) -> Poll<()> {
        let budget = self.reservation.budget();
        let mut wait = self
            .memory_wait
            .take()
            .unwrap_or_else(|| Box::new(budget.wait(self.limits.max_wait)));
        match wait.poll(cx, || self.try_reserve(data.len())) {
            Poll::Pending => {
                self.memory_wait = Some(wait);
                return Poll::Pending;
            }
            Poll::Ready(true) => {
                self.bytes.extend_from_slice(data);
                self.log_arrival();
            }
            Poll::Ready(false) => self.fail(CaptureError::recorder_memory_full()),
        }
        Poll::Ready(())
    }

    /// Reserves memory for more bytes, with some to spare if the budget permits.
    fn try_reserve(&mut self, more: usize) -> bool {
        let length = self.bytes.len() + more;
        if length > self.reserved {
            let spare = length + (length / 2).min(MAX_SPARE);
            let size = [spare, length]
                .into_iter()
                .find(|size| self.reservation.try_grow(size - self.reserved));
            let Some(size) = size else { return false };
            self.reserved = size;
        }
        let announced = self
            .content_length
            .and_then(|all| usize::try_from(all).ok());
        let announced = announced.unwrap_or(0);
        body_buffer::grow(&mut self.bytes, length, announced, self.limits.max_bytes)
    }

    fn log_arrival(&mut self) {
        if let Some((side, log)) = &self.arrival_log {
            log.lock().record(*side, self.bytes.len() as u64);
        }
    }

    /// The body is complete, unless it was aborted before.
    pub(crate) fn end(&mut self) {
        if matches!(self.state, State::Open) {
            self.state = State::Complete(HeaderMap::new());
            self.log_arrival();
        }
    }

    /// Sets the cause of an abort.
    pub(super) fn set_failure_cause(&mut self, cause: Option<FailureCause>) {
        self.failure_cause = cause;
    }

    /// The body was aborted.
    pub(crate) fn abort(&mut self, ending: Ending, reason: String) {
        if matches!(self.state, State::Open) {
            self.state = State::Aborted(ending, reason);
        }
    }

    /// True if all bytes of a body of known length have arrived.
    pub(crate) fn is_complete(&self) -> bool {
        self.content_length == Some(self.bytes.len() as u64)
    }

    /// True while more of the body is to be captured.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.state, State::Open) && !self.is_complete()
    }

    /// True if the body was aborted.
    pub(super) fn was_aborted(&self) -> bool {
        matches!(self.state, State::Aborted(..))
    }

    /// False if the body will not be recorded.
    pub(super) fn is_recordable(&self) -> bool {
        !matches!(self.state, State::Failed(_))
    }

    fn fail(&mut self, error: CaptureError) {
        if matches!(self.state, State::Open) {
            self.state = State::Failed(error);
            self.memory_wait = None;
            self.bytes = Vec::new();
            self.reservation = self.reservation.new_empty();
            self.reserved = 0;
        }
    }

    /// Takes the captured body, or the reason why there is none.
    pub(crate) fn take(&mut self) -> CaptureResult {
        if self.is_complete() {
            self.end();
        }
        // A pending wait for memory stays, so that the task that paused the body is still woken.
        let taken = State::Failed(CaptureError::Partial("it was already taken".to_owned()));
        let (trailers, aborted) = match std::mem::replace(&mut self.state, taken) {
            State::Complete(trailers) => (trailers, None),
            State::Aborted(ending, reason) => (HeaderMap::new(), Some((ending, reason))),
            State::Open => {
                let reason = "it was not sent to its end".to_owned();
                (HeaderMap::new(), Some((Ending::ClientAborted, reason)))
            }
            State::Failed(error) => return Err(error),
        };
        let bytes = Bytes::from(std::mem::take(&mut self.bytes));
        let empty = self.reservation.new_empty();
        self.reserved = 0;
        Ok(CapturedBody {
            bytes,
            trailers,
            reservation: std::mem::replace(&mut self.reservation, empty),
            failure_cause: aborted.as_ref().and(self.failure_cause.take()),
            aborted,
        })
    }
}
