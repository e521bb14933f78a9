//! Replay and passthrough over sockets, compared with a bare hyper server and, if it is installed,
//! nginx.
//!
//! All of them send the same response to the same client. They are measured in alternating rounds,
//! since figures of a shared machine are only comparable within the same minute.

mod bare;
mod client;
mod cpu;
mod nginx;
mod servers;

use std::time::Duration;

use bare::Bare;
use client::Client;
use nginx::Nginx;
use servers::{MeasuredServer, Servers};

use crate::folder::BenchFolder;
use crate::table::Table;

/// The number of rounds of each server.
const ROUNDS: usize = 7;
/// The duration of a round.
const ROUND: Duration = Duration::from_secs(2);

/// Starts a bare hyper server with the same 200-byte response for everything; returns its address.
pub(crate) fn bare() -> std::net::SocketAddr {
    Bare::start().address
}

pub(crate) fn bench(table: &mut Table) {
    let client = Client::find();
    let bare = Bare::start();
    let origin = format!("http://{}", bare.address);
    let workspace = BenchFolder::new();
    record(&workspace, &origin);
    let replay = workspace.gateway("replay", None);
    let pass = BenchFolder::new();
    let pass_gateway = pass.gateway("passthrough", Some(&origin));
    let nginx = Nginx::start(bare.address);
    let mut servers = vec![
        MeasuredServer::threads("bare hyper", bare.address, "bare-"),
        MeasuredServer::threads("replay", replay.listeners()[0].address, "ouli-worker-"),
        MeasuredServer::threads(
            "passthrough",
            pass_gateway.listeners()[0].address,
            "ouli-worker-",
        ),
    ];
    if let Some(nginx) = &nginx {
        servers.push(MeasuredServer::processes(
            "nginx",
            nginx.address,
            nginx.workers(),
        ));
    }
    println!("\nend to end: {client}, {ROUNDS} rounds of {ROUND:?} each");
    let servers = Servers::measure(servers, &client, ROUNDS, ROUND);
    servers.compare(table, "replay", "bare hyper");
    servers.compare(table, "passthrough", "bare hyper");
    if nginx.is_some() {
        servers.compare(table, "passthrough", "nginx");
    }
    drop(nginx);
    replay.stop();
    pass_gateway.stop();
}

/// Records the exchange that is replayed.
fn record(workspace: &BenchFolder, origin: &str) {
    let gateway = workspace.gateway("record", Some(origin));
    client::ask_once(gateway.listeners()[0].address);
    let verdict = gateway.stop();
    assert_eq!(verdict.sessions[0].recorded, 1, "{}", verdict.to_text());
}
