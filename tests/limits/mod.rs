//! Every limit is reached, and answered as documented.

mod connections;
mod recording;
mod requests;
mod upstream;
