//! Values that clients make up match one to one, and come back as the client's own.

mod declared;
mod defaults;
mod generated;

use std::sync::Arc;

use crate::support::client::{self, Client};
use crate::support::folder::Folder;
use crate::support::gateway::Running;

/// An id that a client makes up.
fn id() -> String {
    let digits = crate::support::random();
    format!("{}-4{}-a{}", &digits[..8], &digits[8..11], &digits[11..])
}

fn finish(gateway: Running) -> Arc<Folder> {
    let folder = Arc::clone(&gateway.folder);
    gateway.stop();
    folder
}

type Connect = fn(&Running) -> Client;
const VERSIONS: [Connect; 2] = [client::http1, client::http2];
