//! An exchange as it was captured: content codings not removed, streams not split.

use ouli_message::stream::{Arrival, ChunkKind, Ending};
use ouli_message::{Failure, Request, Response};

/// A captured exchange.
#[derive(Debug)]
pub struct CapturedExchange {
    /// Name of the endpoint.
    pub endpoint: String,
    /// The request, with its body as received.
    pub request: Request,
    /// The response, with its body as received.
    pub response: Response,
    /// The stream, if the exchange was one.
    pub stream: Option<StreamCapture>,
    /// The failure, if the exchange failed.
    pub failure: Option<Failure>,
}

impl CapturedExchange {
    /// The size in bytes of both bodies.
    pub(super) fn size(&self) -> usize {
        self.request.body.inline().len() + self.response.body.inline().len()
    }
}

/// How the bytes of a stream arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamCapture {
    /// What the bytes are.
    pub kind: StreamKind,
    /// When they arrived.
    pub arrivals: Vec<Arrival>,
    /// How the stream ended.
    pub ending: Ending,
}

/// What the bytes of a stream are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamKind {
    /// A response body with chunks of this kind; `None` if the kind is not known.
    Body(Option<ChunkKind>),
    /// gRPC messages in both bodies.
    Grpc,
    /// WebSocket frames: the bodies hold the bytes of both sides.
    WebSocket,
}
