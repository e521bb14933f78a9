//! What happened: requests, responses and the pure rules about them. No I/O, no clock, no wasm.

pub mod coding;
pub mod events;
pub mod failure;
pub mod fields;
pub mod form;
pub mod forwarding;
pub mod glob;
pub mod grpc;
pub mod json;
pub mod key;
pub mod message;
pub mod miss;
pub mod multipart;
pub mod part;
pub mod pieces;
pub mod redaction;
pub mod sound;
pub mod stream;
pub mod unfinished;
pub mod websocket;

pub use failure::{Failure, Fault};
pub use fields::Fields;
pub use message::{Content, Exchange, Message, Request, Response};
pub use stream::Stream;
