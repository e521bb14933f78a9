//! The plan of a run, derived from its seed: the requests of each client and the network faults.

use std::time::Duration;

use super::reply::{Kind, Target};
use crate::support::seeded::Random;

/// All faults begin and end before this time of a run.
pub(super) const CALM: Duration = Duration::from_secs(6);
/// At this time all effects of faults are over, because the gateway's timeouts have passed.
pub(super) const SETTLED: Duration = Duration::from_secs(10);

/// One run.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) seed: u64,
    pub(super) mode: &'static str,
    /// The upstream is reached over HTTP/2.
    pub(super) http2_upstream: bool,
    pub(super) clients: Vec<Client>,
    /// Sorted by time.
    pub(super) events: Vec<(Duration, Event)>,
}

/// A client program.
#[derive(Clone, Debug)]
pub(super) struct Client {
    pub(super) http2: bool,
    pub(super) batches: Vec<Batch>,
    /// The requests that it sends after all faults are over.
    pub(super) last: Batch,
}

/// Requests that follow each other on one connection, or are concurrent where HTTP/2 allows.
#[derive(Clone, Debug)]
pub(super) struct Batch {
    /// Pause before the first request.
    pub(super) pause: Duration,
    pub(super) requests: Vec<PlannedRequest>,
}

/// One request.
#[derive(Clone, Copy, Debug)]
pub(super) struct PlannedRequest {
    pub(super) target: Target,
    /// The client disconnects during the response.
    pub(super) abandoned: bool,
}

/// One end of a link.
pub(super) type Host = &'static str;

/// What happens to the network and to the origin.
#[derive(Clone, Copy, Debug)]
pub(super) enum Event {
    /// Messages are held and delivered later.
    Hold(Host, Host),
    Release(Host, Host),
    /// Messages in both directions are lost.
    Part(Host, Host),
    /// Messages in one direction are lost.
    PartOneWay(Host, Host),
    Repair(Host, Host),
    /// Messages have this latency.
    Slow(Host, Host, Duration),
    /// The origin crashes with all its connections.
    Crash,
    Restart,
}

pub(super) const CLIENTS: [Host; 4] = ["client-0", "client-1", "client-2", "client-3"];
pub(super) const GATEWAY: Host = "gateway";
pub(super) const ORIGIN: Host = "origin";

impl Plan {
    pub(super) fn new(seed: u64) -> Self {
        let random = &mut Random::new(seed);
        let mut number = 0;
        let count = 1 + random.below(CLIENTS.len() as u64) as usize;
        let clients = (0..count).map(|_| client(random, &mut number)).collect();
        Self {
            seed,
            mode: random.one_of(&["record", "record", "record", "auto", "passthrough"]),
            http2_upstream: random.one_in(3),
            clients,
            events: events(random, count),
        }
    }

    /// Clients that send so many requests that their HTTP/2 connection to the upstream is never
    /// idle. After a while nothing arrives on it any more.
    pub(super) fn silent_upstream() -> Self {
        let random = &mut Random::new(0);
        let mut number = 0;
        let mut client = || Client {
            http2: false,
            batches: steady(random, &mut number),
            last: batch(random, &mut number, true),
        };
        let gone = Duration::from_secs(2);
        Self {
            seed: 0,
            mode: "record",
            http2_upstream: true,
            clients: CLIENTS.iter().map(|_| client()).collect(),
            events: vec![
                (gone, Event::PartOneWay(GATEWAY, ORIGIN)),
                (CALM, Event::Repair(GATEWAY, ORIGIN)),
            ],
        }
    }

    /// Every request of the run.
    pub(super) fn requests(&self) -> impl Iterator<Item = PlannedRequest> {
        let clients = self.clients.iter();
        let batches = clients.flat_map(|client| client.batches.iter().chain([&client.last]));
        batches.flat_map(|batch| batch.requests.iter().copied())
    }
}

fn client(random: &mut Random, number: &mut u64) -> Client {
    let batches = 1 + random.below(4);
    let http2 = random.one_in(2);
    let batches = if random.one_in(4) {
        steady(random, number)
    } else {
        (0..batches).map(|_| batch(random, number, false)).collect()
    };
    Client {
        http2,
        batches,
        last: batch(random, number, true),
    }
}

/// Small requests without long pauses, so that no connection is idle for long.
fn steady(random: &mut Random, number: &mut u64) -> Vec<Batch> {
    let one = |_| {
        *number += 1;
        let target = Target {
            kind: Kind::Plain,
            number: *number,
            size: 700,
        };
        Batch {
            pause: random.between(100, 400),
            requests: vec![PlannedRequest {
                target,
                abandoned: false,
            }],
        }
    };
    (0..40).map(one).collect()
}

fn batch(random: &mut Random, number: &mut u64, last: bool) -> Batch {
    let requests = (0..1 + random.below(4)).map(|_| {
        *number += 1;
        let kind = random.one_of(if last { &Kind::GOOD } else { &Kind::ALL });
        let size = random.one_of(&[0, 1, 700, 20_000, 150_000]);
        let number = *number;
        PlannedRequest {
            target: Target { kind, number, size },
            abandoned: !last && random.one_in(8),
        }
    });
    Batch {
        requests: requests.collect(),
        pause: random.between(0, 1500),
    }
}

fn events(random: &mut Random, clients: usize) -> Vec<(Duration, Event)> {
    let mut events = Vec::new();
    for _ in 0..random.below(6) {
        let start = random.between(50, 4000);
        let end = (start + random.between(20, 2500)).min(CALM);
        let (a, b) = if random.one_in(2) {
            (GATEWAY, ORIGIN)
        } else {
            (random.one_of(&CLIENTS[..clients]), GATEWAY)
        };
        let (a, b) = if random.one_in(2) { (a, b) } else { (b, a) };
        let (first, then) = match random.below(7) {
            0 | 1 => (Event::Hold(a, b), Event::Release(a, b)),
            2 => (Event::Part(a, b), Event::Repair(a, b)),
            3 => (Event::PartOneWay(a, b), Event::Repair(a, b)),
            4 => {
                let slow = random.between(50, 400);
                let usual = Duration::from_millis(2);
                (Event::Slow(a, b, slow), Event::Slow(a, b, usual))
            }
            _ => (Event::Crash, Event::Restart),
        };
        events.extend([(start, first), (end, then)]);
    }
    events.sort_by_key(|(at, _)| *at);
    // Faults of one link may overlap; the end of one must not end the other.
    for client in CLIENTS.iter().take(clients).copied().chain([ORIGIN]) {
        events.push((CALM, Event::Repair(client, GATEWAY)));
        events.push((CALM, Event::Release(client, GATEWAY)));
    }
    events.push((CALM, Event::Restart));
    events
}
