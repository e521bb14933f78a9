//! Replays conversations: each server message is sent after the client messages that preceded it in
//! the recording.

mod call_replay;
mod client_input;
mod client_message;
mod cursor;
mod grpc_call;
mod message_encoder;
mod response_frames;
mod selection;
mod start;
mod websocket;
mod websocket_terms;

pub(crate) use grpc_call::{replay_call, replay_call_or_forward};
pub(crate) use response_frames::FrameReceiver;
pub(crate) use start::{replay_websocket, replay_websocket_or_tunnel};
