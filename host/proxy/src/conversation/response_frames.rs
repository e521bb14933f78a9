//! The body of a response that a task writes while it listens to the client.

use std::task::Context;

use bytes::Bytes;
use http::HeaderMap;
use http_body::Frame;
use tokio::sync::mpsc;

use crate::replay::timed_body::{PolledFrame, RecordedAbort};

/// Frames that wait to be sent.
const QUEUE_CAPACITY: usize = 4;

/// The side that is sent.
pub(crate) struct FrameReceiver(mpsc::Receiver<Result<Frame<Bytes>, RecordedAbort>>);

/// The side that is written.
pub(super) struct FrameSender(mpsc::Sender<Result<Frame<Bytes>, RecordedAbort>>);

/// Nobody reads any more.
#[derive(Debug)]
pub(super) struct ClientGone;

impl FrameReceiver {
    pub(super) fn new() -> (FrameSender, Self) {
        let (pen, frames) = mpsc::channel(QUEUE_CAPACITY);
        (FrameSender(pen), Self(frames))
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

    /// Breaks the response off.
    pub(super) async fn abort(&self) {
        // Who is gone sees it no more.
        let _ = self.0.send(Err(RecordedAbort::default())).await;
    }

    /// Returns once nobody reads any more.
    pub(super) async fn closed(&self) {
        self.0.closed().await;
    }
}
