//! Upstream failures as clients, recordings and replays see them.

mod body;
mod broken_calls;
mod calls;
mod certificates;
mod claims;
mod cut_upload_replay;
mod cut_uploads;
mod early_responses;
mod failures;
mod head;
mod http2;
mod http2_origin;
mod leaving_clients;
mod malformed_http2;
mod peers;
mod pool;
mod refused_streams;
mod secrets;
mod silence;
mod truncated_streams;
mod waiting_clients;
