//! HTTP/2 on a connection, from its preface to its end.
//!
//! h2 and hyper take about 40 KB for a connection, however little it does. So an idle connection
//! drops them, and a new h2 takes over later: it reads a preface that the gateway writes
//! (`frames::SyntheticHandshake`) from what it knows of the client (`frames::connection_state`).
//! The client notices nothing.
//!
//! This relies on details of h2 and hyper that they do not promise. `Cargo.toml` pins both
//! versions, and `h2_behavior` tests each detail.

mod connection;
#[cfg(test)]
mod h2_behavior;
#[cfg(test)]
mod h2_malformed;
mod idle;
mod shared_io;
#[cfg(test)]
mod tests;

pub(super) use connection::serve;
