//! A recorded exchange and its replay count.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ouli_message::stream::{Message, Protocol, StreamContent};
use ouli_message::{Exchange, Failure, Request, Response, Stream};

/// A recorded exchange and how often it was replayed.
#[derive(Debug)]
pub struct Entry {
    /// Its number in the cassette, from 1.
    pub ordinal: u64,
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
    replays: AtomicU64,
}

impl Entry {
    /// An exchange that was not replayed yet.
    pub fn new(ordinal: u64, exchange: Exchange) -> Self {
        Self {
            ordinal,
            endpoint: exchange.endpoint,
            request: Arc::new(exchange.request),
            response: exchange.response,
            stream: exchange.stream,
            failure: exchange.failure,
            replays: AtomicU64::new(0),
        }
    }

    /// An exchange that was recorded in this process. A failed one counts as replayed, because its
    /// client has seen the failure: a retry must not get the same failure from the cassette.
    pub(super) fn just_recorded(ordinal: u64, exchange: Exchange) -> Self {
        let entry = Self::new(ordinal, exchange);
        if entry.failure.is_some() {
            entry.count_replay();
        }
        entry
    }

    /// Claims the first replay; false if the exchange was claimed before.
    pub(super) fn claim_first(&self) -> bool {
        self.replays
            .compare_exchange(0, 1, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
    }

    pub(super) fn count_replay(&self) {
        self.replays.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns a claimed exchange that was not replayed after all.
    pub(super) fn release(&self) {
        self.replays.fetch_sub(1, Ordering::Relaxed);
    }

    /// The messages of a conversation; `None` unless it is a conversation of this protocol.
    pub fn messages(&self, protocol: Protocol) -> Option<&[Message]> {
        match &self.stream.as_ref()?.content {
            StreamContent::Messages(own, messages) if *own == protocol => Some(messages),
            StreamContent::Messages(..) | StreamContent::Chunks(..) => None,
        }
    }

    /// The failure, if no response head was received.
    pub fn failure_without_response(&self) -> Option<Failure> {
        self.failure
            .filter(|failure| failure.cause.is_before_response())
    }

    /// True if the upstream responded without asking for the body of the request (RFC 9110, section
    /// 10.1.1).
    pub(crate) fn refused_body(&self) -> bool {
        self.request.fields.get_str("expect").is_some() && self.request.body.size() == 0
    }

    /// True if it was replayed.
    pub fn is_used(&self) -> bool {
        self.replays.load(Ordering::Relaxed) > 0
    }

    /// Method and target, for reports.
    pub fn request_line(&self) -> String {
        format!("{} {}", self.request.method, self.request.target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::test_exchange::exchange;
    use ouli_message::FailureCause;
    use ouli_message::failure::{FailureKind, Phase};

    #[test]
    fn an_entry_is_claimed_once_until_it_is_released() {
        let entry = Entry::new(1, exchange());
        assert!(!entry.is_used());
        assert!(entry.claim_first());
        assert!(!entry.claim_first());
        entry.release();
        assert!(entry.claim_first());
    }

    #[test]
    fn a_failure_that_was_just_recorded_counts_as_replayed() {
        let mut failed = exchange();
        failed.failure = Some(Failure {
            cause: FailureCause::new(Phase::Body, FailureKind::Reset),
            at: 0,
        });
        assert!(Entry::just_recorded(1, failed.clone()).is_used());
        assert!(!Entry::new(1, failed).is_used());
        assert!(!Entry::just_recorded(1, exchange()).is_used());
    }
}
