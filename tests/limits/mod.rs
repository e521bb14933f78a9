//! Every limit is reached, and answered as documented.

mod connections;
mod framing;
mod http2;
mod memory;
mod plugins;
mod recorder;
mod recording;
mod requests;
mod upstream;
mod waiting;
