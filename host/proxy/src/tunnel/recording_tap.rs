//! The copy of what passes through a tunnel.

use std::sync::Arc;
use std::task::{Context, Poll, ready};

use crate::handler::context::RequestContext;
use crate::record::arrival_log::ArrivalLog;
use crate::record::body_capture::{BodyCapture, CaptureLimits};
use crate::record::pending_exchange::PendingExchange;
use crate::record::recorder_delivery::Delivery;
use crate::session::StreamKind;
use ouli_message::stream::{Ending, Side};

/// Hears what passes.
pub(super) enum Tap {
    /// Nothing is kept.
    Off,
    /// It is recorded.
    Recording(Box<TunnelCapture>),
    /// It is over, and waits for room in the recorder's queue.
    Delivering(Box<Delivery>),
}

/// The bytes of both sides until the tunnel ends. Dropped, the exchange goes to the recorder.
pub(super) struct TunnelCapture {
    client: BodyCapture,
    server: BodyCapture,
    exchange: Option<PendingExchange>,
}

impl Tap {
    pub(super) fn recording(asked: &RequestContext<'_>, draft: PendingExchange) -> Self {
        let budget = &asked.handler.shared.budget;
        let terms = CaptureLimits::from(&*asked.snapshot.config);
        let log = ArrivalLog::new(budget).into_shared();
        let half = |side| BodyCapture::new(terms, budget).with_arrival_log(side, Arc::clone(&log));
        Self::Recording(Box::new(TunnelCapture {
            client: half(Side::Client),
            server: half(Side::Server),
            exchange: Some(draft.with_stream(StreamKind::WebSocket, Arc::clone(&log))),
        }))
    }

    /// Bytes of one side pass; none at its end. With the end of the server the conversation is
    /// over, so that the exchange goes to the recorder before the client sees it. Pending while
    /// they are to be held back; they are offered again then.
    pub(super) fn poll_capture(
        &mut self,
        cx: &mut Context<'_>,
        side: Side,
        bytes: &[u8],
    ) -> Poll<()> {
        if let Self::Recording(recording) = self {
            if !bytes.is_empty() {
                return recording.capture_of(side).poll_data(cx, bytes);
            }
            recording.capture_of(side).end();
            if side == Side::Server {
                let delivery = recording.finish();
                *self = delivery.map_or(Self::Off, |it| Self::Delivering(Box::new(it)));
            }
        }
        if let (Self::Delivering(delivery), Side::Server) = (&mut *self, side) {
            ready!(delivery.poll(cx));
            *self = Self::Off;
        }
        Poll::Ready(())
    }

    /// One side broke off.
    pub(super) fn abort(&mut self, side: Side, reason: &str) {
        if let Self::Recording(recording) = self {
            let who = match side {
                Side::Client => Ending::ClientAborted,
                Side::Server => Ending::ServerAborted,
            };
            // The ending is told by what came from the server's side.
            recording.server.abort(who, reason.to_owned());
        }
    }
}

impl TunnelCapture {
    fn capture_of(&mut self, side: Side) -> &mut BodyCapture {
        match side {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        }
    }

    fn finish(&mut self) -> Option<Delivery> {
        let draft = self.exchange.take()?;
        draft.finish(self.client.take(), self.server.take())
    }
}

impl Drop for TunnelCapture {
    fn drop(&mut self) {
        // Nobody is left to be held back for it.
        drop(self.finish());
    }
}
