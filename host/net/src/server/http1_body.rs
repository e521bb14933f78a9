//! The body of an HTTP/1.1 response: hands its trailers to the socket, because hyper drops most. An
//! empty body without `content-length` is chunked as another body is: hyper would add the field.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{Method, Response, StatusCode, Version};
use http_body::{Body, Frame, SizeHint};

use super::activity::Activity;
use crate::http::trailers;

/// The body of an HTTP/1.1 response.
pub(super) struct Http1Body<B> {
    body: B,
    /// The connection, if the body is chunked: otherwise it has no trailer section.
    chunked: Option<Arc<Activity>>,
    /// The trailers were received.
    is_ending: bool,
    /// They are not handed over yet.
    section: Option<Bytes>,
}

impl<B: Body> Http1Body<B> {
    /// The response to a request of this method and version.
    pub(super) fn wrap(
        response: Response<B>,
        (method, version): (&Method, Version),
        activity: &Arc<Activity>,
    ) -> Response<Self> {
        let length = response.body().size_hint().exact();
        let has_length = response.headers().contains_key(CONTENT_LENGTH)
            || length.is_some_and(|length| length > 0)
            || (length == Some(0) && !may_have_body(method, response.status()));
        let is_chunked = version == Version::HTTP_11 && !has_length;
        let chunked = is_chunked.then(|| Arc::clone(activity));
        response.map(|body| Self {
            body,
            chunked,
            is_ending: false,
            section: None,
        })
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Http1Body<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = &mut *self;
        if !this.is_ending {
            let next = ready!(Pin::new(&mut this.body).poll_frame(cx));
            if this.chunked.is_none() {
                return Poll::Ready(next);
            }
            let trailers = match next.map(|next| next.map(Frame::into_trailers)) {
                None => return Poll::Ready(None),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                Some(Ok(Err(frame))) => return Poll::Ready(Some(Ok(frame))),
                Some(Ok(Ok(trailers))) => trailers::encode(&trailers),
            };
            if trailers.is_empty() {
                return Poll::Ready(None);
            }
            (this.is_ending, this.section) = (true, Some(trailers.into()));
        }
        if let Some(activity) = &this.chunked {
            ready!(activity.trailer_slot().poll_due(cx, &mut this.section));
        }
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        self.chunked.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        match self.chunked {
            Some(_) => SizeHint::new(),
            None => self.body.size_hint(),
        }
    }
}

/// False for a response that has no body, whatever its fields (RFC 9112, section 6.3).
fn may_have_body(method: &Method, status: StatusCode) -> bool {
    let has_none = status.is_informational()
        || status == StatusCode::NO_CONTENT
        || status == StatusCode::NOT_MODIFIED;
    !has_none && *method != Method::HEAD && *method != Method::CONNECT
}
