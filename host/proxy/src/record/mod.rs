//! Recording: forwards requests to the upstream, copies bodies in transit, and hands exchanges to
//! the recorder.

mod abandoned_call;
mod arrival_log;
mod awaiting_response;
mod background_read;
mod body_capture;
mod detachable;
mod early_response;
mod forward;
mod pending_exchange;
mod prefixed_body;
mod reclaimable_body;
mod recorder_delivery;
mod relay;
mod request_head;
mod request_recording;
mod teed_request_body;
mod teed_response_body;
mod whole_body;

pub(crate) use arrival_log::ArrivalLog;
pub(crate) use awaiting_response::AwaitingResponse;
pub(crate) use background_read::{BackgroundRead, discard_rest};
pub(crate) use body_capture::{BodyCapture, CaptureLimits};
pub(crate) use forward::ForwardedBody;
pub(crate) use pending_exchange::PendingExchange;
pub(crate) use prefixed_body::PrefixedBody;
pub(crate) use recorder_delivery::Delivery;
pub(crate) use relay::{forward_and_record, passthrough, record, record_response};
pub(crate) use request_head::RequestHead;
pub(crate) use request_recording::{RequestRecording, tee_request};
pub(crate) use teed_response_body::TeedResponseBody;
