//! The copy of one body, within limits. Where the recorder has no room, what is copied is held back
//! for a while, or the copy is given up: as `on_recorder_full` says.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http_body::Frame;

use super::arrival_log::SharedLog;
use crate::session::{Budget, Hold, Wait};
use ouli_config::{Config, OnRecorderFull};
use ouli_message::failure::Fault;
use ouli_message::stream::{Ending, Side};

/// What a copy may take, and what follows where there is no room for it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    /// Bytes of one body.
    pub(crate) most: usize,
    /// What follows where the recorder is full.
    pub(crate) on_full: OnRecorderFull,
    /// How long is waited for room.
    pub(crate) patience: Duration,
}

impl From<&Config> for Terms {
    fn from(config: &Config) -> Self {
        Self {
            most: config.limits.recorded_body,
            on_full: config.on_recorder_full,
            patience: config.limits.recorder_wait,
        }
    }
}

/// Why there is nothing of a body to be recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Lost {
    /// It did not come whole, or is too large.
    Partial(String),
    /// The recorder had no room for it.
    Dropped(String),
}

impl Lost {
    /// The recorder has no memory left.
    pub(crate) fn no_room() -> Self {
        let reason = "too much was being recorded at once (limits.recording_memory)";
        Self::Dropped(reason.to_owned())
    }

    /// The same, said of one side.
    pub(crate) fn of(self, what: &str) -> Self {
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
    Whole(HeaderMap),
    /// It broke off: who did it, and how.
    Cut(Ending, String),
    /// It will not be recorded.
    Lost(Lost),
}

/// The copy of one body. The task that sends the body fills it, the end of the exchange takes it.
#[derive(Debug)]
pub(crate) struct Capture {
    bytes: Vec<u8>,
    hold: Hold,
    state: State,
    terms: Terms,
    /// Bytes wait for room.
    waiting: Option<Box<Wait>>,
    /// The length that was told before. Who sends a body of a known length need not wait for its
    /// end.
    declared: Option<u64>,
    /// Where it is noted when bytes came.
    log: Option<(Side, SharedLog)>,
    /// Why it broke off, where that is to be recorded.
    fault: Option<Fault>,
}

/// What was captured of a body.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) bytes: Bytes,
    pub(crate) trailers: HeaderMap,
    /// Its share of the budget.
    pub(crate) hold: Hold,
    /// Where it broke off: who did it, and how.
    pub(crate) cut: Option<(Ending, String)>,
    pub(crate) fault: Option<Fault>,
}

impl Taken {
    /// The whole body, or why it is none.
    pub(crate) fn whole(self) -> Result<Self, Lost> {
        match self.cut {
            Some((_, reason)) => Err(Lost::Partial(reason)),
            None => Ok(self),
        }
    }
}

/// A copy that two tasks can reach.
pub(crate) type Shared = Arc<Mutex<Capture>>;

impl Capture {
    pub(crate) fn new(terms: Terms, budget: &Budget) -> Self {
        Self {
            bytes: Vec::new(),
            hold: budget.hold(),
            state: State::Open,
            terms,
            waiting: None,
            declared: None,
            log: None,
            fault: None,
        }
    }

    /// The same, with a note of each arrival.
    pub(crate) fn logged(mut self, side: Side, log: SharedLog) -> Self {
        self.log = Some((side, log));
        self
    }

    pub(crate) fn shared(self) -> Shared {
        Arc::new(Mutex::new(self))
    }

    /// Takes note of a length that was told beforehand: one that is too large is not even begun.
    pub(crate) fn declare(&mut self, length: Option<u64>) {
        self.declared = length;
        if length.is_some_and(|length| length > self.terms.most as u64) {
            self.lose(self.too_large());
        }
    }

    fn too_large(&self) -> Lost {
        let most = self.terms.most;
        Lost::Partial(format!(
            "the body is larger than {most} bytes (limits.recorded_body)"
        ))
    }

    /// Copies a frame. Pending while it is to be held back; it is offered again then.
    pub(crate) fn poll_frame(&mut self, cx: &mut Context<'_>, frame: &Frame<Bytes>) -> Poll<()> {
        if let Some(data) = frame.data_ref() {
            return self.poll_data(cx, data);
        }
        if let (Some(trailers), State::Open) = (frame.trailers_ref(), &self.state) {
            self.state = State::Whole(trailers.clone());
            self.note();
        }
        Poll::Ready(())
    }

    /// Copies bytes. Pending while they are to be held back; they are offered again then.
    pub(crate) fn poll_data(&mut self, cx: &mut Context<'_>, data: &[u8]) -> Poll<()> {
        if !matches!(self.state, State::Open) {
            return Poll::Ready(());
        }
        if self.bytes.len() + data.len() > self.terms.most {
            self.lose(self.too_large());
        } else if self.has_room(data.len()) {
            self.bytes.extend_from_slice(data);
            self.note();
        } else if self.terms.on_full == OnRecorderFull::Drop || !self.hold.may_ever_have(data.len())
        {
            self.lose(Lost::no_room());
        } else {
            return self.poll_room(cx, data);
        }
        Poll::Ready(())
    }

    fn poll_room(&mut self, cx: &mut Context<'_>, data: &[u8]) -> Poll<()> {
        let budget = self.hold.budget();
        let mut wait = self
            .waiting
            .take()
            .unwrap_or_else(|| Box::new(budget.wait(self.terms.patience)));
        match wait.poll(cx, || self.has_room(data.len())) {
            Poll::Pending => {
                self.waiting = Some(wait);
                return Poll::Pending;
            }
            Poll::Ready(true) => {
                self.bytes.extend_from_slice(data);
                self.note();
            }
            Poll::Ready(false) => self.lose(Lost::no_room()),
        }
        Poll::Ready(())
    }

    /// Makes room for more bytes, with some to spare where there is enough.
    fn has_room(&mut self, more: usize) -> bool {
        let (length, capacity) = (self.bytes.len() + more, self.bytes.capacity());
        if length <= capacity {
            return true;
        }
        let spare = length.max(capacity / 2 * 3);
        let wanted = [spare, length]
            .into_iter()
            .find(|wanted| self.hold.grow(wanted - capacity));
        if let Some(wanted) = wanted {
            self.bytes.reserve_exact(wanted - self.bytes.len());
        }
        wanted.is_some()
    }

    fn note(&mut self) {
        if let Some((side, log)) = &self.log {
            let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
            log.note(*side, self.bytes.len() as u64);
        }
    }

    /// The body came to its end, where it did not break off before.
    pub(crate) fn end(&mut self) {
        if matches!(self.state, State::Open) {
            self.state = State::Whole(HeaderMap::new());
            self.note();
        }
    }

    /// Notes why the body breaks off.
    pub(crate) fn fails(&mut self, fault: Option<Fault>) {
        self.fault = fault;
    }

    /// The body broke off.
    pub(crate) fn cut(&mut self, who: Ending, reason: String) {
        if matches!(self.state, State::Open) {
            self.state = State::Cut(who, reason);
        }
    }

    /// True where all of a body of a known length is here.
    pub(crate) fn has_all(&self) -> bool {
        self.declared == Some(self.bytes.len() as u64)
    }

    fn lose(&mut self, lost: Lost) {
        if matches!(self.state, State::Open) {
            self.state = State::Lost(lost);
            self.waiting = None;
            self.bytes = Vec::new();
            self.hold = self.hold.empty();
        }
    }

    /// What was captured, or why there is nothing.
    pub(crate) fn take(&mut self) -> Result<Taken, Lost> {
        if self.has_all() {
            self.end();
        }
        // Who waits for room is still to be woken, so that what it holds back goes on.
        let taken = State::Lost(Lost::Partial("it was taken".to_owned()));
        let (trailers, cut) = match std::mem::replace(&mut self.state, taken) {
            State::Whole(trailers) => (trailers, None),
            State::Cut(who, reason) => (HeaderMap::new(), Some((who, reason))),
            State::Open => {
                let reason = "it was not sent to its end".to_owned();
                (HeaderMap::new(), Some((Ending::Client, reason)))
            }
            State::Lost(lost) => return Err(lost),
        };
        let bytes = Bytes::from(std::mem::take(&mut self.bytes));
        let rest = self.hold.empty();
        Ok(Taken {
            bytes,
            trailers,
            hold: std::mem::replace(&mut self.hold, rest),
            fault: cut.as_ref().and(self.fault.take()),
            cut,
        })
    }
}
