//! Minutes of attacks beside a well-behaved client on one gateway with the default limits: the
//! client must not notice much, and the memory must come back.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::harness::{Harness, yielding};
use super::heavy::{self, configuration, folder, stop};
use super::honest::{self, Delay, Honest};
use super::{floods, mark, origin, slow};

/// The duration unless the environment sets another one.
const LONG: Duration = Duration::from_secs(600);
/// The part of it for which the client is alone, before the attacks.
const ALONE: u32 = 10;
/// Slow clients of each kind, and how long they stay.
const SLOW: (usize, Duration) = (200, Duration::from_secs(10));
/// The pause between two floods.
const PAUSE: Duration = Duration::from_secs(1);
/// The accepted ratio of p99 beside the attacks to p99 without them.
const SLOWER: f64 = 2.0;
/// The accepted ratio of the memory after the attacks to that before.
const GROWTH: f64 = 1.1;
/// How many attacks are named, and the latency of the requests that are counted beside them.
const WORST: usize = 12;
const NOTICED: Duration = Duration::from_millis(5);

/// The latency of a phase in seconds, and the number of requests without a response.
struct Latency {
    p99: f64,
    failed: usize,
    delays: Vec<Delay>,
}

/// An attack, and the time in which it ran.
type Span = (&'static str, Instant, Instant);

/// Prints the figures. False if one of them is not accepted.
pub(crate) fn bench() -> bool {
    let time = std::env::var("OULI_SOAK_SECONDS").ok();
    let time = time.map_or(LONG, |text| Duration::from_secs(text.parse().unwrap()));
    println!("\nsoak: {time:?} of attacks beside a well-behaved client");
    let harness = Harness::configured(&configuration(""), folder(None));
    // What the attacks leave the first time is kept on purpose, such as the secrets of a session.
    yielding(|| heavy::rush(&harness));
    let before = harness.settled();
    let alone = latency(Honest::start(harness.address), || {
        std::thread::sleep(time / ALONE);
    });
    harness.reset_peak();
    // The load of the machine by the attackers, seen by a client that bypasses the gateway.
    let bypass = Honest::start(origin::start());
    let mut spans = Vec::new();
    let beside = latency(Honest::start(harness.address), || {
        spans = yielding(|| attack(&harness, time));
    });
    let machine = latency(bypass, || ());
    let peak = harness.peak();
    let after = harness.settled();
    let (late, _) = stop(harness);
    let baseline = alone.p99.max(machine.p99);
    let checks = [
        (
            beside.p99 <= SLOWER * baseline,
            format!(
                "p99 {:.2} ms alone, {:.2} ms beside, {:.2} ms past the gateway",
                alone.p99 * 1e3,
                beside.p99 * 1e3,
                machine.p99 * 1e3
            ),
        ),
        (
            beside.failed == 0,
            format!(
                "{} of {} without a response",
                beside.failed,
                beside.delays.len()
            ),
        ),
        (
            after as f64 <= before as f64 * GROWTH,
            format!(
                "memory {} MiB before, {} MiB at the most, {} MiB after",
                before >> 20,
                peak >> 20,
                after >> 20
            ),
        ),
        (late.is_none(), late.unwrap_or_else(|| "stopped".to_owned())),
    ];
    print_worst(&spans, &beside.delays);
    for (well, text) in &checks {
        println!("{} {text}", mark(*well));
    }
    checks.iter().all(|(well, _)| *well)
}

/// The latency of a client while this goes on.
fn latency(client: Honest, during: impl FnOnce()) -> Latency {
    during();
    let delays = client.end();
    Latency {
        p99: honest::slowest(&delays),
        failed: honest::unanswered(&delays),
        delays,
    }
}

/// Prints the attacks beside which the client was slowest.
fn print_worst(spans: &[Span], delays: &[Delay]) {
    let mut by_name = BTreeMap::<_, Vec<Delay>>::new();
    for (name, begin, end) in spans {
        let during = |delay: &&Delay| (*begin..*end).contains(&delay.due);
        let during = delays.iter().filter(during).copied();
        by_name.entry(*name).or_default().extend(during);
    }
    let p99 = |(name, delays): (&'static str, Vec<Delay>)| {
        let slow = |delay: &&Delay| delay.latency.is_none_or(|latency| latency > NOTICED);
        let slow = delays.iter().filter(slow).count();
        (honest::slowest(&delays), slow, delays.len(), name)
    };
    let mut rows: Vec<_> = by_name.into_iter().map(p99).collect();
    rows.sort_by(|a, b| b.0.total_cmp(&a.0));
    for (p99, slow, all, name) in rows.iter().take(WORST) {
        let p99 = p99 * 1e3;
        println!("       {name:<29} p99 {p99:>8.2} ms, {slow:>5} of {all:>6} above {NOTICED:?}");
    }
}

/// Attacks of size and number after each other, beside floods and slow clients without end.
fn attack(harness: &Harness, time: Duration) -> Vec<Span> {
    let mut spans = Vec::new();
    let ended = AtomicBool::new(false);
    let goes_on = || !ended.load(Ordering::Relaxed);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while goes_on() {
                floods::run(harness.address);
                std::thread::sleep(PAUSE);
            }
        });
        scope.spawn(|| {
            while goes_on() {
                slow::run(harness.address, SLOW.0, SLOW.1);
            }
        });
        let begin = Instant::now();
        let attacks: Vec<_> = heavy::shared().collect();
        for attack in attacks.iter().cycle() {
            if begin.elapsed() >= time {
                break;
            }
            let started = Instant::now();
            attack.run(harness);
            spans.push((attack.name, started, Instant::now()));
        }
        ended.store(true, Ordering::Relaxed);
    });
    spans
}
