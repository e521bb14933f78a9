//! Counts requests that end before it is known whether they are recorded.

use std::future::Future;

use crate::handler::{ExchangeError, RequestContext, SharedState};
use crate::session::{Outcome, Session};
use ouli_config::Defect;

/// A request that is looked up.
struct PendingLookup<'a> {
    session: &'a Session,
    shared: &'a SharedState,
    has_ended: bool,
}

impl Drop for PendingLookup<'_> {
    fn drop(&mut self) {
        if !self.has_ended {
            let reason = self.shared.reason_for_ending("its request was looked up");
            let outcome = Outcome::Failed(Defect::Partial, reason);
            self.session.counters().count(outcome);
        }
    }
}

/// Runs a lookup, and counts the request if its client leaves or the gateway stops meanwhile: it is
/// neither answered nor forwarded.
pub(crate) async fn counted<T>(
    context: &RequestContext<'_>,
    lookup: impl Future<Output = Result<T, ExchangeError>>,
) -> Result<T, ExchangeError> {
    let mut pending = PendingLookup {
        session: &context.session,
        shared: &context.handler.shared,
        has_ended: false,
    };
    let result = lookup.await;
    pending.has_ended = true;
    result
}
