//! WebSockets: every rule of the protocol in every mode, and conversations replayed as they went.

mod conversations;
mod handshake;
mod http2;
mod limits;
mod rules;
mod secrets;
mod table;

use std::sync::Arc;

use crate::support::folder::Folder;
use crate::support::gateway::{self, Running};
use crate::support::websocket::{SocketOrigin, Way, socket_origin};

/// A gateway that records what it asks of an origin, into a new folder.
fn record(origin: &SocketOrigin) -> Running {
    over(&Arc::new(Folder::new()), "record", origin).start()
}

fn over(folder: &Arc<Folder>, mode: &'static str, origin: &SocketOrigin) -> gateway::Builder {
    gateway::over(folder, mode).upstream(&origin.url())
}

/// Records what `talk` does, then replays it without the origin and does it again.
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
