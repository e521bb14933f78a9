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

pub(super) use cursor::Cursor;
pub(super) use grpc_call::{call, call_or_ask};
pub(super) use response_frames::Frames;
pub(super) use start::{socket, socket_or_tunnel};

use crate::handler::context::Asked;
pub(crate) use crate::handler::error_response::ExchangeError;
use crate::replay::answer::{self, LookedUp};

use crate::session::{Chosen, Line};
use ouli_message::stream::Protocol;

/// What is replayed for a request that begins a conversation.
enum Cast {
    /// This exchange, until the client says something else.
    Chosen(Line, Chosen),
    /// All were replayed, and none is to be repeated.
    Spent(usize),
    /// Nothing like it is recorded.
    Nothing,
}

impl Cast {
    fn of(asked: &Asked<'_>, looked_up: &LookedUp) -> Self {
        let exhausted = answer::exhausted(asked);
        let Some(line) = Line::of(&looked_up.index, &looked_up.keyed.key, exhausted) else {
            return Self::Nothing;
        };
        match line.choose(|_| true) {
            Some(chosen) => Self::Chosen(line, chosen),
            None => Self::Spent(line.entries().len()),
        }
    }
}

async fn look_up(
    asked: &Asked<'_>,
    request: ouli_message::Request,
) -> Result<Arc<LookedUp>, ExchangeError> {
    Ok(Arc::new(answer::look_up_request(asked, request).await?))
}

/// The keys of what the client is to say. They are derived off the serving threads, where messages
/// that are stored beside the cassette can be read.
async fn script(
    looked_up: &Arc<LookedUp>,
    chosen: &Chosen,
    protocol: Protocol,
) -> Result<Arc<[u128]>, ExchangeError> {
    if let Some(script) = looked_up.index.known_said(chosen.entry()) {
        return Ok(script);
    }
    let (looked_up, entry) = (Arc::clone(looked_up), Arc::clone(chosen.entry()));
    let read = tokio::task::spawn_blocking(move || looked_up.index.said(&entry, protocol));
    match read.await {
        Ok(Ok(script)) => Ok(script),
        Ok(Err(reason)) => Err(ExchangeError::Gateway(format!(
            "a recorded conversation cannot be read: {reason}"
        ))),
        Err(error) => Err(ExchangeError::Gateway(error.to_string())),
    }
}
