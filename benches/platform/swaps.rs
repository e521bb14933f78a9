//! A thousand plugin swaps under load: no failed request, no mixed versions, constant memory.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::load::{self, Load};
use super::{folder, put, replaying};
use crate::fixtures::fixture;
use crate::streams::Proxy;
use crate::table::{self, Table};

const SWAPS: usize = 1_000;
/// The number of swaps before the first measurement of memory.
const WARM: usize = 100;
/// Requests per second.
const RATE: u32 = 5_000;
/// The number of swaps to components that are not in the compilation cache.
const ANEW: usize = 50;
/// The number of swaps of a JavaScript guest, after two that compile it.
const LARGE: usize = 7;

pub(crate) fn bench(table: &mut Table) {
    let folder = folder("");
    // The two versions find different exchanges for the request of the load.
    let versions = [
        (fixture("asked-matcher"), "one"),
        (fixture("abstainer"), "two"),
    ];
    put(folder.path(), "own.wasm", &versions[1].0);
    let proxy = replaying(folder);
    println!("\nswaps: {SWAPS} under {RATE} requests/s");
    let load = Load::start(proxy.address, RATE);
    let (mut times, mut before) = (Vec::new(), 0.0);
    for swap in 0..SWAPS {
        let (component, expected) = &versions[swap % 2];
        times.push(swapped(&proxy, "own.wasm", component, expected));
        if swap == WARM {
            before = settled(&proxy);
        }
    }
    let after = settled(&proxy);
    let answers = load.end();
    let failed = answers.iter().filter(|answer| answer.status != 200).count();
    let of = |kind: &str| answers.iter().filter(|one| one.body == kind).count();
    let mixed = answers.len() - failed - of("one") - of("two");
    println!(
        "{} requests, {failed} failed, {mixed} mixed; {} by one version, {} by the other",
        answers.len(),
        of("one"),
        of("two")
    );
    assert_eq!((failed, mixed), (0, 0));
    let mib = |bytes: f64| format!("{:.1} MiB", bytes / (1 << 20) as f64);
    let what = format!("memory after {SWAPS} swaps");
    assert!(after <= before * 1.02, "memory grew");
    table.row(
        &what,
        mib(after),
        "after the first",
        mib(before),
        after / before,
    );
    live(table, "save to live, Rust", &times);
    let anew = (0..ANEW).map(|number| {
        let (component, expected) = &versions[number % 2];
        swapped(&proxy, "own.wasm", &unique(component, number), expected)
    });
    live(
        table,
        "save to live, Rust, never compiled before",
        &anew.collect::<Vec<_>>(),
    );
    if let Some(path) = large() {
        live(table, "save to live, JavaScript", &large_swaps(&path));
        first(table, &path);
    }
}

/// The same component with other bytes: a custom section with a unique text at its end.
fn unique(component: &[u8], number: usize) -> Vec<u8> {
    let now = std::time::SystemTime::now();
    let now = now
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_nanos();
    let text = format!("{number:03} {now:020}");
    let mut unique = component.to_vec();
    // A custom section: its id, its size, the length of its name, the name, the content.
    unique.extend([0, u8::try_from(text.len() + 2).unwrap(), 1, b'x']);
    unique.extend(text.as_bytes());
    unique
}

fn live(table: &mut Table, what: &str, times: &[Duration]) {
    let mut times: Vec<_> = times.iter().map(|one| one.as_secs_f64() * 1e9).collect();
    times.sort_by(f64::total_cmp);
    let slow = times[times.len() * 99 / 100];
    let middle = table::median(times);
    let (shown, beside) = (table::duration(middle), table::duration(slow));
    table.row(what, shown, "its p99", beside, middle / slow);
}

/// Compares the first request after a start with the second one, on an open connection, with a
/// JavaScript plugin that is called for both.
fn first(table: &mut Table, path: &Path) {
    let component = std::fs::read(path.join("ignore-nonce.wasm")).unwrap();
    let (mut firsts, mut seconds) = (Vec::new(), Vec::new());
    for _ in 0..LARGE {
        let folder = folder("");
        put(folder.path(), "own.wasm", &component);
        let proxy = replaying(folder);
        let times = load::run(async {
            let mut sender = load::connect(proxy.address).await;
            load::get(&mut sender, proxy.address, "/__ouli/plugins").await;
            let mut times = Vec::new();
            for number in 0..2 {
                let target = format!("/ask?rest={number}");
                let begin = Instant::now();
                load::send(&mut sender, proxy.address, &target, "one").await;
                times.push(begin.elapsed().as_secs_f64() * 1e9);
            }
            times
        });
        firsts.push(times[0]);
        seconds.push(times[1]);
    }
    let (first, second) = (table::median(firsts), table::median(seconds));
    let (shown, beside) = (table::duration(first), table::duration(second));
    table.row(
        "first request after a start",
        shown,
        "the second",
        beside,
        first / second,
    );
}

/// The time from the replacement of the file to the first response of the new version.
fn swapped(proxy: &Proxy, name: &str, component: &[u8], expected: &str) -> Duration {
    load::run(async {
        let mut sender = load::connect(proxy.address).await;
        put(proxy.folder(), name, component);
        let saved = Instant::now();
        loop {
            let to = proxy.address;
            let (_, body) = load::send(&mut sender, to, "/ask?rest=two", "one").await;
            if body == expected {
                return saved.elapsed();
            }
            assert!(
                saved.elapsed() < Duration::from_secs(60),
                "the new version never served"
            );
            tokio::time::sleep(Duration::from_micros(500)).await;
        }
    })
}

/// The minimum of several measurements of memory.
fn settled(proxy: &Proxy) -> f64 {
    let looks = (0..20).map(|_| {
        std::thread::sleep(Duration::from_millis(50));
        proxy.memory()
    });
    looks.fold(f64::MAX, f64::min)
}

/// The folder of the JavaScript plugins, if they were built.
fn large() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/javascript/build");
    path.join("ignore-nonce.wasm").is_file().then_some(path)
}

/// Swaps of two JavaScript plugins in turn, each compiled once.
fn large_swaps(path: &Path) -> Vec<Duration> {
    let read = |name: &str| std::fs::read(path.join(name)).unwrap();
    let versions = [read("ignore-nonce.wasm"), read("skip-errors.wasm")];
    let proxy = replaying(folder(""));
    let mut times = Vec::new();
    for swap in 0..LARGE + 2 {
        put(proxy.folder(), "own.wasm", &versions[swap % 2]);
        let saved = Instant::now();
        let before = generation(proxy.address);
        while generation(proxy.address) == before {
            assert!(
                saved.elapsed() < Duration::from_secs(120),
                "the new version never served"
            );
            std::thread::sleep(Duration::from_millis(2));
        }
        if swap >= 2 {
            times.push(saved.elapsed());
        }
    }
    times
}

fn generation(to: SocketAddr) -> u64 {
    load::run(async {
        let mut sender = load::connect(to).await;
        let body = load::get(&mut sender, to, "/__ouli/plugins").await;
        let status: serde_json::Value = serde_json::from_slice(&body).unwrap();
        status["generation"].as_u64().unwrap()
    })
}
