//! The body of a response that a task writes while it reads the request.

use std::task::Context;

use bytes::Bytes;
use http::HeaderMap;
use http_body::Frame;
use tokio::sync::mpsc;

use crate::replay::timed_body::{PolledFrame, RecordedAbort};

/// Frames that are buffered.
const QUEUE_CAPACITY: usize = 4;

/// The body of the response.
pub(crate) struct FrameReceiver(mpsc::Receiver<Result<Frame<Bytes>, RecordedAbort>>);

/// Writes the body.
pub(super) struct FrameSender(mpsc::Sender<Result<Frame<Bytes>, RecordedAbort>>);

/// The client has disconnected.
#[derive(Debug)]
pub(super) struct ClientGone;

impl FrameReceiver {
    pub(super) fn new() -> (FrameSender, Self) {
        let (sender, receiver) = mpsc::channel(QUEUE_CAPACITY);
        (FrameSender(sender), Self(receiver))
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> PolledFrame {
        let polled = self.0.poll_recv(cx);
        polled.map(|frame| frame.map(|frame| frame.map_err(Into::into)))
    }
}

impl FrameSender {
    pub(super) async fn data(&self, bytes: Bytes) -> Result<(), ClientGone> {
        self.0
            .send(Ok(Frame::data(bytes)))
            .await
            .map_err(|_| ClientGone)
    }

    pub(super) async fn trailers(&self, trailers: HeaderMap) -> Result<(), ClientGone> {
        let frame = Frame::trailers(trailers);
        self.0.send(Ok(frame)).await.map_err(|_| ClientGone)
    }

    /// Aborts the response.
    pub(super) async fn abort(&self) {
        // A client that has disconnected receives no error.
        let _ = self.0.send(Err(RecordedAbort::default())).await;
    }

    /// Returns when the client disconnects.
    pub(super) async fn closed(&self) {
        self.0.closed().await;
    }
}
