//! A request body that the client sends once it is asked to (RFC 9110, section 10.1.1).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::{HeaderMap, StatusCode};

use super::interim::InterimSender;

/// A body that the client has not begun to send. On HTTP/1.1 hyper asks for it when it is first
/// read; on HTTP/2 nothing else does.
#[derive(Debug)]
pub(super) struct ExpectedBody {
    is_requested: Arc<AtomicBool>,
    http2: Option<InterimSender>,
}

impl ExpectedBody {
    /// The body, and a flag that is set once it is asked for.
    pub(super) fn new(http2: Option<InterimSender>) -> (Self, Arc<AtomicBool>) {
        let is_requested = Arc::<AtomicBool>::default();
        let body = Self {
            is_requested: Arc::clone(&is_requested),
            http2,
        };
        (body, is_requested)
    }

    /// The body is read from now on.
    pub(super) fn request_body(&self) {
        self.is_requested.store(true, Ordering::Relaxed);
        if let Some(http2) = &self.http2 {
            http2.send(StatusCode::CONTINUE, &HeaderMap::new());
        }
    }
}
