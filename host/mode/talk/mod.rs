//! Conversations replayed as they went: what the server said comes once the client has said what
//! came before it.

mod agree;
mod begin;
mod call;
mod cursor;
mod frames;
mod input;
mod socket;

use std::sync::Arc;

pub(super) use begin::{socket, socket_or_tunnel};
pub(super) use call::{call, call_or_ask};
pub(super) use cursor::Cursor;
pub(super) use frames::Frames;

use super::ExchangeError;
use super::context::Asked;
use super::replay::{self, LookedUp};
use crate::exchange;
use crate::exchange::stream::Protocol;
use crate::session::{Chosen, Line};

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
        let exhausted = replay::exhausted(asked);
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
    request: exchange::Request,
) -> Result<Arc<LookedUp>, ExchangeError> {
    Ok(Arc::new(replay::look_up_request(asked, request).await?))
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
