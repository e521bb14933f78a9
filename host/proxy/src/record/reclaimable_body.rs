//! The body of a request that comes back where its upstream failed before it had all of it.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use tokio::sync::oneshot;

use super::tee_body::TeedRequest;
use ouli_net::server::ArrivalError;

/// A body that is handed back when it is dropped before its end.
pub(crate) struct Lent {
    body: Option<TeedRequest>,
    back: Option<oneshot::Sender<TeedRequest>>,
}

/// Where it comes back.
pub(crate) struct Returned(oneshot::Receiver<TeedRequest>);

impl Lent {
    pub(crate) fn new(body: TeedRequest, back: Option<oneshot::Sender<TeedRequest>>) -> Self {
        let body = Some(body);
        Self { body, back }
    }
}

impl Returned {
    pub(crate) fn channel() -> (oneshot::Sender<TeedRequest>, Self) {
        let (back, returned) = oneshot::channel();
        (back, Self(returned))
    }

    /// Reads what is left, so that the copy of the body is whole.
    pub(crate) async fn read(self) {
        let Ok(mut body) = self.0.await else {
            return;
        };
        while let Some(Ok(_)) = body.frame().await {}
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let body = self.body.take().filter(|body| !body.is_end_stream());
        if let (Some(body), Some(back)) = (body, self.back.take()) {
            // Where nobody waits for it, it is dropped.
            let _ = back.send(body);
        }
    }
}

impl Body for Lent {
    type Data = Bytes;
    type Error = ArrivalError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ArrivalError>>> {
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
