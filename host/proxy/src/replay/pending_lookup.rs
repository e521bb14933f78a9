//! Counts requests whose clients leave before it is known whether they are recorded.

use std::future::Future;

use crate::handler::{ExchangeError, RequestContext};
use crate::session::{Outcome, Session};
use ouli_config::Defect;

/// A request that is looked up.
struct PendingLookup<'a> {
    session: &'a Session,
    has_ended: bool,
}

impl Drop for PendingLookup<'_> {
    fn drop(&mut self) {
        if !self.has_ended {
            let reason = "the client left before its request was looked up".to_owned();
            let outcome = Outcome::Failed(Defect::Partial, reason);
            self.session.counters().count(outcome);
        }
    }
}

/// Runs a lookup, and counts the request if its client leaves meanwhile: it is neither answered nor
/// forwarded.
pub(crate) async fn counted<T>(
    context: &RequestContext<'_>,
    lookup: impl Future<Output = Result<T, ExchangeError>>,
) -> Result<T, ExchangeError> {
    let mut pending = PendingLookup {
        session: &context.session,
        has_ended: false,
    };
    let result = lookup.await;
    pending.has_ended = true;
    result
}
