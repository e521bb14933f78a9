//! WebSockets and event streams through the gateway, compared with a plain splice of two TCP
//! sockets.
//!
//! The gateway and the splice run in their own processes, so that their CPU time and memory are
//! measured alone; clients and origin run here.

mod client;
mod many_streams;
mod origin;
mod proxy;
mod splice;

use std::time::Duration;

pub(crate) use proxy::Proxy;

use crate::table::{self, Table};

pub(crate) use splice::{ORIGIN, run as splice};

/// The number of rounds of each proxy, after one that does not count.
const ROUNDS: usize = 5;
/// The duration of a round.
const ROUND: Duration = Duration::from_secs(1);
/// The number of idle tunnels.
const IDLE: usize = 1000;
/// The number of events whose delay is measured, and the pause between them.
pub(crate) const EVENTS: u32 = 500;
pub(crate) const PAUSE: Duration = Duration::from_millis(2);

pub(crate) fn bench(table: &mut Table) {
    let origin = origin::start();
    let splice = Proxy::splice(origin);
    let passing = Proxy::gateway("passthrough", origin);
    let recording = Proxy::gateway("record", origin);
    println!("\nstreams: {ROUNDS} rounds of {ROUND:?} each");
    rates(table, &splice, &[&passing, &recording]);
    delays(table, &splice, &recording);
    drop((splice, passing, recording));
    // New processes, since memory that was used before is reused.
    let splice = Proxy::splice(origin);
    let beside = splice.of_one_tunnel(IDLE);
    for mode in ["passthrough", "record"] {
        let proxy = Proxy::gateway(mode, origin);
        let each = proxy.of_one_tunnel(IDLE);
        let shown = [each, beside].map(|bytes| format!("{:.1} KiB", bytes / 1024.0));
        let [shown, other] = shown;
        let what = format!("{}, memory of an idle tunnel", proxy.name);
        table.row(&what, shown, splice.name, other, each / beside);
    }
    many_streams::bench(table, origin);
}

/// Echoed messages per second of time and per second of CPU time.
fn rates(table: &mut Table, splice: &Proxy, others: &[&Proxy]) {
    let all: Vec<&Proxy> = std::iter::once(splice)
        .chain(others.iter().copied())
        .collect();
    let mut rounds: Vec<Vec<(f64, f64)>> = all.iter().map(|_| Vec::new()).collect();
    for round in 0..=ROUNDS {
        for (proxy, rounds) in all.iter().zip(&mut rounds) {
            let before = proxy.cpu();
            let rate = client::talk(proxy.address, ROUND);
            let cpu = (proxy.cpu() - before) as f64 / (rate * ROUND.as_secs_f64());
            if round > 0 {
                rounds.push((rate, cpu));
            }
        }
    }
    for (proxy, own) in all.iter().zip(&rounds).skip(1) {
        let pairs = || own.iter().zip(&rounds[0]);
        let middle = |rounds: &[(f64, f64)], of: fn(&(f64, f64)) -> f64| {
            table::median(rounds.iter().map(of).collect())
        };
        let rates = pairs().map(|(one, other)| one.0 / other.0).collect();
        table.row(
            &format!("{}, messages", proxy.name),
            format!("{:.0}/s", middle(own, |round| round.0)),
            splice.name,
            format!("{:.0}/s", middle(&rounds[0], |round| round.0)),
            table::median(rates),
        );
        let times = pairs().map(|(one, other)| one.1 / other.1).collect();
        table.row(
            &format!("{}, CPU of a message", proxy.name),
            table::duration(middle(own, |round| round.1)),
            splice.name,
            table::duration(middle(&rounds[0], |round| round.1)),
            table::median(times),
        );
    }
}

/// p99 of the delay of an event.
fn delays(table: &mut Table, splice: &Proxy, recording: &Proxy) {
    let slowest = |proxy: &Proxy| {
        let mut delays = client::events(proxy.address);
        delays.sort_by(f64::total_cmp);
        delays[delays.len() * 99 / 100]
    };
    let (mut own, mut other) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        own.push(slowest(recording));
        other.push(slowest(splice));
    }
    let ratios = own.iter().zip(&other).map(|(own, other)| own / other);
    let ratio = table::median(ratios.collect());
    let [shown, beside] = [own, other].map(|all| table::duration(table::median(all)));
    let what = "record, delay of an event, p99";
    table.row(what, shown, splice.name, beside, ratio);
}
