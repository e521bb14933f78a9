//! The body of a response that a task writes while it listens to the client.

use std::task::Context;

use bytes::Bytes;
use http::HeaderMap;
use http_body::Frame;
use tokio::sync::mpsc;

use crate::replay::timed_body::{BrokenOff, Polled};

/// Frames that wait to be sent.
const QUEUE: usize = 4;

/// The side that is sent.
pub(crate) struct Frames(mpsc::Receiver<Result<Frame<Bytes>, BrokenOff>>);

/// The side that is written.
pub(super) struct Pen(mpsc::Sender<Result<Frame<Bytes>, BrokenOff>>);

/// Nobody reads any more.
#[derive(Debug)]
pub(super) struct Gone;

impl Frames {
    pub(super) fn new() -> (Pen, Self) {
        let (pen, frames) = mpsc::channel(QUEUE);
        (Pen(pen), Self(frames))
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Polled {
        let polled = self.0.poll_recv(cx);
        polled.map(|frame| frame.map(|frame| frame.map_err(Into::into)))
    }
}

impl Pen {
    pub(super) async fn data(&self, bytes: Bytes) -> Result<(), Gone> {
        self.0.send(Ok(Frame::data(bytes))).await.map_err(|_| Gone)
    }

    pub(super) async fn trailers(&self, trailers: HeaderMap) -> Result<(), Gone> {
        let frame = Frame::trailers(trailers);
        self.0.send(Ok(frame)).await.map_err(|_| Gone)
    }

    /// Breaks the response off.
    pub(super) async fn break_off(&self) {
        // Who is gone sees it no more.
        let _ = self.0.send(Err(BrokenOff::default())).await;
    }

    /// Returns once nobody reads any more.
    pub(super) async fn gone(&self) {
        self.0.closed().await;
    }
}
