//! Minutes of steady traffic through a recording and a replaying gateway with a swap every second:
//! memory must not grow.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use super::load::{self, Answer, Load};
use super::{folder, put, replaying};
use crate::fixtures::fixture;
use crate::streams::Proxy;
use crate::table::Table;

/// Requests per second to each gateway.
const RATE: u32 = 2_000;
/// The duration unless the environment sets another one.
const LONG: Duration = Duration::from_secs(600);
/// Traffic before the first measurement, in which pools, caches and the heap reach their size.
const WARM: Duration = Duration::from_secs(30);
/// The time between two swaps.
const SWAP: Duration = Duration::from_secs(1);
/// The number of plugin swaps before a swap of the configuration.
const OF_PLUGINS: u32 = 10;
/// The accepted growth of memory.
const GROWTH: f64 = 1.10;

/// A gateway under load, and the plugin versions that are swapped.
struct Side {
    name: &'static str,
    proxy: Proxy,
    versions: [Vec<u8>; 2],
    swaps: u32,
}

/// The resources of a gateway without open connections.
struct Held {
    memory: f64,
    descriptors: usize,
}

pub(crate) fn bench(table: &mut Table) {
    let time = std::env::var("OULI_SOAK_SECONDS").ok();
    let time = time.map_or(LONG, |text| Duration::from_secs(text.parse().unwrap()));
    println!("\nsoak: {time:?}, {RATE} requests/s to each of two gateways, a swap each {SWAP:?}");
    let mut sides = [recording(), replay()];
    run(&mut sides, WARM);
    let before = sides.each_ref().map(Side::held);
    let answers = run(&mut sides, time);
    let after = sides.each_ref().map(Side::held);
    for (side, answers) in sides.iter().zip(&answers) {
        let failed = answers.iter().filter(|answer| answer.status != 200).count();
        let (all, swaps, p99) = (answers.len(), side.swaps, load::slowest(answers) / 1e6);
        println!(
            "{}: {all} requests, {failed} failed, {swaps} swaps, p99 {p99:.2} ms",
            side.name
        );
        assert_eq!(failed, 0, "{}: requests failed", side.name);
    }
    for (side, (before, after)) in sides.iter().zip(before.iter().zip(&after)) {
        row(table, side.name, before, after);
    }
    let [recording, replaying] = sides;
    let asked = answers[0].len();
    ended(recording, "recorded", asked);
    ended(replaying, "hits", answers[1].len());
}

fn recording() -> Side {
    let folder = folder(&config(0));
    let origin = crate::end_to_end::bare();
    let versions = [fixture("asked-redactor"), fixture("asked-policy")];
    put(folder.path(), "own.wasm", &versions[0]);
    let proxy = Proxy::gateway_in("record", Some(origin), folder);
    Side::new("record", proxy, versions)
}

fn replay() -> Side {
    let folder = folder(&config(0));
    let versions = [fixture("asked-matcher"), fixture("abstainer")];
    put(folder.path(), "own.wasm", &versions[0]);
    Side::new("replay", replaying(folder), versions)
}

/// One of two equivalent configurations.
fn config(variant: u32) -> String {
    // Pooled connections to the origin are not a leak, so they are closed soon.
    format!(
        "report = \"verdict.json\"\n[matcher]\nignore_query = [\"soak-{variant}\"]\n\
         [limits]\nupstream_idle_timeout = \"1s\"\n"
    )
}

/// Runs traffic and swaps for this time; then closes all connections.
fn run(sides: &mut [Side; 2], time: Duration) -> [Vec<Answer>; 2] {
    let loads = sides
        .each_ref()
        .map(|side| Load::start(side.proxy.address, RATE));
    let begin = Instant::now();
    let mut due = begin;
    while begin.elapsed() < time {
        due += SWAP;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        for side in sides.iter_mut() {
            side.swap();
        }
    }
    loads.map(Load::end)
}

impl Side {
    fn new(name: &'static str, proxy: Proxy, versions: [Vec<u8>; 2]) -> Self {
        Self {
            name,
            proxy,
            versions,
            swaps: 0,
        }
    }

    fn swap(&mut self) {
        self.swaps += 1;
        let variant = self.swaps / OF_PLUGINS % 2;
        if self.swaps.is_multiple_of(OF_PLUGINS) {
            let beside = self.proxy.folder().join(".new");
            fs::write(&beside, config(variant)).unwrap();
            fs::rename(beside, self.proxy.folder().join("ouli.toml")).unwrap();
        } else {
            let component = &self.versions[self.swaps as usize % 2];
            put(self.proxy.folder(), "own.wasm", component);
        }
    }

    /// The minimum of several measurements after the load.
    fn held(&self) -> Held {
        let looks = (0..100).map(|_| {
            std::thread::sleep(Duration::from_millis(50));
            (self.proxy.memory(), self.proxy.descriptors())
        });
        let (memory, descriptors): (Vec<_>, Vec<_>) = looks.unzip();
        Held {
            memory: memory.into_iter().fold(f64::MAX, f64::min),
            descriptors: descriptors.into_iter().min().unwrap(),
        }
    }
}

fn row(table: &mut Table, name: &str, before: &Held, after: &Held) {
    let mib = |bytes: f64| format!("{:.1} MiB", bytes / f64::from(1 << 20));
    let ratio = after.memory / before.memory;
    let what = format!("soak, {name}: memory at the end");
    table.row(
        &what,
        mib(after.memory),
        "before it",
        mib(before.memory),
        ratio,
    );
    let (then, now) = (before.descriptors, after.descriptors);
    let what = format!("soak, {name}: descriptors at the end");
    let counted = now as f64 / then as f64;
    table.row(
        &what,
        now.to_string(),
        "before it",
        then.to_string(),
        counted,
    );
    assert!(ratio <= GROWTH, "{name}: memory grew");
    assert!(now <= then, "{name}: {now} open descriptors, {then} before");
}

/// Stops a gateway with SIGTERM; the verdict must count all requests of the measured time.
fn ended(side: Side, what: &str, least: usize) {
    let folder = side.proxy.stop();
    let verdict = fs::read(folder.path().join("verdict.json")).unwrap();
    let verdict: serde_json::Value = serde_json::from_slice(&verdict).unwrap();
    let counted = verdict["sessions"][0][what].as_u64().unwrap();
    println!("{}: {counted} {what}", side.name);
    assert!(counted >= least as u64, "{verdict}");
    assert_eq!(verdict["passed"], true, "{verdict}");
    if what == "recorded" {
        whole(folder.path(), counted);
    }
}

/// Asserts that the cassette has the counted number of exchanges.
fn whole(folder: &Path, counted: u64) {
    let file = fs::File::open(folder.join("cassettes/default.jsons")).unwrap();
    let lines = std::io::BufRead::lines(std::io::BufReader::new(file));
    let last = lines
        .map(Result::unwrap)
        .filter(|line| line.trim_start().starts_with("\"exchange\":"))
        .last();
    let last = last.unwrap();
    let ordinal: String = last.chars().filter(char::is_ascii_digit).collect();
    assert_eq!(ordinal.parse::<u64>().unwrap(), counted, "{last}");
}
