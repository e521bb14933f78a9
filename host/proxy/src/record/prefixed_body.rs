//! A request body with a prefix that was read before it is forwarded.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::handler::RequestBody;
use ouli_net::server::IncomingBodyError;

/// A request body with a prefix that was read before it is forwarded.
pub(crate) struct PrefixedBody {
    prefix: Bytes,
    rest: RequestBody,
}

impl From<RequestBody> for PrefixedBody {
    fn from(rest: RequestBody) -> Self {
        Self {
            prefix: Bytes::new(),
            rest,
        }
    }
}

impl PrefixedBody {
    /// The bytes that were already read, then the rest.
    pub(crate) fn with_prefix(prefix: Bytes, rest: RequestBody) -> Self {
        Self { prefix, rest }
    }

    /// Reads a small rest. True if all of the body has arrived.
    pub(super) async fn await_small(&mut self) -> bool {
        self.rest.await_small().await
    }
}

impl Body for PrefixedBody {
    type Data = Bytes;
    type Error = IncomingBodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, IncomingBodyError>>> {
        if !self.prefix.is_empty() {
            let prefix = std::mem::take(&mut self.prefix);
            return Poll::Ready(Some(Ok(Frame::data(prefix))));
        }
        Pin::new(&mut self.rest).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.prefix.is_empty() && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        if self.prefix.is_empty() {
            self.rest.size_hint()
        } else {
            SizeHint::default()
        }
    }
}
