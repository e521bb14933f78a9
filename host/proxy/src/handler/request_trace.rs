//! The trace of a request: its span, and its line in the access log.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Once, OnceLock};

use http::uri::PathAndQuery;
use http::{Request, StatusCode};
use tracing::field::Empty;
use tracing::{Level, Span};

use super::access_log::{self, AccessOutcome, AccessRecord, AccessSubject};
use super::error::ExchangeError;
use super::logged_target::LoggedTarget;
use super::request_handler::RequestHandler;
use ouli_config::Mode;
use ouli_net::server::RequestGuard;
use ouli_redaction::Secrets;

/// The trace of a request, shared by everything that works on its exchange. It is empty, and costs
/// nothing, if no log line can show it.
///
/// A span takes some microseconds, and most requests log nothing. So the first line of
/// [`Self::in_span`] opens the span. It is open from the start where lines of other code need it:
/// with debug logs, or if guest code runs. The first line of [`Self::in_span`] adds the target.
#[derive(Clone, Default)]
pub(crate) struct RequestTrace(Option<Arc<Trace>>);

struct Trace {
    id: RequestId,
    mode: Option<Mode>,
    span: OnceLock<Span>,
    endpoint: Arc<str>,
    target: LoggedTarget,
    /// Records the target in the span before the first log line.
    target_recorded: Once,
    /// None if the access log is off.
    access: Option<AccessRecord>,
}

/// The number of a request in this process.
#[derive(Clone, Copy)]
struct RequestId(u64);

impl RequestId {
    fn next() -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        Self(LAST.fetch_add(1, Ordering::Relaxed) + 1)
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}", self.0)
    }
}

impl RequestTrace {
    pub(super) fn begin<B>(
        handler: &RequestHandler,
        request: &Request<B>,
        guard: &RequestGuard,
    ) -> Self {
        let snapshot = handler.shared.snapshot.load();
        let writes_access_log = snapshot.config.access_log && access_log::is_enabled();
        if !writes_access_log && !tracing::span_enabled!(Level::INFO) {
            return Self(None);
        }
        let endpoint = snapshot.endpoints.get(&handler.endpoint);
        let mode = endpoint.map(|endpoint| endpoint.configured.mode);
        let access = writes_access_log.then(|| AccessRecord::new(guard.peer(), request.version()));
        let trace = Trace {
            id: RequestId::next(),
            mode,
            span: OnceLock::new(),
            endpoint: Arc::clone(&handler.endpoint),
            target: LoggedTarget::new(request, &snapshot),
            target_recorded: Once::new(),
            access,
        };
        if tracing::span_enabled!(Level::DEBUG) || snapshot.plugins.calls_guests() {
            trace.open_span();
        }
        Self(Some(Arc::new(trace)))
    }

    /// The session is selected.
    pub(super) fn select(&self, session: Arc<str>, secrets: &Arc<Secrets>, target: &PathAndQuery) {
        let Some(trace) = &self.0 else {
            return;
        };
        if let Some(span) = trace.span.get() {
            span.record("session", &*session);
        }
        trace.target.select(session, secrets, target);
    }

    /// The span, for a task that works on the exchange; none if it is not open yet.
    pub(crate) fn span(&self) -> Span {
        let span = self.0.as_ref().and_then(|trace| trace.span.get());
        span.map_or_else(Span::none, Span::clone)
    }

    /// Runs a function that writes a log line, in the span with its target.
    pub(crate) fn in_span(&self, write: impl FnOnce()) {
        let Some(trace) = &self.0 else {
            return write();
        };
        let span = trace.open_span();
        if !span.is_disabled() {
            trace.target_recorded.call_once(|| {
                span.record("target", trace.target.text());
            });
        }
        span.in_scope(write);
    }

    /// Logs an error that the client receives. It is the outcome of the exchange.
    pub(crate) fn log_error(&self, error: &ExchangeError) {
        if error.is_logged() {
            self.in_span(|| error.log());
        }
        self.set_error(error);
    }

    /// The error is the outcome of the exchange.
    pub(super) fn set_error(&self, error: &ExchangeError) {
        self.set_outcome(AccessOutcome::of_error(error));
    }

    pub(crate) fn set_outcome(&self, outcome: AccessOutcome) {
        if let Some(access) = self.access() {
            access.set_outcome(outcome);
        }
    }

    pub(super) fn set_status(&self, status: StatusCode) {
        if let Some(access) = self.access() {
            access.set_status(status);
        }
    }

    /// The client disconnected before the end of the response.
    pub(super) fn client_gone(&self) {
        if let Some(access) = self.access() {
            access.client_gone();
        }
    }

    /// Counts the bytes that the client sends; none if the access log is off.
    pub(crate) fn bytes_in(&self) -> Option<Arc<AtomicU64>> {
        self.access().map(|access| Arc::clone(access.bytes_in()))
    }

    pub(crate) fn add_bytes_out(&self, bytes: usize) {
        if let Some(access) = self.access() {
            access.add_bytes_out(bytes);
        }
    }

    fn access(&self) -> Option<&AccessRecord> {
        self.0.as_ref()?.access.as_ref()
    }
}

impl Trace {
    fn open_span(&self) -> &Span {
        self.span.get_or_init(|| {
            tracing::info_span!(
                "request",
                id = %self.id,
                method = %self.target.method(),
                mode = self.mode.map(tracing::field::display),
                session = self.target.session(),
                target = Empty,
            )
        })
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        if let Some(access) = &self.access {
            access.write(&AccessSubject {
                id: self.id.to_string(),
                method: self.target.method(),
                target: self.target.text(),
                mode: self.mode.map(|mode| mode.to_string()),
                session: self.target.session(),
                endpoint: &self.endpoint,
            });
        }
    }
}
