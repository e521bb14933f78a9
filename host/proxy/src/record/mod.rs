//! Recording: requests sent to the upstream, bodies copied on the way, exchanges handed to the
//! recorder.

pub(crate) mod abandoned_call;
pub(crate) mod arrival_log;
pub(crate) mod body_capture;
pub(crate) mod failed_exchange;
pub(crate) mod forward;
pub(crate) mod pending_exchange;
pub(crate) mod reclaimable_body;
pub(crate) mod recorder_delivery;
pub(crate) mod relay;
pub(crate) mod tee_body;
