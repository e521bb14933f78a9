//! Explains why a conversation has no recording: by a message of the client, or by the end of its
//! messages.

use std::sync::Arc;

use crate::handler::{Endpoint, Snapshot};
use crate::replay::Lookup;
use crate::session::{ComparisonBudget, Entry, ReceivedMessage, Session, UnmatchedMessage};
use ouli_matching::miss::Miss;
use ouli_message::stream::Protocol;
use ouli_plugin::PluginFailure;

/// What the client did that no recorded conversation has.
#[derive(Clone, Copy)]
pub(super) struct Unmatched<'a> {
    pub(super) protocol: Protocol,
    /// The index of the message among the client's messages, from 0.
    pub(super) position: usize,
    /// The message; none if the client ended its messages.
    pub(super) message: Option<ReceivedMessage<'a>>,
}

/// Compares it with the recorded conversations of the same key.
///
/// # Errors
/// If a plugin fails.
pub(super) fn explain(
    (snapshot, endpoint, session): (&Snapshot, &Endpoint, &Session),
    lookup: &Lookup,
    entries: &[Arc<Entry>],
    unmatched: Unmatched<'_>,
) -> Result<Miss, PluginFailure> {
    let request = lookup.reported_view(&snapshot.plugins, &endpoint.name, session)?;
    let unmatched = UnmatchedMessage {
        request: &request,
        protocol: unmatched.protocol,
        position: unmatched.position,
        message: unmatched.message,
        budget: ComparisonBudget::new(snapshot.config.limits.miss_comparison),
        guidance: snapshot.guidance(endpoint, session.name()),
    };
    let mut miss = lookup.index.explain_unmatched_message(unmatched, entries)?;
    snapshot.withhold_secrets(&mut miss, session);
    Ok(miss)
}
