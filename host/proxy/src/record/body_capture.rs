//! The copy of one body, within limits. Where the recorder has no room, what is copied is held back
//! for a while, or the copy is given up: as `on_recorder_full` says.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http_body::Frame;

use super::arrival_log::SharedArrivalLog;
use crate::session::{MemoryBudget, MemoryReservation, MemoryWait};
use ouli_config::{Config, OnRecorderFull};
use ouli_message::failure::FailureCause;
use ouli_message::stream::{Ending, Side};

/// What a copy may take, and what follows where there is no room for it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CaptureLimits {
    /// Bytes of one body.
    pub(crate) max_bytes: usize,
    /// What follows where the recorder is full.
    pub(crate) on_recorder_full: OnRecorderFull,
    /// How long is waited for room.
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

/// Why there is nothing of a body to be recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CaptureError {
    /// It did not come whole, or is too large.
    Partial(String),
    /// The recorder had no room for it.
    Dropped(String),
}

impl CaptureError {
    /// The recorder has no memory left.
    pub(crate) fn recorder_memory_full() -> Self {
        let reason = "too much was being recorded at once (limits.recording_memory)";
        Self::Dropped(reason.to_owned())
    }

    /// The same, said of one side.
    pub(crate) fn with_side(self, what: &str) -> Self {
        match self {
            Self::Partial(reason) => Self::Partial(format!("{what} is not whole: {reason}")),
            Self::Dropped(reason) => Self::Dropped(reason),
        }
    }
}

/// How far the copy of a body came.
#[derive(Debug)]
enum State {
    /// It is on its way.
    Open,
    /// It came to its end.
    Complete(HeaderMap),
    /// It broke off: who did it, and how.
    Aborted(Ending, String),
    /// It will not be recorded.
    Failed(CaptureError),
}

/// The copy of one body. The task that sends the body fills it, the end of the exchange takes it.
#[derive(Debug)]
pub(crate) struct BodyCapture {
    bytes: Vec<u8>,
    reservation: MemoryReservation,
    state: State,
    limits: CaptureLimits,
    /// Bytes wait for room.
    memory_wait: Option<Box<MemoryWait>>,
    /// The length that was told before. Who sends a body of a known length need not wait for its
    /// end.
    content_length: Option<u64>,
    /// Where it is noted when bytes came.
    arrival_log: Option<(Side, SharedArrivalLog)>,
    /// Why it broke off, where that is to be recorded.
    failure_cause: Option<FailureCause>,
}

/// What was captured of a body.
#[derive(Debug)]
pub(crate) struct CapturedBody {
    pub(crate) bytes: Bytes,
    pub(crate) trailers: HeaderMap,
    /// Its share of the budget.
    pub(crate) reservation: MemoryReservation,
    /// Where it broke off: who did it, and how.
    pub(crate) aborted: Option<(Ending, String)>,
    pub(crate) failure_cause: Option<FailureCause>,
}

impl CapturedBody {
    /// The whole body, or why it is none.
    pub(crate) fn into_complete(self) -> Result<Self, CaptureError> {
        match self.aborted {
            Some((_, reason)) => Err(CaptureError::Partial(reason)),
            None => Ok(self),
        }
    }
}

/// A copy that two tasks can reach.
pub(crate) type SharedCapture = Arc<Mutex<BodyCapture>>;

impl BodyCapture {
    pub(crate) fn new(terms: CaptureLimits, budget: &MemoryBudget) -> Self {
        Self {
            bytes: Vec::new(),
            reservation: budget.recording_reservation(),
            state: State::Open,
            limits: terms,
            memory_wait: None,
            content_length: None,
            arrival_log: None,
            failure_cause: None,
        }
    }

    /// The same, with a note of each arrival.
    pub(crate) fn with_arrival_log(mut self, side: Side, log: SharedArrivalLog) -> Self {
        self.arrival_log = Some((side, log));
        self
    }

    pub(crate) fn into_shared(self) -> SharedCapture {
        Arc::new(Mutex::new(self))
    }

    /// Takes note of a length that was told beforehand: one that is too large is not even begun.
    pub(crate) fn set_content_length(&mut self, length: Option<u64>) {
        self.content_length = length;
        if length.is_some_and(|length| length > self.limits.max_bytes as u64) {
            self.fail(self.too_large());
        }
    }

    fn too_large(&self) -> CaptureError {
        let most = self.limits.max_bytes;
        CaptureError::Partial(format!(
            "the body is larger than {most} bytes (limits.recorded_body)"
        ))
    }

    /// Copies a frame. Pending while it is to be held back; it is offered again then.
    pub(crate) fn poll_frame(&mut self, cx: &mut Context<'_>, frame: &Frame<Bytes>) -> Poll<()> {
        if let Some(data) = frame.data_ref() {
            return self.poll_data(cx, data);
        }
        if let (Some(trailers), State::Open) = (frame.trailers_ref(), &self.state) {
            self.state = State::Complete(trailers.clone());
            self.log_arrival();
        }
        Poll::Ready(())
    }

    /// Copies bytes. Pending while they are to be held back; they are offered again then.
    pub(crate) fn poll_data(&mut self, cx: &mut Context<'_>, data: &[u8]) -> Poll<()> {
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

    /// Makes room for more bytes, with some to spare where there is enough.
    fn try_reserve(&mut self, more: usize) -> bool {
        let (length, capacity) = (self.bytes.len() + more, self.bytes.capacity());
        if length <= capacity {
            return true;
        }
        let spare = length.max(capacity / 2 * 3);
        let wanted = [spare, length]
            .into_iter()
            .find(|wanted| self.reservation.try_grow(wanted - capacity));
        if let Some(wanted) = wanted {
            self.bytes.reserve_exact(wanted - self.bytes.len());
        }
        wanted.is_some()
    }

    fn log_arrival(&mut self) {
        if let Some((side, log)) = &self.arrival_log {
            let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
            log.record(*side, self.bytes.len() as u64);
        }
    }

    /// The body came to its end, where it did not break off before.
    pub(crate) fn end(&mut self) {
        if matches!(self.state, State::Open) {
            self.state = State::Complete(HeaderMap::new());
            self.log_arrival();
        }
    }

    /// Notes why the body breaks off.
    pub(crate) fn set_failure_cause(&mut self, fault: Option<FailureCause>) {
        self.failure_cause = fault;
    }

    /// The body broke off.
    pub(crate) fn abort(&mut self, who: Ending, reason: String) {
        if matches!(self.state, State::Open) {
            self.state = State::Aborted(who, reason);
        }
    }

    /// True where all of a body of a known length is here.
    pub(crate) fn is_complete(&self) -> bool {
        self.content_length == Some(self.bytes.len() as u64)
    }

    fn fail(&mut self, lost: CaptureError) {
        if matches!(self.state, State::Open) {
            self.state = State::Failed(lost);
            self.memory_wait = None;
            self.bytes = Vec::new();
            self.reservation = self.reservation.new_empty();
        }
    }

    /// What was captured, or why there is nothing.
    pub(crate) fn take(&mut self) -> Result<CapturedBody, CaptureError> {
        if self.is_complete() {
            self.end();
        }
        // Who waits for room is still to be woken, so that what it holds back goes on.
        let taken = State::Failed(CaptureError::Partial("it was taken".to_owned()));
        let (trailers, cut) = match std::mem::replace(&mut self.state, taken) {
            State::Complete(trailers) => (trailers, None),
            State::Aborted(who, reason) => (HeaderMap::new(), Some((who, reason))),
            State::Open => {
                let reason = "it was not sent to its end".to_owned();
                (HeaderMap::new(), Some((Ending::ClientAborted, reason)))
            }
            State::Failed(lost) => return Err(lost),
        };
        let bytes = Bytes::from(std::mem::take(&mut self.bytes));
        let rest = self.reservation.new_empty();
        Ok(CapturedBody {
            bytes,
            trailers,
            reservation: std::mem::replace(&mut self.reservation, rest),
            failure_cause: cut.as_ref().and(self.failure_cause.take()),
            aborted: cut,
        })
    }
}
