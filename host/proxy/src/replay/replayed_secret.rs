//! Keeps placeholders that replayed responses gave to a client from the upstream, which does not
//! know them.

use std::borrow::Borrow;
use std::sync::Arc;

use super::lookup::{Lookup, unsendable_error};
use crate::handler::{ExchangeError, RequestContext};

/// Checks that a request of which no response is recorded can be sent: its secrets are those of the
/// client. The upstream may repeat them from then on.
///
/// # Errors
/// If one is the placeholder of a recorded response.
pub(crate) async fn check_sendable(
    context: &RequestContext<'_>,
    lookup: impl Borrow<Lookup> + Send + 'static,
) -> Result<(), ExchangeError> {
    let found = {
        let own = lookup.borrow();
        let placeholders = own.index.placeholders_of(&own.match_key.key);
        if placeholders.is_empty() {
            own.index.send_secrets(&own.match_key.key);
            return Ok(());
        }
        let index = Arc::clone(&own.index);
        let reads = &context.handler.shared.body_reads;
        reads.run(move || index.replayed_secret(placeholders))
    };
    match found.await? {
        Some(secret) => Err(unsendable_error(context, lookup, secret).await),
        None => {
            let own = lookup.borrow();
            own.index.send_secrets(&own.match_key.key);
            Ok(())
        }
    }
}
