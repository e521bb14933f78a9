//! What the pool knows about its connections.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use hyper::client::conn::http2;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::connection::{Connection, Http1Connection, Http2Stream};
use crate::upstream::bounds::Bounds;
use crate::upstream::connector::Connector;
use crate::upstream::error::BoxError;
use crate::upstream::request_body::TimedRequestBody;
use crate::upstream::stream_permit::{StreamCount, StreamPermit};

/// The pool of one upstream.
pub(in crate::upstream) struct Pool {
    pub(super) connector: Connector,
    pub(super) bounds: Bounds,
    /// Streams of one HTTP/2 connection. As many fit into its window, so that clients that do not
    /// read cannot stop the other streams of the connection.
    pub(super) max_streams: usize,
    pub(super) state: Mutex<State>,
    /// A connection or a stream has become free, or an attempt to connect has ended.
    pub(super) changed: Notify,
}

pub(super) struct State {
    /// Idle connections. The one that was used last is the last.
    pub(super) http1: Vec<Idle>,
    pub(super) http2: Vec<Http2Entry>,
    /// Connections that are being opened.
    pub(super) connecting: usize,
    pub(super) latest_attempt: Option<Arc<Attempt>>,
    /// Requests that wait for a connection.
    pub(super) waiting: usize,
    pub(super) protocol: Protocol,
    /// Streams that the next HTTP/2 connection is expected to allow.
    pub(super) expected_streams: usize,
    /// Streams of one connection that the upstream can bear, and until when that is assumed.
    pub(super) bearable: Option<(usize, Instant)>,
    pub(super) last_number: u64,
    /// A task closes connections that are idle for too long.
    pub(super) has_idle_task: bool,
}

pub(super) struct Idle {
    pub(super) connection: Http1Connection,
    pub(super) since: Instant,
}

/// An HTTP/2 connection that takes requests.
pub(super) struct Http2Entry {
    pub(super) number: u64,
    pub(super) sender: http2::SendRequest<TimedRequestBody>,
    pub(super) open: usize,
    /// Streams that the upstream allows. None before its settings.
    pub(super) allowed: Option<usize>,
    /// Streams that it has shown to allow, by refusing one.
    pub(super) refused_above: usize,
    /// It has taken a request.
    pub(super) was_used: bool,
    pub(super) has_answered: bool,
    pub(super) idle_since: Instant,
}

/// The protocol that the upstream selected last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Unknown,
    Http1,
    Http2,
}

/// An attempt to open a connection. All requests that wait for it get its error.
#[derive(Default)]
pub(super) struct Attempt {
    is_done: AtomicBool,
    error: OnceLock<Arc<BoxError>>,
}

impl Attempt {
    pub(super) fn finish(&self) {
        self.is_done.store(true, Ordering::Relaxed);
    }

    /// There is a connection, or an error.
    pub(super) fn is_done(&self) -> bool {
        self.is_done.load(Ordering::Relaxed)
    }

    pub(super) fn fail(&self, error: BoxError) {
        // The first error counts.
        let _ = self.error.set(Arc::new(error));
    }

    pub(super) fn error(&self) -> Option<Arc<BoxError>> {
        self.error.get().cloned()
    }
}

/// Streams before the settings of the upstream have arrived: one, so that the first request does
/// not wait for them and no other is refused.
const STREAMS_BEFORE_SETTINGS: usize = 1;

/// Streams that an upstream is expected to allow: what RFC 9113, section 6.5.2, recommends.
pub(super) const EXPECTED_STREAMS: usize = 100;

/// How long an upstream that was overloaded by a connection gets fewer streams on each.
const OVERLOAD_MEMORY: Duration = Duration::from_secs(30);

/// By how much fewer: so fast that a request finds a connection before it is given up.
const OVERLOAD_DIVISOR: usize = 4;

impl Http2Entry {
    fn capacity(&self, max_streams: usize) -> usize {
        let allowed = self.allowed.unwrap_or(STREAMS_BEFORE_SETTINGS);
        allowed.min(self.refused_above).min(max_streams)
    }
}

impl State {
    fn entry(&mut self, number: u64) -> Option<&mut Http2Entry> {
        self.http2.iter_mut().find(|entry| entry.number == number)
    }

    fn bearable_streams(&self) -> usize {
        let valid = self.bearable.filter(|(_, until)| *until > Instant::now());
        valid.map_or(usize::MAX, |(streams, _)| streams)
    }

    /// Requests that can be sent once the connections that are being opened are open.
    pub(super) fn coming(&self) -> usize {
        let each = match self.protocol {
            Protocol::Unknown => usize::MAX,
            Protocol::Http1 => 1,
            Protocol::Http2 => self.expected_streams.min(self.bearable_streams()).max(1),
        };
        let streams = self.http2.iter().map(|entry| match entry.allowed {
            None => each.saturating_sub(entry.open),
            // It allows streams later. Another connection would allow none either.
            Some(0) => usize::MAX,
            Some(_) => 0,
        });
        streams.fold(self.connecting.saturating_mul(each), usize::saturating_add)
    }
}

impl Pool {
    pub(in crate::upstream) fn new(
        connector: Connector,
        bounds: &Bounds,
        is_http2: Option<bool>,
    ) -> Arc<Self> {
        let windows = bounds.connection_window / bounds.stream_window.max(1);
        let max_streams = usize::try_from(windows).unwrap_or(usize::MAX).max(1);
        let state = State {
            http1: Vec::new(),
            http2: Vec::new(),
            connecting: 0,
            latest_attempt: None,
            waiting: 0,
            protocol: match is_http2 {
                Some(true) => Protocol::Http2,
                Some(false) => Protocol::Http1,
                None => Protocol::Unknown,
            },
            expected_streams: EXPECTED_STREAMS.min(max_streams),
            bearable: None,
            last_number: 0,
            has_idle_task: false,
        };
        Arc::new(Self {
            connector,
            bounds: bounds.clone(),
            max_streams,
            state: Mutex::new(state),
            changed: Notify::new(),
        })
    }

    /// A free connection. With `is_new`, one that has served no request on HTTP/1.1.
    pub(super) fn take(self: &Arc<Self>, state: &mut State, is_new: bool) -> Option<Connection> {
        let max = self.max_streams.min(state.bearable_streams());
        let free =
            |entry: &&mut Http2Entry| entry.open < entry.capacity(max) && !entry.sender.is_closed();
        if let Some(entry) = state.http2.iter_mut().find(free) {
            entry.open += 1;
            entry.was_used = true;
            let count: Arc<dyn StreamCount> = Arc::<Self>::clone(self);
            return Some(Connection::Http2(Http2Stream {
                sender: entry.sender.clone(),
                permit: StreamPermit::new(entry.number, count),
                is_reused: entry.has_answered,
            }));
        }
        take_http1(&mut state.http1, is_new, self.bounds.idle_timeout).map(Connection::Http1)
    }

    /// The connection has answered a request.
    pub(in crate::upstream) fn on_answer(&self, number: u64) {
        if let Some(entry) = self.state.lock().entry(number) {
            entry.has_answered = true;
        }
    }

    /// The upstream refused a stream. The connection takes fewer from now on, or none if it had no
    /// other.
    pub(in crate::upstream) fn on_refused(&self, number: u64) {
        let mut state = self.state.lock();
        let Some(entry) = state.entry(number) else {
            return;
        };
        // The refused one is still counted.
        entry.refused_above = entry.open.saturating_sub(1).min(entry.refused_above);
        if entry.refused_above == 0 {
            self.remove(&mut state, number);
        }
    }

    /// The upstream reset a stream because the connection is too much for it. The connection takes
    /// no more requests, and others fewer at a time.
    pub(in crate::upstream) fn on_overloaded(&self, number: u64) {
        let mut state = self.state.lock();
        // One connection counts once, however many streams it loses.
        if let Some(open) = state.entry(number).map(|entry| entry.open) {
            let fewer = (open.min(state.bearable_streams()) / OVERLOAD_DIVISOR).max(1);
            state.bearable = Some((fewer, Instant::now() + OVERLOAD_MEMORY));
            self.remove(&mut state, number);
        }
    }

    /// The upstream's settings allow so many streams.
    pub(super) fn on_settings(&self, number: u64, allowed: usize) {
        let mut state = self.state.lock();
        state.expected_streams = allowed.clamp(1, self.max_streams);
        if let Some(entry) = state.entry(number) {
            entry.allowed = Some(allowed);
            self.changed.notify_waiters();
        }
    }

    /// The connection takes no more requests. Those in progress go on.
    pub(in crate::upstream) fn retire(&self, number: u64) {
        self.remove(&mut self.state.lock(), number);
    }

    /// The connection has ended. False if it has taken no request.
    pub(super) fn end(&self, number: u64) -> bool {
        let mut state = self.state.lock();
        let was_used = state.entry(number).is_none_or(|entry| entry.was_used);
        self.remove(&mut state, number);
        was_used
    }

    fn remove(&self, state: &mut State, number: u64) {
        let before = state.http2.len();
        state.http2.retain(|entry| entry.number != number);
        if state.http2.len() < before {
            self.changed.notify_waiters();
        }
    }
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Pool").field(&self.connector).finish()
    }
}

impl StreamCount for Pool {
    fn release(self: Arc<Self>, number: u64) {
        let mut state = self.state.lock();
        let Some(entry) = state.entry(number) else {
            return;
        };
        entry.open -= 1;
        if entry.open == 0 {
            entry.idle_since = Instant::now();
            self.on_idle_http2(&mut state, number);
        }
        if state.waiting > 0 {
            self.changed.notify_one();
        }
    }
}

fn take_http1(idle: &mut Vec<Idle>, is_new: bool, timeout: Duration) -> Option<Http1Connection> {
    if is_new {
        let new = idle.iter().rposition(|idle| !idle.connection.is_reused)?;
        return Some(idle.remove(new).connection);
    }
    let newest = idle.last()?;
    if newest.since.elapsed() >= timeout {
        idle.clear();
        return None;
    }
    while let Some(Idle { connection, .. }) = idle.pop() {
        if connection.sender.is_ready() {
            return Some(connection);
        }
    }
    None
}
