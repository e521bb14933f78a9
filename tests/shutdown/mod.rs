//! Shutdown, reload and socket handover lose no request.

mod load;
mod load_generator;
mod many_secrets;
mod program;
mod reload;
mod states;
mod streams;

use std::sync::Arc;

use crate::support::binary::{Process, program};
use crate::support::folder::Folder;
use crate::support::gateway;
use crate::support::websocket::SocketOrigin;

/// Starts the program in a mode with an origin and these limits.
fn started(folder: &Arc<Folder>, mode: &'static str, origin: &SocketOrigin, more: &str) -> Process {
    let builder = gateway::over(folder, mode).upstream(&origin.url());
    folder.write_config(&builder.section(more).config());
    program(folder, &[]).start()
}
