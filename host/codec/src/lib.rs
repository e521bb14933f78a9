//! Codecs between bytes and structure: content codings, JSON with spans, forms, multipart, event
//! streams, gRPC and WebSocket. No I/O, no policy.

#![forbid(unsafe_code)]

pub mod chunks;
pub mod content_coding;
pub mod credentials;
mod cut_json;
pub mod event_stream;
pub mod form;
pub mod grpc;
pub mod identity;
pub mod json;
pub mod message_view;
pub mod minted;
pub mod minted_values;
pub mod multipart;
pub mod randomness;
pub mod shape;
mod surprise;
pub mod truncated;
pub mod websocket;
pub mod words;

pub use message_view::MessageView;
