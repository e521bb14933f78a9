//! Replay: sends recorded responses to clients, with their recorded timing if configured.

pub(crate) mod body_edits;
mod client_capabilities;
mod counted_bytes;
mod decoding_bounds;
mod early_leave;
mod early_replay;
mod lookup;
mod own_ids;
mod own_json;
mod part_keys;
mod pending_lookup;
mod recorded_body;
mod recorded_failure;
mod recorded_response;
mod refused_body;
mod renewed_fields;
mod replayed_secret;
mod representation;
mod selected_response;
mod selection;
mod serve;
pub(crate) mod shutdown_watch;
mod stored_body;
pub(crate) mod timed_body;
mod truncated_search;

pub(crate) use client_capabilities::ClientCapabilities;
pub(crate) use early_leave::{EarlyLeave, NOT_AWAITED, NOT_SENT};
pub(crate) use lookup::{Lookup, exhausted_policy, look_up_request, miss_error};
pub(crate) use own_ids::OwnIds;
pub(crate) use pending_lookup::counted;
pub(crate) use recorded_failure::wait_until_due;
pub(crate) use recorded_response::recorded_response;
pub(crate) use renewed_fields::add_renewed_fields;
pub(crate) use replayed_secret::check_sendable;
pub(crate) use serve::{replay, replay_or_forward, serve_hit, warm_up};
