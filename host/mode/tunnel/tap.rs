//! The copy of what passes through a tunnel.

use std::sync::Arc;

use crate::exchange::stream::{Ending, Side};
use crate::mode::capture::Capture;
use crate::mode::context::Asked;
use crate::mode::draft::Draft;
use crate::mode::log::Log;
use crate::session::Kind;

/// Hears what passes.
pub(super) enum Tap {
    /// Nothing is kept.
    Nothing,
    /// It is recorded.
    Recording(Box<Recording>),
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
        let most = asked.snapshot.config.limits.recorded_body;
        let log = Log::new(budget).shared();
        let half = |side| Capture::new(most, budget).logged(side, Arc::clone(&log));
        Self::Recording(Box::new(Recording {
            client: half(Side::Client),
            server: half(Side::Server),
            draft: Some(draft.flowing(Kind::WebSocket, Arc::clone(&log))),
        }))
    }

    /// Bytes of one side pass; none at its end. With the end of the server the conversation is
    /// over, so that the exchange goes to the recorder before the client sees it.
    pub(super) fn hear(&mut self, side: Side, bytes: &[u8]) {
        let Self::Recording(recording) = self else {
            return;
        };
        if !bytes.is_empty() {
            recording.half(side).data(bytes);
            return;
        }
        recording.half(side).end();
        if side == Side::Server {
            *self = Self::Nothing;
        }
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
}

impl Drop for Recording {
    fn drop(&mut self) {
        if let Some(draft) = self.draft.take() {
            draft.finish(self.client.take(), self.server.take());
        }
    }
}
