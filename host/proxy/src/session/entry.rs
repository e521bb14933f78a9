//! A recorded exchange and its replay count.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::session_memory::IndexReservation;
use http::StatusCode;
use ouli_cassette::{Place, RecordedExchange};
use ouli_message::stream::{Message, Protocol, StreamContent};
use ouli_message::{Exchange, Failure, Request, Response, Stream};

/// A recorded exchange and how often it was replayed.
#[derive(Debug)]
pub struct Entry {
    /// Its number in the cassette, from 1.
    pub ordinal: u64,
    /// Its place in the text of the cassette.
    pub(super) place: Place,
    /// Name of the endpoint that received the request.
    pub endpoint: String,
    /// The request, redacted.
    pub request: Arc<Request>,
    /// The response, redacted.
    pub response: Response,
    /// The stream, redacted, if the exchange was one.
    pub stream: Option<Stream>,
    /// The failure, if the exchange failed.
    pub failure: Option<Failure>,
    /// The run of this process that recorded it; 0 if none did. It is replayed to later ones.
    recorded_in: u64,
    /// Replays in all runs of this process.
    total_replays: Arc<AtomicU64>,
    /// Its memory, which it may share with the other exchanges of its cassette.
    memory: Option<Arc<IndexReservation>>,
}

impl Entry {
    /// An exchange that was not replayed yet.
    pub fn new(place: impl Into<Place>, exchange: Exchange) -> Self {
        let place = place.into();
        Self {
            ordinal: place.number,
            place,
            endpoint: exchange.endpoint,
            request: Arc::new(exchange.request),
            response: exchange.response,
            stream: exchange.stream,
            failure: exchange.failure,
            recorded_in: 0,
            total_replays: Arc::default(),
            memory: None,
        }
    }

    /// An exchange of a cassette. Its coded body is that of the recorded one, so an edited exchange
    /// is replayed without it.
    pub(super) fn loaded(mut recorded: RecordedExchange, memory: &Arc<IndexReservation>) -> Self {
        if recorded.edited {
            recorded.exchange.response.coded.forget_exact();
        }
        Self {
            ordinal: recorded.ordinal,
            memory: Some(Arc::clone(memory)),
            ..Self::new(recorded.place, recorded.exchange)
        }
    }

    /// An exchange that was recorded in this process, so it does not count as unused.
    pub(super) fn just_recorded(
        place: Place,
        exchange: Exchange,
        memory: IndexReservation,
    ) -> Self {
        Self {
            memory: Some(Arc::new(memory)),
            ..Self::new(place, exchange).not_unused()
        }
    }

    /// The same entry, which this run recorded.
    pub(super) fn recorded_by(self, run: u64) -> Self {
        Self {
            recorded_in: run,
            ..self
        }
    }

    /// The run of this process that recorded it; 0 if none did.
    pub(super) fn recorded_in(&self) -> u64 {
        self.recorded_in
    }

    /// The same entry, which does not count as unused.
    pub(super) fn not_unused(self) -> Self {
        self.total_replays.store(1, Ordering::Relaxed);
        self
    }

    /// The same exchange with another number.
    pub(super) fn renumbered(&self, ordinal: u64) -> Self {
        Self {
            ordinal,
            place: self.place,
            endpoint: self.endpoint.clone(),
            request: Arc::clone(&self.request),
            response: self.response.clone(),
            stream: self.stream.clone(),
            failure: self.failure,
            recorded_in: self.recorded_in,
            total_replays: Arc::clone(&self.total_replays),
            memory: self.memory.clone(),
        }
    }

    /// True if it has this content.
    pub(super) fn is_equal(&self, ordinal: u64, exchange: &Exchange) -> bool {
        self.ordinal == ordinal
            && self.endpoint == exchange.endpoint
            && *self.request == exchange.request
            && self.response == exchange.response
            && self.stream == exchange.stream
            && self.failure == exchange.failure
    }

    /// Continues the replays of an exchange that was read before the cassette was edited. False
    /// unless it has the same request.
    pub(super) fn continue_replays(&mut self, before: &Self) -> bool {
        let is_same = self.request == before.request && self.endpoint == before.endpoint;
        if is_same {
            self.total_replays = Arc::clone(&before.total_replays);
        }
        is_same
    }

    /// It is replayed.
    pub(super) fn count_in_all_runs(&self) {
        self.total_replays.fetch_add(1, Ordering::Relaxed);
    }

    /// It was not replayed after all.
    pub(super) fn discount_in_all_runs(&self) {
        self.total_replays.fetch_sub(1, Ordering::Relaxed);
    }

    /// It gave a response to a request for its head or a part. It can still be replayed itself, and
    /// does not count as unused.
    pub(crate) fn mark_served(&self) {
        self.total_replays.fetch_add(1, Ordering::Relaxed);
    }

    /// The messages of a conversation; `None` unless it is a conversation of this protocol.
    pub fn messages(&self, protocol: Protocol) -> Option<&[Message]> {
        match &self.stream.as_ref()?.content {
            StreamContent::Messages(own, messages) if *own == protocol => Some(messages),
            StreamContent::Messages(..) | StreamContent::Chunks(..) => None,
        }
    }

    /// True if both are conversations with the same response head. The head of a call does not
    /// count: it is sent once the client has received what only this conversation has.
    pub fn has_same_response_head(&self, other: &Self, protocol: Protocol) -> bool {
        self.messages(protocol).is_some()
            && (protocol == Protocol::Grpc
                || (self.response.status == other.response.status
                    && self.response.fields == other.response.fields))
    }

    /// The failure, if no response head was received.
    pub fn failure_without_response(&self) -> Option<Failure> {
        self.failure
            .filter(|failure| failure.cause.is_before_response())
    }

    /// True if it failed, or if the status asks for another attempt: with credentials, later, or
    /// because the server failed.
    pub(super) fn has_failed(&self) -> bool {
        let status = self.response.status;
        self.failure.is_some()
            || status.is_server_error()
            || matches!(
                status,
                StatusCode::UNAUTHORIZED
                    | StatusCode::PROXY_AUTHENTICATION_REQUIRED
                    | StatusCode::REQUEST_TIMEOUT
                    | StatusCode::TOO_EARLY
                    | StatusCode::TOO_MANY_REQUESTS
            )
    }

    /// True if it was replayed in any run of this process, or recorded by it.
    pub(super) fn is_used_in_any_run(&self) -> bool {
        self.total_replays.load(Ordering::Relaxed) > 0
    }

    /// Method and target, for reports.
    pub fn request_line(&self) -> String {
        format!("{} {}", self.request.method, self.request.target)
    }
}
