//! Captures the bytes of a tunnel.

use std::sync::Arc;
use std::task::{Context, Poll, ready};

use crate::handler::RequestContext;
use crate::record::{ArrivalLog, BodyCapture, CaptureLimits, Delivery, PendingExchange};
use crate::session::StreamKind;
use ouli_message::stream::{Ending, Side};

/// The recording of a tunnel.
pub(super) enum Tap {
    /// The tunnel is not recorded.
    Off,
    /// The tunnel is recorded.
    Recording(Box<TunnelCapture>),
    /// The tunnel has ended, and its exchange waits for room in the recorder's queue.
    Delivering(Box<Delivery>),
}

/// The captured bytes of both sides. Submits the exchange when it is dropped.
pub(super) struct TunnelCapture {
    client: BodyCapture,
    server: BodyCapture,
    exchange: Option<PendingExchange>,
}

impl Tap {
    pub(super) fn recording(context: &RequestContext<'_>, exchange: PendingExchange) -> Self {
        let budget = &context.handler.shared.budget;
        let limits = CaptureLimits::from(&*context.snapshot.config);
        let log = ArrivalLog::new(budget).into_shared();
        let capture =
            |side| BodyCapture::new(limits, budget).with_arrival_log(side, Arc::clone(&log));
        Self::Recording(Box::new(TunnelCapture {
            client: capture(Side::Client),
            server: capture(Side::Server).told_to(exchange.learning_secrets()),
            exchange: Some(exchange.with_stream(StreamKind::WebSocket, Arc::clone(&log))),
        }))
    }

    /// Captures bytes of one side; an empty slice is its end. The end of the server ends the
    /// conversation: the exchange is submitted before the client sees it. Pending while the bytes
    /// wait for memory or the exchange for the queue: the caller offers them again.
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

    /// One side has aborted the tunnel.
    pub(super) fn abort(&mut self, side: Side, reason: &str) {
        if let Self::Recording(recording) = self {
            let ending = match side {
                Side::Client => Ending::ClientAborted,
                Side::Server => Ending::ServerAborted,
            };
            // The ending of the exchange is that of the server's capture.
            recording.server.abort(ending, reason.to_owned());
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
        let exchange = self.exchange.take()?;
        exchange.finish(self.client.take(), self.server.take())
    }
}

impl Drop for TunnelCapture {
    fn drop(&mut self) {
        // There is no client to slow down, so the delivery continues detached.
        drop(self.finish());
    }
}
