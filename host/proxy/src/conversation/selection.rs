//! Selects the recorded conversation for a request that begins one.

use std::sync::Arc;

use crate::handler::{ExchangeError, RequestContext};
use crate::replay::{self, Lookup};
use crate::session::{ClaimedEntry, ClientMessageKey, ReplayQueue};
use ouli_message::stream::Protocol;

/// The recorded conversation for a request that begins one.
pub(super) enum Selection {
    /// This conversation, unless the client sends other messages.
    Found(ReplayQueue, ClaimedEntry),
    /// This many conversations match, and all of them are already replayed.
    Exhausted(usize),
    /// No recorded conversation matches, or only those with other secrets.
    NotFound,
}

impl Selection {
    pub(super) async fn of(
        context: &RequestContext<'_>,
        lookup: &mut Arc<Lookup>,
    ) -> Result<Self, ExchangeError> {
        // An exchange may have been recorded while the request was looked up.
        context.update_index(&lookup.index).await?;
        let exhausted = replay::exhausted_policy(context);
        let (index, key) = (&lookup.index, &lookup.match_key.key);
        let fields = lookup.request_view.fields();
        let queue = match ReplayQueue::of(index, key, fields, exhausted) {
            Ok(Some(queue)) => queue,
            Ok(None) => return Ok(Self::NotFound),
            Err(conflict) => {
                if let Some(lookup) = Arc::get_mut(lookup) {
                    lookup.conflict = Some(conflict);
                }
                return Ok(Self::NotFound);
            }
        };
        Ok(match queue.claim(|entry| index.bind(entry, key)) {
            Some(claimed) => Self::Found(queue, claimed),
            None => Self::Exhausted(queue.entries().len()),
        })
    }
}

pub(super) async fn look_up(
    context: &RequestContext<'_>,
    request: ouli_message::Request,
) -> Result<Arc<Lookup>, ExchangeError> {
    let lookup = replay::look_up_request(context, request);
    Ok(Arc::new(replay::counted(context, lookup).await?))
}

/// The keys of the client messages of a conversation. They are derived on a blocking thread, since
/// messages that are stored beside the cassette are read for it.
pub(super) async fn load_expected_keys(
    context: &RequestContext<'_>,
    lookup: &Arc<Lookup>,
    claimed: &ClaimedEntry,
    protocol: Protocol,
) -> Result<Arc<[ClientMessageKey]>, ExchangeError> {
    if let Some(expected_keys) = lookup.index.cached_client_message_keys(claimed.entry()) {
        return Ok(expected_keys);
    }
    let (index, entry) = (Arc::clone(&lookup.index), Arc::clone(claimed.entry()));
    let reads = &context.handler.shared.body_reads;
    let read = reads.run(move || index.client_message_keys(&entry, protocol));
    read.await?.map_err(|reason| {
        ExchangeError::Cassette(format!("a recorded conversation cannot be read: {reason}"))
    })
}
