//! Sends interim responses to the client of one request.

use std::sync::Arc;

use http::{HeaderMap, StatusCode};

use super::encoding;
use crate::server::activity::Activity;

/// Sends interim responses to the client of one request, until its final response begins.
#[derive(Clone, Debug)]
pub struct InterimSender {
    activity: Arc<Activity>,
    request: u64,
    protocol: Protocol,
}

/// How a client is sent interim responses. HTTP/1.0 has none (RFC 9110, section 15.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::server) enum Protocol {
    Http1,
    Http2 { stream_id: u32 },
}

impl InterimSender {
    pub(in crate::server) fn new(
        activity: &Arc<Activity>,
        request: u64,
        protocol: Protocol,
    ) -> Self {
        activity.interim().open(request);
        Self {
            activity: Arc::clone(activity),
            request,
            protocol,
        }
    }

    /// Sends an interim response; its fields are end-to-end fields.
    pub fn send(&self, status: StatusCode, headers: &HeaderMap) {
        let bytes = match self.protocol {
            Protocol::Http1 => encoding::http1(status, headers),
            Protocol::Http2 { stream_id } => encoding::http2(stream_id, status, headers),
        };
        self.activity.interim().push(self.request, &bytes);
    }
}
