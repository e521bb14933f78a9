//! Servers that take turns under the same client.

use std::net::SocketAddr;
use std::time::Duration;

use super::client::Client;
use super::cpu;
use crate::table::{self, Table};

/// A server that is measured.
pub(super) struct Rival {
    name: &'static str,
    address: SocketAddr,
    workers: Workers,
    turns: Vec<Turn>,
}

/// Where a server's work is done.
enum Workers {
    /// Threads of this process whose names begin so.
    Threads(&'static str),
    /// Processes of one thread.
    Processes(Vec<u32>),
}

/// What one turn gave.
struct Turn {
    /// Requests in a second.
    rate: f64,
    /// Nanoseconds of the server's CPU for one request.
    cpu: Option<f64>,
}

impl Rival {
    pub(super) fn threads(name: &'static str, address: SocketAddr, prefix: &'static str) -> Self {
        Self::new(name, address, Workers::Threads(prefix))
    }

    pub(super) fn processes(name: &'static str, address: SocketAddr, all: Vec<u32>) -> Self {
        Self::new(name, address, Workers::Processes(all))
    }

    fn new(name: &'static str, address: SocketAddr, workers: Workers) -> Self {
        Self {
            name,
            address,
            workers,
            turns: Vec::new(),
        }
    }

    fn turn(&self, client: &Client, time: Duration) -> Turn {
        let before = self.cpu();
        let sent = client.send(self.address, time);
        let used = before.zip(self.cpu()).map(|(before, after)| after - before);
        Turn {
            rate: sent.requests as f64 / sent.time.as_secs_f64(),
            cpu: used.map(|used| used as f64 / sent.requests as f64),
        }
    }

    /// The CPU time that it used so far, in nanoseconds.
    fn cpu(&self) -> Option<u64> {
        match &self.workers {
            Workers::Threads(prefix) => cpu::of_threads(prefix),
            Workers::Processes(all) => cpu::of_processes(all),
        }
    }

    fn rate(&self) -> f64 {
        table::median(self.turns.iter().map(|turn| turn.rate).collect())
    }

    fn cpu_each(&self) -> Option<f64> {
        let each: Option<Vec<_>> = self.turns.iter().map(|turn| turn.cpu).collect();
        each.map(table::median)
    }
}

/// All of them, measured.
pub(super) struct Rivals(Vec<Rival>);

impl Rivals {
    pub(super) fn measure(
        mut rivals: Vec<Rival>,
        client: &Client,
        rounds: usize,
        time: Duration,
    ) -> Self {
        for rival in &rivals {
            rival.turn(client, time);
        }
        for round in 1..=rounds {
            let mut line = format!("round {round}:");
            for rival in &mut rivals {
                let turn = rival.turn(client, time);
                line += &format!("  {} {:.0}/s", rival.name, turn.rate);
                rival.turns.push(turn);
            }
            println!("{line}");
        }
        Self(rivals)
    }

    /// The medians of two; the ratio is the median of those in each round.
    pub(super) fn compare(&self, table: &mut Table, figure: &str, baseline: &str) {
        let (one, other) = (self.find(figure), self.find(baseline));
        let turns = one.turns.iter().zip(&other.turns);
        let ratios = turns.map(|(one, other)| one.rate / other.rate).collect();
        let shown = |rival: &Rival| format!("{:.0}/s", rival.rate());
        let what = format!("{figure}, requests");
        table.row(
            &what,
            shown(one),
            baseline,
            shown(other),
            table::median(ratios),
        );
        if let Some((cpu, beside)) = one.cpu_each().zip(other.cpu_each()) {
            let what = format!("{figure}, CPU of a request");
            let shown = [cpu, beside].map(table::duration);
            let [cpu_shown, beside_shown] = shown;
            table.row(&what, cpu_shown, baseline, beside_shown, cpu / beside);
        }
    }

    fn find(&self, name: &str) -> &Rival {
        self.0.iter().find(|rival| rival.name == name).unwrap()
    }
}
