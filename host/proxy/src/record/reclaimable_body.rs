//! A request body that is returned if the upstream does not read all of it.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use tokio::sync::{Notify, oneshot};

use super::body_capture::SharedCapture;
use super::teed_request_body::TeedRequestBody;
use ouli_net::server::IncomingBodyError;

/// A body that is sent back through a channel when it is dropped before its end.
pub(super) struct ReclaimableBody {
    body: Option<TeedRequestBody>,
    return_to: Option<BodyReturn>,
    /// Held back until the response has ended.
    held_error: Option<IncomingBodyError>,
}

/// Where the body is sent back to.
pub(crate) struct BodyReturn {
    channel: oneshot::Sender<TeedRequestBody>,
    has_response: Arc<AtomicBool>,
    /// Notified if the client does not send the rest.
    failed: Arc<Notify>,
}

/// Receives the body. Kept until the exchange has ended.
pub(super) struct BodyReclaimer {
    channel: oneshot::Receiver<TeedRequestBody>,
    has_response: Arc<AtomicBool>,
    failed: Arc<Notify>,
}

impl ReclaimableBody {
    pub(super) fn new(body: TeedRequestBody, return_to: Option<BodyReturn>) -> Self {
        Self {
            body: Some(body),
            return_to,
            held_error: None,
        }
    }

    /// An error of the request makes hyper drop the response too. If that has begun, the error is
    /// held back until the response has ended.
    fn poll_held_error(&mut self, cx: &mut Context<'_>) -> PolledFrame {
        if let Some(return_to) = &mut self.return_to
            && return_to.has_response.load(Ordering::Acquire)
        {
            ready!(return_to.channel.poll_closed(cx));
        }
        Poll::Ready(self.held_error.take().map(Err))
    }
}

impl BodyReclaimer {
    pub(super) fn channel() -> (BodyReturn, Self) {
        let (sender, receiver) = oneshot::channel();
        let has_response = Arc::new(AtomicBool::new(false));
        let failed = Arc::new(Notify::new());
        let return_to = BodyReturn {
            channel: sender,
            has_response: Arc::clone(&has_response),
            failed: Arc::clone(&failed),
        };
        let reclaimer = Self {
            channel: receiver,
            has_response,
            failed,
        };
        (return_to, reclaimer)
    }

    /// The response has begun.
    pub(super) fn response_received(&self) {
        self.has_response.store(true, Ordering::Release);
    }

    /// Waits until the body is sent, or reads what the upstream does not take, so that the capture
    /// of the body is complete.
    pub(super) async fn drain(self, capture: &SharedCapture) {
        let returned = tokio::select! {
            biased;
            returned = self.channel => returned,
            () = self.failed.notified() => return,
        };
        let Ok(mut body) = returned else {
            return;
        };
        while capture.lock().is_open() {
            if !matches!(body.frame().await, Some(Ok(_))) {
                return;
            }
        }
    }
}

impl Drop for ReclaimableBody {
    fn drop(&mut self) {
        let body = self.body.take().filter(|body| !body.is_end_stream());
        if let (Some(body), Some(return_to)) = (body, self.return_to.take()) {
            // Without a receiver the body is dropped.
            let _ = return_to.channel.send(body);
        }
    }
}

/// The next frame of the body.
type PolledFrame = Poll<Option<Result<Frame<Bytes>, IncomingBodyError>>>;

impl Body for ReclaimableBody {
    type Data = Bytes;
    type Error = IncomingBodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> PolledFrame {
        if self.held_error.is_some() {
            return self.poll_held_error(cx);
        }
        let Some(body) = &mut self.body else {
            return Poll::Ready(None);
        };
        match ready!(Pin::new(body).poll_frame(cx)) {
            Some(Err(error)) => {
                // The connection of the client is not needed any more.
                self.body = None;
                if let Some(return_to) = &self.return_to {
                    return_to.failed.notify_one();
                }
                self.held_error = Some(error);
                self.poll_held_error(cx)
            }
            next => Poll::Ready(next),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let body = self.body.as_ref();
        body.map_or(SizeHint::with_exact(0), Body::size_hint)
    }
}
