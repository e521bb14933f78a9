//! Records an exchange whose response ends before the request: the upstream did not wait for the
//! whole body.

use std::future::poll_fn;
use std::sync::Arc;

use super::background_read::BackgroundReads;
use super::body_capture::CaptureResult;
use super::pending_exchange::PendingExchange;
use super::recorder_delivery::Delivery;
use super::request_recording::{RequestCapture, RequestRecording};

/// Submits an exchange whose response has ended. If the client still sends the request, the rest is
/// read first: most clients send the whole body, and only then read the response. What the client
/// does not send is missing in the recording, which says so.
pub(super) fn finish(
    exchange: PendingExchange,
    request: RequestRecording,
    response: CaptureResult,
    reads: &BackgroundReads,
) -> Option<Delivery> {
    let capture = match &request.body {
        RequestCapture::Buffered(_) => None,
        RequestCapture::Streaming(capture) => Some(Arc::clone(capture)),
    };
    let is_complete = response.as_ref().is_ok_and(|body| body.aborted.is_none());
    let in_transit = capture.filter(|capture| is_complete && capture.lock().is_open());
    let (Some(capture), Some(rest)) = (in_transit, request.unsent_body) else {
        return exchange.finish(request.body.take(), response);
    };
    let Ok(read) = reads.try_begin() else {
        return exchange.finish(request.body.take(), response);
    };
    read.spawn(|read| async move {
        // After an interruption the recorded request is truncated.
        let _ = read.read(rest.drain(&capture)).await;
        let captured = capture.lock().take();
        if let Some(mut delivery) = exchange.finish(captured, response) {
            poll_fn(|cx| delivery.poll(cx)).await;
        }
    });
    None
}
