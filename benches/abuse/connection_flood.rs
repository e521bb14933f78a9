//! Many more connections than the limit allows, opened faster than they are served; then a
//! shutdown.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::harness::Harness;
use super::{Outcome, honest, none_wrong, origin};

/// The number of attempted connections and of held ones.
const TRIES: usize = 20_000;
const HELD: usize = 3_900;
/// The pause between two held connections: only the attempts are a rush.
const APART: Duration = Duration::from_micros(500);
/// The number of concurrent clients.
const CLIENTS: usize = 16;
/// The time limit for the shutdown.
const GRACE: Duration = Duration::from_secs(30);

const REQUEST: &[u8] = b"GET /x HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";

pub(super) fn flood() -> Outcome {
    let harness = Harness::passing(origin::start(), "connections = 4096");
    let (measured, (answers, held)) = harness.under(|| {
        let held: Vec<_> = (0..HELD)
            .map(|_| {
                std::thread::sleep(APART);
                honest::connect(harness.address).unwrap()
            })
            .collect();
        (tries(harness.address), held)
    });
    // The held connections are closed after the measurement, because the kernel needs time to clean
    // up.
    drop(held);
    let mut faults = Vec::new();
    let others: Vec<_> = answers
        .keys()
        .filter(|status| !matches!(status, 0 | 200 | 503))
        .collect();
    if !others.is_empty() {
        faults.push(format!("unexpected status {others:?}"));
    }
    // Requests in progress when the shutdown starts.
    let mut open: Vec<_> = (0..100)
        .map(|_| honest::connect(harness.address).unwrap())
        .collect();
    for stream in &mut open {
        stream.write_all(REQUEST).unwrap();
    }
    let accepted = honest::whole(&mut open[99]);
    let begin = Instant::now();
    let (status, _) = harness.stop();
    if begin.elapsed() > GRACE || !status.success() || accepted.is_err() {
        faults.push(format!(
            "the shutdown took {:?} and exited with {status}",
            begin.elapsed()
        ));
    }
    let lost = open[..99]
        .iter_mut()
        .filter_map(|stream| honest::whole(stream).err())
        .count();
    if lost > 0 {
        faults.push(format!(
            "{lost} requests in progress were lost by the shutdown"
        ));
    }
    let count = |status| answers.get(&status).copied().unwrap_or(0);
    let word = format!(
        "{} with 200, {} with 503, {} without a response; stopped",
        count(200),
        count(503),
        count(0)
    );
    (measured, none_wrong(word, &faults))
}

/// The number of responses by status; 0 means no response.
fn tries(to: SocketAddr) -> BTreeMap<u16, usize> {
    let threads: Vec<_> = (0..CLIENTS)
        .map(|_| {
            std::thread::spawn(move || {
                let statuses = (0..TRIES / CLIENTS)
                    .map(|_| honest::ask(to, REQUEST).map_or(0, |(status, ..)| status));
                statuses.collect::<Vec<_>>()
            })
        })
        .collect();
    let mut counts = BTreeMap::new();
    for status in threads
        .into_iter()
        .flat_map(|thread| thread.join().unwrap())
    {
        *counts.entry(status).or_default() += 1;
    }
    counts
}
