//! The ambiguous requests of the suite with third-party servers: each server received what the
//! gateway recorded.

#[path = "../../smuggling/corpus/mod.rs"]
#[expect(dead_code, reason = "the suite needs more of it")]
mod corpus;
mod origins;

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use corpus::judge::{self, Seen, Verdict};
use corpus::strict::{self, Reading};
use corpus::{Input, client, downgrade, frames};
use origins::{ORIGINS, Start};

use crate::process::Gateway;

/// A server that sends nothing for this time is taken as finished.
const PAUSE: Duration = Duration::from_millis(150);

const CONFIG: &str = "[limits]\nrequest_header_timeout = \"1s\"\nidle_timeout = \"2s\"\n";

/// The results of all inputs for one server.
#[derive(Debug, Default)]
struct Row {
    inputs: usize,
    refused: usize,
    one: usize,
    two: usize,
    /// Inputs that the server alone reads in another way than the reference.
    otherwise: usize,
    /// Inputs in which the server alone finds a second request and the reference does not.
    smuggled: usize,
    faults: Vec<String>,
}

#[test]
#[ignore = "needs nginx, Python and Node: .ci/run"]
fn every_origin_sees_what_is_recorded() {
    let mut table = format!(
        "\n{:<10} {:>7} {:>8} {:>7} {:>7} {:>12}   alone: {:>14} {:>9}\n",
        "origin",
        "inputs",
        "refused",
        "as one",
        "as two",
        "differences",
        "read otherwise",
        "smuggled"
    );
    let mut faults = Vec::new();
    for (name, start) in ORIGINS {
        let row = before(start);
        let Row {
            inputs,
            refused,
            one,
            two,
            otherwise,
            smuggled,
            ..
        } = row;
        let count = row.faults.len();
        writeln!(
            table,
            "{name:<10} {inputs:>7} {refused:>8} {one:>7} {two:>7} {count:>12}   \
             {otherwise:>21} {smuggled:>9}"
        )
        .unwrap();
        faults.extend(
            row.faults
                .into_iter()
                .map(|fault| format!("{name}: {fault}")),
        );
    }
    println!("{table}");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

fn before(start: Start) -> Row {
    let inputs = corpus::all();
    let readings: Vec<_> = inputs
        .iter()
        .map(|input| strict::read(&input.bytes))
        .collect();
    let pairs: Vec<_> = inputs.iter().zip(&readings).collect();
    let mut row = Row::default();
    alone(start, &pairs, &mut row);
    behind(start, &pairs, &mut row);
    downgraded(start, &mut row);
    row
}

/// Sends the inputs to the server directly.
fn alone(start: Start, pairs: &[(&Input, &Reading)], row: &mut Row) {
    let folder = tempfile::tempdir().unwrap();
    let origin = start(folder.path());
    let address: SocketAddr = origin.address.parse().unwrap();
    client::each(pairs, |(input, _)| {
        send_and_leave(address, &input.bytes);
    });
    origin.stop();
    let seen = origins::seen(folder.path());
    for (input, reading) in pairs {
        let own = judge::of(input.id, &seen);
        let expected: Vec<_> = reading.requests.iter().map(Seen::from).collect();
        let is_second = |seen: &Seen| seen.target == corpus::target("second", input.id);
        let hidden = own.iter().any(is_second) && !expected.iter().any(is_second);
        row.smuggled += usize::from(hidden);
        row.otherwise += usize::from(!own.is_empty() && own != expected);
    }
}

/// Sends the inputs through a recording gateway.
fn behind(start: Start, pairs: &[(&Input, &Reading)], row: &mut Row) {
    let folder = tempfile::tempdir().unwrap();
    let (answers, seen, recorded) = recording(start, folder.path(), |address| {
        client::each(pairs, |(input, reading)| {
            client::send(address, &input.bytes, reading)
        })
    });
    row.inputs += pairs.len();
    row.faults.extend(strangers(&seen, &recorded));
    for ((input, reading), answers) in pairs.iter().zip(&answers) {
        let own = judge::of(input.id, &seen);
        let kept = judge::of(input.id, &recorded);
        match judge::judge(reading, answers, &own, &kept, true) {
            Ok(Verdict::Refused) => row.refused += 1,
            Ok(Verdict::Passed(1)) => row.one += 1,
            Ok(Verdict::Passed(_)) => row.two += 1,
            Err(fault) => {
                let name = &input.name;
                row.faults.push(format!("{} {name}: {fault}", input.kind));
            }
        }
    }
}

/// Sends the HTTP/2 inputs through a recording gateway.
fn downgraded(start: Start, row: &mut Row) {
    let inputs = downgrade::all();
    let folder = tempfile::tempdir().unwrap();
    let (ended, seen, recorded) = recording(start, folder.path(), |address| {
        client::each(&inputs, |input| frames::send(address, &input.frames()))
    });
    row.inputs += inputs.len();
    row.faults.extend(strangers(&seen, &recorded));
    for (input, ended) in inputs.iter().zip(ended) {
        let own = judge::of(input.id, &seen);
        let kept = judge::of(input.id, &recorded);
        match input.judge(ended, &own, &kept, &[], true) {
            Ok(()) if own.is_empty() => row.refused += 1,
            Ok(()) => row.one += 1,
            Err(fault) => row.faults.push(format!("HTTP/2, {}: {fault}", input.name)),
        }
    }
}

/// Runs `work` with a gateway in front of an origin; returns its result, the requests at the
/// origin, and the recorded ones.
fn recording<T>(
    start: Start,
    folder: &Path,
    work: impl FnOnce(SocketAddr) -> T,
) -> (T, Vec<Seen>, Vec<Seen>) {
    let origin = start(folder);
    fs::write(folder.join("ouli.toml"), CONFIG).unwrap();
    let url = format!("http://{}", origin.address);
    let cassettes = folder.join("cassettes");
    let log = folder.join("gateway.log");
    let gateway = Gateway::start(&["record", "--upstream", &url], &cassettes, log);
    let address = gateway
        .url
        .trim_start_matches("http://")
        .trim_end_matches('/');
    let done = work(address.parse().unwrap());
    let (said, status) = gateway.stop();
    // The status may be 1: exchanges that clients aborted make the recording incomplete.
    assert!(status.code().is_some(), "{said}");
    origin.stop();
    let text = fs::read_to_string(cassettes.join("default.jsons")).unwrap();
    (done, origins::seen(folder), judge::recorded(&text))
}

fn strangers(seen: &[Seen], recorded: &[Seen]) -> Vec<String> {
    let both = judge::strangers(seen)
        .into_iter()
        .chain(judge::strangers(recorded));
    both.map(|seen| format!("a request that is in no input: {seen:?}"))
        .collect()
}

/// Sends these bytes and reads until nothing arrives for [`PAUSE`].
fn send_and_leave(address: SocketAddr, bytes: &[u8]) {
    let mut stream = client::connect(address);
    stream.set_read_timeout(Some(PAUSE)).unwrap();
    // A server that rejects the first bytes may close the connection before it reads the others.
    let _ = stream.write_all(bytes);
    while client::receive(&mut stream, &mut Vec::new()) == Some(true) {}
}
