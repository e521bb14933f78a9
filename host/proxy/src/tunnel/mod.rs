//! Tunnels: forwards the handshake of a WebSocket, then copies bytes in both directions unchanged.
//! Recording captures them in transit. Other upgrades are tunnelled too, and never recorded.

mod client_io;
mod close_injector;
mod guards;
mod handshake;
mod open;
mod recording_tap;
mod splice;
mod upgrade;

pub(crate) use client_io::ClientIo;
pub(crate) use guards::TunnelGuards;
pub(crate) use handshake::{ClientHandshake, handshake_head, is_websocket, recorded_handshake};
pub(crate) use open::{TunnelRecording, serve};
pub(crate) use upgrade::ClientUpgrade;
