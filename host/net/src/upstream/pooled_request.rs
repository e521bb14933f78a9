//! A request for connections of the pool, and what is known about its attempts.

use http::request::Parts;
use http::{Method, Request, Uri};
use http_body::Body as _;

use super::body_timeout::Body;
use super::continue_gate::ContinueGate;
use super::request_body::{LastWrite, TimedRequestBody};
use super::resend::{Loss, Resends};
use super::resendable_body::{InMemoryBody, ResendableBody};
use super::stream_permit::StreamPermit;
use crate::http::forwarding;

/// A request and what is known about its attempts.
pub(super) struct PooledRequest {
    /// None while it is sent and cannot be sent again.
    head: Option<Parts>,
    uri: Uri,
    pub(super) method: Method,
    body: Option<ResendableBody>,
    pub(super) gate: Option<ContinueGate>,
    last_write: Option<LastWrite>,
    /// The field values have memory of their own.
    is_detached: bool,
    pub(super) resends: Resends,
    /// The next attempt needs a connection that has served no request.
    pub(super) needs_new: bool,
}

impl PooledRequest {
    pub(super) fn new(
        mut request: Request<Body>,
        gate: Option<ContinueGate>,
        last_write: Option<LastWrite>,
        max_kept: usize,
    ) -> Self {
        let is_in_memory = request.extensions_mut().remove::<InMemoryBody>().is_some();
        let (head, body) = request.into_parts();
        let resendable = |body| match is_in_memory {
            true => ResendableBody::in_memory(body),
            false => ResendableBody::new(body, max_kept),
        };
        Self {
            uri: head.uri.clone(),
            method: head.method.clone(),
            head: Some(head),
            body: (!body.is_end_stream()).then(|| resendable(body)),
            gate,
            last_write,
            is_detached: false,
            resends: Resends::default(),
            needs_new: false,
        }
    }

    /// The request for the next attempt. With `keep`, it can be sent again.
    pub(super) fn begin(
        &mut self,
        keep: bool,
        stream: Option<StreamPermit>,
    ) -> Request<TimedRequestBody> {
        let head = if keep {
            self.head.clone()
        } else {
            self.head.take()
        };
        let mut request = Request::new(TimedRequestBody {
            body: self.body.as_ref().map(|body| body.begin(keep)),
            last_write: self.last_write.clone(),
            stream,
            gate: self.gate.clone().map(|gate| (gate, None)),
        });
        if let Some(head) = head {
            *request.method_mut() = head.method;
            *request.uri_mut() = head.uri;
            *request.headers_mut() = head.headers;
            *request.extensions_mut() = head.extensions;
        }
        request
    }

    /// Takes back a request that was not sent. False if its body is incomplete by now.
    pub(super) fn take_back(&mut self, unsent: Request<TimedRequestBody>) -> bool {
        let mut head = unsent.into_parts().0;
        head.uri.clone_from(&self.uri);
        self.head = Some(head);
        self.can_resend()
    }

    /// Counts a connection that was closed before this request was sent. True if another may be
    /// tried.
    pub(super) fn is_allowed_again(&mut self) -> bool {
        self.resends.allow(Loss::Unprocessed)
    }

    pub(super) fn can_resend(&self) -> bool {
        let body = self.body.as_ref();
        self.head.is_some() && body.is_none_or(ResendableBody::can_resend)
    }

    /// Field values are copied for HTTP/2, whose tables would keep the client's read buffer.
    pub(super) fn detach(&mut self) {
        if let Some(head) = self.head.as_mut().filter(|_| !self.is_detached) {
            forwarding::detach(&mut head.headers);
            self.is_detached = true;
        }
    }

    /// There is a response, so the request is not sent again.
    pub(super) fn finish(&mut self) {
        self.head = None;
        if let Some(body) = &self.body {
            body.release();
        }
    }
}
