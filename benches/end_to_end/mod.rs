//! Replay and passthrough over sockets, beside a bare hyper server and, where it is found, nginx.
//!
//! All of them give the same answer to the same client. They take turns, since on a shared machine
//! a figure means something only beside one of the same minute.

mod bare;
mod client;
mod cpu;
mod nginx;
mod rivals;

use std::time::Duration;

use bare::Bare;
use client::Client;
use nginx::Nginx;
use rivals::{Rival, Rivals};

use crate::stage::Stage;
use crate::table::Table;

/// Turns that each one has.
const ROUNDS: usize = 7;
/// How long a turn is.
const TURN: Duration = Duration::from_secs(2);

/// The address of a bare server: hyper, and the same 200 bytes for everything.
pub(crate) fn bare() -> std::net::SocketAddr {
    Bare::start().address
}

pub(crate) fn bench(table: &mut Table) {
    let client = Client::find();
    let bare = Bare::start();
    let origin = format!("http://{}", bare.address);
    let stage = Stage::new();
    record(&stage, &origin);
    let replay = stage.gateway("replay", None);
    let pass = Stage::new();
    let pass_gateway = pass.gateway("passthrough", Some(&origin));
    let nginx = Nginx::start(bare.address);
    let mut rivals = vec![
        Rival::threads("bare hyper", bare.address, "bare-"),
        Rival::threads("replay", replay.listeners()[0].address, "ouli-worker-"),
        Rival::threads(
            "passthrough",
            pass_gateway.listeners()[0].address,
            "ouli-worker-",
        ),
    ];
    if let Some(nginx) = &nginx {
        rivals.push(Rival::processes("nginx", nginx.address, nginx.workers()));
    }
    println!("\nend to end: {client}, {ROUNDS} rounds of {TURN:?} each");
    let rivals = Rivals::measure(rivals, &client, ROUNDS, TURN);
    rivals.compare(table, "replay", "bare hyper");
    rivals.compare(table, "passthrough", "bare hyper");
    if nginx.is_some() {
        rivals.compare(table, "passthrough", "nginx");
    }
    drop(nginx);
    replay.stop();
    pass_gateway.stop();
}

/// Records the one exchange that is replayed.
fn record(stage: &Stage, origin: &str) {
    let gateway = stage.gateway("record", Some(origin));
    client::ask_once(gateway.listeners()[0].address);
    let verdict = gateway.stop();
    assert_eq!(verdict.sessions[0].recorded, 1, "{}", verdict.to_text());
}
