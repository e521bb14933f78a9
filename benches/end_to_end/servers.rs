//! Servers that are measured in alternating rounds with the same client.

use std::net::SocketAddr;
use std::time::Duration;

use super::client::Client;
use super::cpu;
use crate::table::{self, Table};

/// A measured server.
pub(super) struct MeasuredServer {
    name: &'static str,
    address: SocketAddr,
    workers: Workers,
    rounds: Vec<Round>,
}

/// The threads or processes whose CPU time counts.
enum Workers {
    /// Threads of this process with this name prefix.
    Threads(&'static str),
    /// Single-threaded processes.
    Processes(Vec<u32>),
}

/// The result of a round.
struct Round {
    /// Requests per second.
    rate: f64,
    /// The CPU time of the server for a request in nanoseconds.
    cpu: Option<f64>,
}

impl MeasuredServer {
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
            rounds: Vec::new(),
        }
    }

    fn round(&self, client: &Client, time: Duration) -> Round {
        let before = self.cpu();
        let sent = client.send(self.address, time);
        let used = before.zip(self.cpu()).map(|(before, after)| after - before);
        Round {
            rate: sent.requests as f64 / sent.time.as_secs_f64(),
            cpu: used.map(|used| used as f64 / sent.requests as f64),
        }
    }

    /// The CPU time so far in nanoseconds.
    fn cpu(&self) -> Option<u64> {
        match &self.workers {
            Workers::Threads(prefix) => cpu::of_threads(prefix),
            Workers::Processes(all) => cpu::of_processes(all),
        }
    }

    fn rate(&self) -> f64 {
        table::median(self.rounds.iter().map(|round| round.rate).collect())
    }

    fn cpu_each(&self) -> Option<f64> {
        let each: Option<Vec<_>> = self.rounds.iter().map(|round| round.cpu).collect();
        each.map(table::median)
    }
}

/// All measured servers.
pub(super) struct Servers(Vec<MeasuredServer>);

impl Servers {
    pub(super) fn measure(
        mut servers: Vec<MeasuredServer>,
        client: &Client,
        rounds: usize,
        time: Duration,
    ) -> Self {
        for server in &servers {
            server.round(client, time);
        }
        for round in 1..=rounds {
            let mut line = format!("round {round}:");
            for server in &mut servers {
                let round = server.round(client, time);
                line += &format!("  {} {:.0}/s", server.name, round.rate);
                server.rounds.push(round);
            }
            println!("{line}");
        }
        Self(servers)
    }

    /// Adds the medians of two servers; the ratio is the median of the ratios of the rounds.
    pub(super) fn compare(&self, table: &mut Table, figure: &str, baseline: &str) {
        let (one, other) = (self.find(figure), self.find(baseline));
        let rounds = one.rounds.iter().zip(&other.rounds);
        let ratios = rounds.map(|(one, other)| one.rate / other.rate).collect();
        let shown = |server: &MeasuredServer| format!("{:.0}/s", server.rate());
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

    fn find(&self, name: &str) -> &MeasuredServer {
        self.0.iter().find(|server| server.name == name).unwrap()
    }
}
