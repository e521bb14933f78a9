//! Checks that a response which seems to end is complete.

use bytes::Bytes;
use http::{HeaderMap, StatusCode, Version, header};
use http_body::{Body as _, Frame};
use hyper::body::Incoming;

use super::error::BodyError;
use crate::http::validation;
use ouli_message::exchange::is_grpc;

/// What is left to check at the end of a response body.
///
/// hyper checks the end of an HTTP/1.1 body. It ends an HTTP/2 body without an error if the stream
/// or the connection ended with NO_ERROR, because a server may stop an upload in that way after a
/// complete response (RFC 9113, section 8.1). The response is complete only if END_STREAM arrived.
#[derive(Clone, Copy, Debug)]
pub(super) struct EndCheck {
    /// The response came over HTTP/2.
    is_http2: bool,
    /// The trailers have the status of a gRPC call, because the head has none.
    awaits_grpc_status: bool,
}

impl EndCheck {
    /// The check for a response with this head.
    pub(super) fn for_response(
        version: Version,
        status: StatusCode,
        headers: &HeaderMap,
        is_head_request: bool,
    ) -> Self {
        let content_type = headers.get(header::CONTENT_TYPE);
        let is_call = content_type.is_some_and(|value| value.to_str().is_ok_and(is_grpc));
        let is_http2 = version == Version::HTTP_2;
        Self {
            is_http2,
            awaits_grpc_status: is_http2
                && is_call
                && !is_head_request
                && status == StatusCode::OK
                && !headers.contains_key(GRPC_STATUS),
        }
    }

    /// A frame has arrived. No frame follows the trailers.
    pub(super) fn on_frame(&mut self, frame: &Frame<Bytes>) -> Result<(), BodyError> {
        let Some(trailers) = frame.trailers_ref() else {
            return Ok(());
        };
        if self.is_http2
            && let Err(error) = validation::validate_values(trailers)
        {
            self.finish();
            return Err(error.into());
        }
        let lacks_status = self.awaits_grpc_status && !trailers.contains_key(GRPC_STATUS);
        self.finish();
        if lacks_status {
            return Err(BodyError::NoGrpcStatus);
        }
        Ok(())
    }

    /// The body has ended or failed already.
    pub(super) fn finish(&mut self) {
        self.is_http2 = false;
        self.awaits_grpc_status = false;
    }

    /// True if the end itself is an error, so that the body must be polled once more.
    pub(super) fn is_due(&self) -> bool {
        self.awaits_grpc_status
    }

    /// The error if `body`, which has ended, is incomplete. Reported once.
    pub(super) fn at_end(&mut self, body: &Incoming) -> Option<BodyError> {
        // A body of known length is complete with its last byte.
        let is_truncated =
            self.is_http2 && !body.is_end_stream() && body.size_hint().exact() != Some(0);
        let lacks_status = self.awaits_grpc_status;
        self.finish();
        if is_truncated {
            Some(BodyError::Truncated)
        } else {
            lacks_status.then_some(BodyError::NoGrpcStatus)
        }
    }
}

/// The field that has the status of a gRPC call.
const GRPC_STATUS: &str = "grpc-status";
