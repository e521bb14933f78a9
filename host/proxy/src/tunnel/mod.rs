//! WebSocket tunnels: forwards the handshake, then copies bytes in both directions unchanged.
//! Recording captures them in transit.

mod client_io;
mod close_injector;
mod guards;
mod handshake;
mod open;
mod recording_tap;
mod splice;

pub(crate) use client_io::ClientIo;
pub(crate) use guards::TunnelGuards;
pub(crate) use handshake::{ClientHandshake, handshake_head, is_websocket, recorded_handshake};
pub(crate) use open::{TunnelRecording, serve};
