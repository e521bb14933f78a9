//! The request's half of a recording.

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use http_body::Body as _;

use super::arrival_log::{ArrivalLog, SharedArrivalLog};
use super::body_capture::{
    BodyCapture, CaptureError, CaptureLimits, CaptureResult, CapturedBody, SharedCapture,
};
use super::forward::ForwardedBody;
use super::prefixed_body::PrefixedBody;
use super::reclaimable_body::BodyReclaimer;
use super::request_head::RequestHead;
use crate::handler::RequestContext;
use crate::handler::buffered_body::BufferedBody;
use crate::session::MemoryReservation;
use ouli_codec::grpc;
use ouli_message::stream::Side;

/// The request's half of a recording.
pub(crate) struct RequestRecording {
    pub(super) body: RequestCapture,
    /// The arrivals of a gRPC call.
    pub(super) log: Option<SharedArrivalLog>,
    /// Returns the rest of the body that the upstream did not read.
    pub(super) unsent_body: Option<BodyReclaimer>,
}

/// The request body of a recording.
pub(super) enum RequestCapture {
    /// It was read before it is sent.
    Buffered(CaptureResult),
    /// It is copied while it is sent.
    Streaming(SharedCapture),
}

/// A request body to forward, and its recording.
pub(crate) fn tee_request(
    context: &RequestContext<'_>,
    head: &RequestHead,
    body: PrefixedBody,
) -> (ForwardedBody, RequestRecording) {
    let budget = &context.handler.shared.budget;
    let log = grpc::has_grpc_body(&head.headers).then(|| ArrivalLog::new(budget).into_shared());
    if body.is_end_stream() && log.is_none() {
        let empty = ForwardedBody::Whole(Bytes::new(), HeaderMap::new());
        return (empty, RequestRecording::empty(context));
    }
    let capture = BodyCapture::for_side(context, Side::Client, log.as_ref()).into_shared();
    // The messages of a call may continue until its response begins.
    let (return_to, unsent_body) = log.is_none().then(BodyReclaimer::channel).unzip();
    let teed = ForwardedBody::Teed(body, Arc::clone(&capture), return_to);
    let recording = RequestRecording {
        body: RequestCapture::Streaming(capture),
        log,
        unsent_body,
    };
    (teed, recording)
}

impl RequestRecording {
    /// An empty body.
    pub(crate) fn empty(context: &RequestContext<'_>) -> Self {
        let reservation = context.handler.shared.budget.recording_reservation();
        Self::with_body(Bytes::new(), HeaderMap::new(), reservation)
    }

    /// A body that is buffered before it is sent. Waits for the recorder's memory if configured.
    pub(crate) async fn buffered(
        context: &RequestContext<'_>,
        buffered: &mut BufferedBody,
    ) -> Self {
        let limits = CaptureLimits::from(&*context.snapshot.config);
        match buffered.reserve_for_recording(limits).await {
            Some(reservation) => Self::with_body(
                buffered.bytes.clone(),
                buffered.trailers.clone(),
                reservation,
            ),
            None => Self::with_result(Err(CaptureError::recorder_memory_full())),
        }
    }

    fn with_body(bytes: Bytes, trailers: HeaderMap, reservation: MemoryReservation) -> Self {
        Self::with_result(Ok(CapturedBody {
            bytes,
            trailers,
            reservation,
            aborted: None,
            failure_cause: None,
        }))
    }

    fn with_result(result: CaptureResult) -> Self {
        Self {
            body: RequestCapture::Buffered(result),
            log: None,
            unsent_body: None,
        }
    }
}

impl RequestCapture {
    /// The client did not send it to its end.
    pub(super) fn was_aborted(&self) -> bool {
        match self {
            Self::Buffered(_) => false,
            Self::Streaming(capture) => capture.lock().was_aborted(),
        }
    }

    pub(super) fn take(self) -> CaptureResult {
        match self {
            Self::Buffered(result) => result,
            Self::Streaming(capture) => capture.lock().take(),
        }
    }
}
