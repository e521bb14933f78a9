//! Conversations replayed as they went: what the server said comes once the client has said what
//! came before it.

mod client_input;
mod cursor;
mod grpc_call;
mod response_frames;
mod start;
pub(crate) mod websocket;
mod websocket_terms;

use std::sync::Arc;

pub(super) use cursor::ConversationCursor;
pub(super) use grpc_call::{replay_call, replay_call_or_forward};
pub(super) use response_frames::FrameReceiver;
pub(super) use start::{replay_websocket, replay_websocket_or_tunnel};

use crate::handler::context::RequestContext;
pub(crate) use crate::handler::error_response::ExchangeError;
use crate::replay::answer::{self, Lookup};

use crate::session::{ClaimedEntry, ReplayQueue};
use ouli_message::stream::Protocol;

/// What is replayed for a request that begins a conversation.
enum Selection {
    /// This exchange, until the client says something else.
    Found(ReplayQueue, ClaimedEntry),
    /// All were replayed, and none is to be repeated.
    Exhausted(usize),
    /// Nothing like it is recorded.
    NotFound,
}

impl Selection {
    fn of(asked: &RequestContext<'_>, looked_up: &Lookup) -> Self {
        let exhausted = answer::exhausted_policy(asked);
        let Some(line) = ReplayQueue::of(&looked_up.index, &looked_up.match_key.key, exhausted)
        else {
            return Self::NotFound;
        };
        match line.claim(|_| true) {
            Some(chosen) => Self::Found(line, chosen),
            None => Self::Exhausted(line.entries().len()),
        }
    }
}

async fn look_up(
    asked: &RequestContext<'_>,
    request: ouli_message::Request,
) -> Result<Arc<Lookup>, ExchangeError> {
    Ok(Arc::new(answer::look_up_request(asked, request).await?))
}

/// The keys of what the client is to say. They are derived off the serving threads, where messages
/// that are stored beside the cassette can be read.
async fn load_expected_keys(
    looked_up: &Arc<Lookup>,
    chosen: &ClaimedEntry,
    protocol: Protocol,
) -> Result<Arc<[u128]>, ExchangeError> {
    if let Some(script) = looked_up.index.cached_client_message_keys(chosen.entry()) {
        return Ok(script);
    }
    let (looked_up, entry) = (Arc::clone(looked_up), Arc::clone(chosen.entry()));
    let read =
        tokio::task::spawn_blocking(move || looked_up.index.client_message_keys(&entry, protocol));
    match read.await {
        Ok(Ok(script)) => Ok(script),
        Ok(Err(reason)) => Err(ExchangeError::Internal(format!(
            "a recorded conversation cannot be read: {reason}"
        ))),
        Err(error) => Err(ExchangeError::Internal(error.to_string())),
    }
}
