//! Attacks. Each prints one line, passed or failed, with the peak memory of the gateway and
//! the latency of a well-behaved client.

/// More connections than the limit allows, and a shutdown.
mod connection_flood;
#[expect(dead_code, reason = "the tests need more of it")]
#[path = "../../tests/smuggling/corpus/mod.rs"]
mod corpus;
/// Floods of HTTP/2 frames.
mod floods;
/// Targets that no request may reach.
mod forbidden_targets;
/// The gateway and its measurements.
mod harness;
/// Attacks by size and number.
mod heavy;
/// A well-behaved client.
mod honest;
/// An origin with scripted faults.
mod origin;
/// Plugins that abuse the gateway.
mod plugin;
/// Recordings under attack.
mod recording;
/// Slow clients.
mod slow;
/// Requests within requests, and bytes before an upgrade.
mod smuggling;
/// Minutes of attacks beside a well-behaved client.
mod soak;
/// WebSocket frames.
mod sockets;
#[path = "../../tests/smuggling/origin.rs"]
mod strict;

use std::io::IsTerminal as _;
use std::time::Instant;

use harness::Measured;

pub(crate) use soak::bench as soak;

/// The measurements of an attack, with a summary or a fault.
type Outcome = (Measured, Result<String, String>);

/// What runs an attack.
type Attack = Box<dyn Fn() -> Outcome>;

/// An attack: its name, the limit of memory growth in MiB, and its function.
type Scenario = (&'static str, u64, fn() -> Outcome);

/// The attacks, in the order in which their numbers select them.
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

/// Runs all attacks, or those whose numbers are in the environment. False if one fails.
pub(crate) fn bench() -> bool {
    let wanted = std::env::var("OULI_BENCH_ABUSE").unwrap_or_default();
    let wanted: Vec<usize> = wanted
        .split(',')
        .filter_map(|one| one.parse().ok())
        .collect();
    println!("\nabuse: peak growth of memory; p99 of a well-behaved client");
    let mut all_well = true;
    let single = SCENARIOS.map(|(name, most, attack)| (name, most, Box::new(attack) as Attack));
    let heavy = heavy::ATTACKS.iter();
    let heavy = heavy.map(|it| (it.name, it.most, Box::new(|| heavy::run(it)) as Attack));
    let last = (
        "all of size and number",
        600,
        Box::new(heavy::all) as Attack,
    );
    let all = single.into_iter().chain(heavy).chain([last]);
    for (number, (name, most, attack)) in (1..).zip(all) {
        if !wanted.is_empty() && !wanted.contains(&number) {
            continue;
        }
        let begin = Instant::now();
        let (measured, told) = quickest(&attack);
        let told = told.and_then(|word| measured.check(most).map(|()| word));
        let well = told.is_ok();
        all_well &= well;
        println!(
            "{} {number:>2} {name:<29} {:>6.1} MiB  p99 {:>8.2} ms, {:>7.2} before ({:>5.1}), \
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

/// The number of tries for an attack that only exceeds the latency.
const TRIES: usize = 3;

/// Repeats an attack that is only slow, because other processes load the machine temporarily.
fn quickest(attack: &dyn Fn() -> Outcome) -> Outcome {
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

/// The summary, or the faults if there are any.
fn none_wrong(word: String, faults: &[String]) -> Result<String, String> {
    if faults.is_empty() {
        Ok(word)
    } else {
        Err(faults.join("; "))
    }
}

/// The setting of a limit if the gateway has that limit.
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
