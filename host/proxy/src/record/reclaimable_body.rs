//! A request body that is returned if the upstream fails before it has read all of it.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use tokio::sync::oneshot;

use super::teed_request_body::TeedRequestBody;
use ouli_net::server::IncomingBodyError;

/// A body that is sent back through a channel when it is dropped before its end.
pub(super) struct ReclaimableBody {
    body: Option<TeedRequestBody>,
    return_to: Option<oneshot::Sender<TeedRequestBody>>,
}

/// Receives the body.
pub(super) struct BodyReclaimer(oneshot::Receiver<TeedRequestBody>);

impl ReclaimableBody {
    pub(super) fn new(
        body: TeedRequestBody,
        return_to: Option<oneshot::Sender<TeedRequestBody>>,
    ) -> Self {
        let body = Some(body);
        Self { body, return_to }
    }
}

impl BodyReclaimer {
    pub(super) fn channel() -> (oneshot::Sender<TeedRequestBody>, Self) {
        let (return_to, receiver) = oneshot::channel();
        (return_to, Self(receiver))
    }

    /// Reads the rest, so that the capture of the body is complete.
    pub(super) async fn drain(self) {
        let Ok(mut body) = self.0.await else {
            return;
        };
        while let Some(Ok(_)) = body.frame().await {}
    }
}

impl Drop for ReclaimableBody {
    fn drop(&mut self) {
        let body = self.body.take().filter(|body| !body.is_end_stream());
        if let (Some(body), Some(return_to)) = (body, self.return_to.take()) {
            // Without a receiver the body is dropped.
            let _ = return_to.send(body);
        }
    }
}

impl Body for ReclaimableBody {
    type Data = Bytes;
    type Error = IncomingBodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, IncomingBodyError>>> {
        match &mut self.body {
            Some(body) => Pin::new(body).poll_frame(cx),
            None => Poll::Ready(None),
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
