//! Every limit is reached, and answered as documented.

mod connections;
mod http2;
mod plugins;
mod recording;
mod requests;
mod upstream;
