//! WebSockets: protocol rules in every mode, recording and replay.

mod conversations;
mod handshake;
mod http2;
mod invalid_frames;
mod limits;
mod oracle;
mod rules;
mod scripted_origin;
mod secrets;
mod stream_generator;
mod table;
mod unfinished;

use std::sync::Arc;

use crate::support::folder::Folder;
use crate::support::gateway::{self, Running};
use crate::support::websocket::{Peer, SocketOrigin, TEXT, Way, frame, socket_origin};

/// A gateway in record mode in a new folder.
fn record(origin: &SocketOrigin) -> Running {
    over(&Arc::new(Folder::new()), "record", origin).start()
}

fn over(folder: &Arc<Folder>, mode: &'static str, origin: &SocketOrigin) -> gateway::Builder {
    gateway::over(folder, mode).upstream(&origin.url())
}

/// Records a conversation with one echoed message.
fn echoed(origin: &SocketOrigin) -> Arc<Folder> {
    let gateway = record(origin);
    let mut peer = Peer::open(gateway.address, &UPGRADE, "/echo");
    peer.asks(frame(TEXT, "a"));
    drop(peer);
    let folder = Arc::clone(&gateway.folder);
    gateway.stop();
    folder
}

/// Records the conversation of `talk`, stops the origin and runs `talk` again with a replay.
fn twice(talk: impl Fn(&Running)) -> Running {
    let origin = socket_origin();
    let gateway = record(&origin);
    talk(&gateway);
    let folder = Arc::clone(&gateway.folder);
    gateway.stop();
    drop(origin);
    let gateway = gateway::replay(&folder).start();
    talk(&gateway);
    gateway
}

const UPGRADE: Way = Way::Upgrade;
