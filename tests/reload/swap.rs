//! Two versions of a matcher, swapped two hundred times under load.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::{ONE, TWO, answered, ask, now, two_exchanges};
use crate::support::client::{self, Client};
use crate::support::gateway;
use crate::support::plugins::fixture;
use crate::support::{until, wait_for};

const SWAPS: usize = 200;
const CLIENTS: usize = 4;

/// Each version finds another exchange for the same request. A key of one version does not exist
/// in the index of the other. So a response belongs to one version, or the request is a miss,
/// which fails the test.
#[test]
fn two_hundred_swaps_under_load_fail_no_request_and_mix_no_versions() {
    let folder = two_exchanges();
    let versions = [(fixture(TWO), "two"), (fixture(ONE), "one")];
    let gateway = gateway::replay(&folder)
        .plugin("own.wasm", &versions[0].0)
        // The wall clock of a deadline continues while a busy machine runs other processes.
        .section("[limits]\nmatcher_cpu_time = \"5s\"")
        .start();
    let client = client::http1(&gateway);
    let load = Load::default();
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| scope.spawn(|| load.run(&client)))
            .collect();
        for swap in 1..=SWAPS {
            let (plugin, expected) = &versions[swap % 2];
            folder.put_plugin("own.wasm", plugin);
            assert!(gateway.reload(), "swap {swap} did not take effect");
            assert_eq!(now(&client), *expected, "after swap {swap}");
            let before = load.answers.load(Ordering::Relaxed);
            until("answers of this version", || {
                (load.answers.load(Ordering::Relaxed) > before + CLIENTS).then_some(())
            });
        }
        load.ended.store(true, Ordering::Relaxed);
        for client in clients {
            let seen = client.join().unwrap();
            assert_eq!(seen, BTreeSet::from(["one".to_owned(), "two".to_owned()]));
        }
    });
    assert_eq!(gateway.generation(), 1 + SWAPS as u64);
    assert!(load.answers.load(Ordering::Relaxed) > SWAPS * CLIENTS);
    let report = gateway.finish();
    assert_eq!((report.misses, report.passed), (0, true));
}

#[derive(Default)]
struct Load {
    ended: AtomicBool,
    answers: AtomicUsize,
}

impl Load {
    /// Sends requests without pause on one connection; returns the exchanges that answered.
    fn run(&self, client: &Client) -> BTreeSet<String> {
        let _ended = EndsWithMe(&self.ended);
        let mut seen = BTreeSet::new();
        let mut connection = wait_for("a connection", client.connect()).unwrap();
        while !self.ended.load(Ordering::Relaxed) {
            let request = ask(client).into_request();
            let answer = wait_for("an answer", connection.send(request)).unwrap();
            seen.insert(answered(&answer));
            self.answers.fetch_add(1, Ordering::Relaxed);
        }
        seen
    }
}

/// If one client fails, the others stop too.
struct EndsWithMe<'a>(&'a AtomicBool);

impl Drop for EndsWithMe<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
