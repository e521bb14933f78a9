//! Fifteen kinds of abuse. Each prints one line, passed or failed, with the peak memory of the
//! gateway and the latency of a well-behaved client.

/// More connections than there are slots, and a stop.
mod connection_flood;
#[expect(dead_code, reason = "the tests need more of it")]
#[path = "../../tests/smuggling/corpus/mod.rs"]
mod corpus;
/// Floods of frames of HTTP/2.
mod floods;
/// What cannot be reached by a request.
mod forbidden_targets;
/// The gateway, and what is looked at.
mod harness;
/// A client that does no harm.
mod honest;
/// An origin, and its faults.
mod origin;
/// Plugins that abuse the gateway.
mod plugin;
/// What is recorded under attack, and what is left of it.
mod recording;
/// Clients that take their time.
mod slow;
/// Requests in requests, and upgrades too early.
mod smuggling;
/// Frames of WebSockets.
mod sockets;
#[path = "../../tests/smuggling/origin.rs"]
mod strict;

use std::io::IsTerminal as _;
use std::time::Instant;

use harness::Measured;

/// How an attack went, with a word on it.
type Outcome = (Measured, Result<String, String>);

/// An attack: its name, how many MiB it may cost, and how it is done.
type Scenario = (&'static str, u64, fn() -> Outcome);

/// In the order of the threats that they stand for.
const SCENARIOS: [Scenario; 15] = [
    ("requests in requests", 32, smuggling::smuggling),
    ("bytes before an upgrade", 16, smuggling::upgrades),
    ("rapid reset", 16, floods::rapid_reset),
    ("floods of frames", 24, floods::frames),
    ("HTTP/2 bomb", 64, floods::bomb),
    ("slow head, body, reader", 256, slow::slow),
    ("WebSocket frames", 96, sockets::frames),
    ("decompression bombs", 192, recording::bombs),
    ("open proxy", 16, forbidden_targets::open_proxy),
    ("page of plugins", 16, forbidden_targets::page),
    ("names of recordings", 16, recording::names),
    ("killed, and a full disk", 64, recording::killed),
    ("upstream chaos", 32, recording::chaos),
    ("hostile plugin", 64, plugin::hostile),
    ("rush, then a stop", 192, connection_flood::flood),
];

/// Runs all of them, or those that the environment names by number. False where one is red.
pub(crate) fn bench() -> bool {
    let wanted = std::env::var("OULI_BENCH_ABUSE").unwrap_or_default();
    let wanted: Vec<usize> = wanted
        .split(',')
        .filter_map(|one| one.parse().ok())
        .collect();
    println!(
        "\nabuse: memory is what the gateway grew by at most; p99 is that of an honest client"
    );
    let mut all_well = true;
    for (number, (name, most, attack)) in (1..).zip(SCENARIOS) {
        if !wanted.is_empty() && !wanted.contains(&number) {
            continue;
        }
        let begin = Instant::now();
        let (measured, told) = quickest(attack);
        let told = told.and_then(|word| measured.check(most).map(|()| word));
        let well = told.is_ok();
        all_well &= well;
        println!(
            "{} {number:>2} {name:<24} {:>6.1} MiB  p99 {:>8.2} ms, {:>7.2} before ({:>5.1}), \
             {:>7.2} without it  {:>4.1} s  {}",
            mark(well),
            measured.grown as f64 / f64::from(1 << 20),
            measured.during * 1e3,
            measured.calm * 1e3,
            measured.during / measured.calm,
            measured.beside * 1e3,
            begin.elapsed().as_secs_f64(),
            told.unwrap_or_else(|fault| fault)
        );
    }
    all_well
}

/// Tries that a scenario has where nothing is wrong with it but delays.
const TRIES: usize = 3;

/// Does it again where it goes well and is slow: what else runs on the machine comes and goes.
fn quickest(attack: fn() -> Outcome) -> Outcome {
    let mut outcome = attack();
    for _ in 1..TRIES {
        if outcome.1.is_err() || !outcome.0.is_slow() {
            break;
        }
        outcome = attack();
    }
    outcome
}

fn mark(well: bool) -> &'static str {
    match (well, std::io::stdout().is_terminal()) {
        (true, true) => "\x1b[32mok    \x1b[0m",
        (false, true) => "\x1b[31mFAILED\x1b[0m",
        (true, false) => "ok    ",
        (false, false) => "FAILED",
    }
}

/// All of these, or what is wrong.
fn none_wrong(word: String, faults: &[String]) -> Result<String, String> {
    if faults.is_empty() {
        Ok(word)
    } else {
        Err(faults.join("; "))
    }
}

/// The setting of a limit, where the gateway has it.
fn limit(key: &str, value: &str) -> String {
    let groups = ouli_config::LIMITS.iter();
    let mut limits = groups.flat_map(|group| group.rows.iter());
    let is_known = limits.any(|limit| limit.key == key);
    if is_known {
        format!("{key} = {value}\n")
    } else {
        String::new()
    }
}
