//! The copy of what passes through a tunnel.

use std::sync::Arc;
use std::task::{Context, Poll, ready};

use crate::handler::context::Asked;
use crate::record::arrival_log::Log;
use crate::record::body_capture::{Capture, Terms};
use crate::record::pending_exchange::Draft;
use crate::record::recorder_delivery::Delivery;
use crate::session::Kind;
use ouli_message::stream::{Ending, Side};

/// Hears what passes.
pub(super) enum Tap {
    /// Nothing is kept.
    Nothing,
    /// It is recorded.
    Recording(Box<Recording>),
    /// It is over, and waits for room in the recorder's queue.
    Delivering(Box<Delivery>),
}

/// The bytes of both sides until the tunnel ends. Dropped, the exchange goes to the recorder.
pub(super) struct Recording {
    client: Capture,
    server: Capture,
    draft: Option<Draft>,
}

impl Tap {
    pub(super) fn recording(asked: &Asked<'_>, draft: Draft) -> Self {
        let budget = &asked.gate.live.budget;
        let terms = Terms::from(&*asked.snapshot.config);
        let log = Log::new(budget).shared();
        let half = |side| Capture::new(terms, budget).logged(side, Arc::clone(&log));
        Self::Recording(Box::new(Recording {
            client: half(Side::Client),
            server: half(Side::Server),
            draft: Some(draft.flowing(Kind::WebSocket, Arc::clone(&log))),
        }))
    }

    /// Bytes of one side pass; none at its end. With the end of the server the conversation is
    /// over, so that the exchange goes to the recorder before the client sees it. Pending while
    /// they are to be held back; they are offered again then.
    pub(super) fn poll_hear(&mut self, cx: &mut Context<'_>, side: Side, bytes: &[u8]) -> Poll<()> {
        if let Self::Recording(recording) = self {
            if !bytes.is_empty() {
                return recording.half(side).poll_data(cx, bytes);
            }
            recording.half(side).end();
            if side == Side::Server {
                let delivery = recording.finish();
                *self = delivery.map_or(Self::Nothing, |it| Self::Delivering(Box::new(it)));
            }
        }
        if let (Self::Delivering(delivery), Side::Server) = (&mut *self, side) {
            ready!(delivery.poll(cx));
            *self = Self::Nothing;
        }
        Poll::Ready(())
    }

    /// One side broke off.
    pub(super) fn broke(&mut self, side: Side, reason: &str) {
        if let Self::Recording(recording) = self {
            let who = match side {
                Side::Client => Ending::Client,
                Side::Server => Ending::Server,
            };
            // The ending is told by what came from the server's side.
            recording.server.cut(who, reason.to_owned());
        }
    }
}

impl Recording {
    fn half(&mut self, side: Side) -> &mut Capture {
        match side {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        }
    }

    fn finish(&mut self) -> Option<Delivery> {
        let draft = self.draft.take()?;
        draft.finish(self.client.take(), self.server.take())
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        // Nobody is left to be held back for it.
        drop(self.finish());
    }
}
