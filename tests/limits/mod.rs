//! Every limit is reached, and answered as documented.

mod connections;
mod http2;
mod memory;
mod plugins;
mod recorder;
mod recording;
mod requests;
mod upstream;
