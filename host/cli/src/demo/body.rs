//! The bodies that the demo sends.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Empty, Full};
use hyper::body::{Frame, SizeHint};
use ouli_net::server::RequestGuard;

/// A body that never fails.
pub(super) type Body = UnsyncBoxBody<Bytes, Infallible>;

/// A body without content.
pub(super) fn empty() -> Body {
    Empty::new().boxed_unsync()
}

/// A body that is sent at once.
pub(super) fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).boxed_unsync()
}

/// The body of a response. It marks the request as active until it is sent.
pub(super) struct GuardedBody {
    pub(super) body: Body,
    pub(super) _guard: Option<RequestGuard>,
}

impl hyper::body::Body for GuardedBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
