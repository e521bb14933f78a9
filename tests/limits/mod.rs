//! Tests that reach each limit and check the documented response.

mod assumed_secrets;
mod certificates;
mod connections;
mod coverage;
mod descriptors;
mod framing;
mod http2;
mod index_memory;
mod memory;
mod message_memory;
mod own_ids;
mod plugins;
mod recorder;
mod recording;
mod recovery;
mod requests;
mod secrets;
mod slow_bodies;
mod slow_readers;
mod sources;
mod stored_bodies;
mod together;
mod upstream;
mod waiting;
