//! Plugins that abuse the gateway on one route, and the latency of another route.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::load::{self, Answer, Load};
use super::{folder, put, replaying};
use crate::fixtures::fixture;
use crate::streams::Proxy;
use crate::table::{self, Table};

/// The kinds of abuse; the fixture `abuser` selects one by the path.
const WAYS: [(&str, &str); 10] = [
    ("loop", "endless loop"),
    ("recursion", "deep recursion"),
    ("memory", "memory bomb"),
    ("handles", "handle leak"),
    ("giant-part", "huge part"),
    ("giant-log", "huge log line"),
    ("log-flood", "log flood"),
    ("panic", "trap storm"),
    ("reenter", "re-entry"),
    ("name-address", "addresses out of range"),
];

/// The number of rounds with and without abuse.
const ROUNDS: usize = 6;
/// The duration of a round.
const ROUND: Duration = Duration::from_secs(2);
/// Requests per second of the well-behaved client.
const RATE: u32 = 2_000;
/// The pause between two attempts.
const PAUSE: Duration = Duration::from_millis(10);

const CONFIG: &str = "[[plugin]]\nfile = \"own.wasm\"\nroutes = [\"/abuse/*\"]\n";

pub(crate) fn bench(table: &mut Table) {
    println!(
        "\nhostile plugins: {ROUNDS} rounds of {ROUND:?} each, {RATE} requests/s of another client"
    );
    for (way, name) in WAYS {
        let folder = folder(CONFIG);
        put(folder.path(), "own.wasm", &fixture("abuser"));
        let proxy = replaying(folder);
        measure(table, &proxy, way, name);
    }
}

/// The target of the second client in rounds without abuse: a path without a plugin.
const CALM: &str = "/calm";

fn measure(table: &mut Table, proxy: &Proxy, way: &str, name: &str) {
    round(proxy, CALM);
    let before = proxy.memory();
    let (mut calm, mut abused, mut most) = (Vec::new(), Vec::new(), before);
    // The rounds alternate, so that other load of the machine affects both alike.
    for _ in 0..ROUNDS {
        calm.extend(round(proxy, CALM).0);
        let (answers, memory) = round(proxy, &format!("/abuse/{way}"));
        abused.extend(answers);
        most = most.max(memory);
    }
    let (calm, abused) = (load::slowest(&calm), load::slowest(&abused));
    let grown = (most - before) / (1 << 20) as f64;
    table.row(
        &format!("{name}: p99 of others (memory +{grown:.0} MiB)"),
        table::duration(abused),
        "no abuse",
        table::duration(calm),
        abused / calm,
    );
}

/// The responses to the well-behaved client while another client requests `target`, and the peak
/// memory of the gateway.
fn round(proxy: &Proxy, target: &str) -> (Vec<Answer>, f64) {
    let load = Load::start(proxy.address, RATE);
    let ended = Arc::new(AtomicBool::new(false));
    let other = {
        let (to, ended, target) = (proxy.address, Arc::clone(&ended), target.to_owned());
        std::thread::spawn(move || {
            load::run(async {
                let mut sender = load::connect(to).await;
                while !ended.load(Ordering::Relaxed) {
                    load::send(&mut sender, to, &target, "one").await;
                    tokio::time::sleep(PAUSE).await;
                }
            });
        })
    };
    let mut memory = 0.0_f64;
    let begin = std::time::Instant::now();
    while begin.elapsed() < ROUND {
        std::thread::sleep(Duration::from_millis(20));
        memory = memory.max(proxy.memory());
    }
    ended.store(true, Ordering::Relaxed);
    let answers = load.end();
    other.join().unwrap();
    assert!(answers.iter().all(|answer| answer.status == 200));
    (answers, memory)
}
