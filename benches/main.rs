//! The benchmarks of the gateway, in one binary so that wasmtime is linked once. Every figure has a
//! baseline of the same run; README.md explains each figure.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "benches fail by panicking, stand for the programs around the gateway, and print"
)]

/// Attacks and their cost.
mod abuse;
/// Loading a large cassette for replay.
mod cassette;
/// Certificates for servers, and clients that trust them.
#[path = "../tests/support/tls.rs"]
mod certificates;
/// Memory of idle connections, compared with a bare server.
mod connections;
/// Replay and passthrough over sockets, compared with other servers.
mod end_to_end;
#[expect(dead_code, reason = "the tests need more of it")]
#[path = "../tests/support/plugins.rs"]
mod fixtures;
/// Plugins and gateways in a temporary folder.
mod folder;
/// Deriving the key of a request.
mod key;
/// The measured requests and responses.
mod messages;
/// Hostile plugins, swaps under load, and a soak.
mod platform;
/// The cost of a plugin when a key is derived.
mod plugin_calls;
/// Redaction of an exchange.
mod redaction;
/// WebSockets and event streams, compared with a plain splice of sockets.
mod streams;
/// The table of results.
mod table;

use std::path::Path;
use std::process::ExitCode;

use criterion::Criterion;

use table::Table;

fn main() -> ExitCode {
    if let Ok(origin) = std::env::var(streams::ORIGIN) {
        streams::splice(origin.parse().unwrap());
        return ExitCode::SUCCESS;
    }
    if let Ok(kind) = std::env::var(connections::BARE) {
        connections::bare(kind == "tls");
        return ExitCode::SUCCESS;
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../criterion");
    let mut criterion = Criterion::default()
        .without_plots()
        .output_directory(&folder)
        .configure_from_args();
    let mut table = Table::new(folder);
    key::bench(&mut criterion, &mut table);
    plugin_calls::bench(&mut criterion, &mut table);
    redaction::bench(&mut criterion, &mut table);
    cassette::bench(&mut criterion, &mut table);
    criterion.final_summary();
    if wants("end_to_end") {
        end_to_end::bench(&mut table);
    }
    if wants("streams") {
        streams::bench(&mut table);
    }
    if wants("connections") {
        connections::bench(&mut table);
    }
    if wants("hostile") {
        platform::hostile(&mut table);
    }
    if wants("swaps") {
        platform::swaps(&mut table);
    }
    if is_named("soak_swaps") {
        platform::soak(&mut table);
    }
    let mut well = !is_named("soak_attacked") || abuse::soak();
    well &= !wants("abuse") || abuse::bench();
    table.print();
    if well {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// True if `cargo bench` names this figure, which takes too long to be a part of all.
fn is_named(name: &str) -> bool {
    wants(name) && std::env::args().skip(1).any(|one| !one.starts_with('-'))
}

/// True if `cargo bench` names this figure or none. Criterion filters its own figures itself.
fn wants(name: &str) -> bool {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |flag: &str| arguments.iter().any(|one| one == flag);
    if !has("--bench") || has("--test") || has("--list") {
        return false;
    }
    let mut filters = arguments.iter().filter(|one| !one.starts_with('-'));
    let all = filters.clone().next().is_none();
    all || filters.any(|filter| name.contains(filter.as_str()))
}
