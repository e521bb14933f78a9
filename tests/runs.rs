//! Marks, which start the next run of a session, and the health page.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use ouli_config::Defect;

use crate::cost::cassettes::cassette;
use crate::support::binary::program;
use crate::support::client::{self, Client};
use crate::support::folder::Folder;
use crate::support::gateway::{self, Running};
use crate::support::origin::{self, Gate, Origin};
use crate::support::until;

/// An origin that returns the target and an increasing number.
pub(crate) fn counting() -> Origin {
    let count = AtomicUsize::new(0);
    let answer = move |seen: &origin::Seen| {
        let number = count.fetch_add(1, Ordering::SeqCst);
        origin::text(&format!("{} {number}", seen.target))
    };
    origin::new().route("/*", answer).start()
}

/// A cassette with two responses to `/next` and one to `/other`.
pub(crate) fn recorded() -> Arc<Folder> {
    let origin = counting();
    let gateway = gateway::record(&origin).start();
    for target in ["/next", "/next", "/other"] {
        client::http1(&gateway).get(target);
    }
    let folder = Arc::clone(&gateway.folder);
    gateway.stop();
    folder
}

fn mark(gateway: &Running) -> serde_json::Value {
    let mark = client::http1(gateway).ask("POST", "/__ouli/sessions/default/mark");
    let answer = mark.send();
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

pub(crate) fn texts(client: &Client, targets: &[&str]) -> Vec<String> {
    let text = |target: &&str| client.get(target).text().to_owned();
    targets.iter().map(text).collect()
}

#[test]
fn a_mark_rewinds_a_session_and_returns_its_verdict() {
    let folder = recorded();
    let gateway = gateway::replay(&folder)
        .set("on_exhausted = \"miss\"")
        .start();
    let client = client::http1(&gateway);
    let next = ["/next", "/next"];
    assert_eq!(texts(&client, &next), ["/next 0", "/next 1"]);
    assert_eq!(client.get("/next").status, 404);
    let ended = mark(&gateway);
    assert_eq!(
        (&ended["session"], &ended["run"]),
        (&"default".into(), &1.into())
    );
    let verdict = &ended["verdict"];
    assert_eq!(
        (&verdict["hits"], &verdict["misses"]),
        (&2.into(), &1.into())
    );
    assert_eq!(verdict["passed"], false);
    assert_eq!(verdict["unused"].as_array().unwrap().len(), 1);
    // The next run starts at the first exchange and with new counters.
    assert_eq!(
        texts(&client, &["/next", "/other", "/next"]),
        ["/next 0", "/other 2", "/next 1"]
    );
    let now = client.get("/__ouli/sessions/default").json();
    let (run, total) = (&now["verdict"], &now["total"]);
    assert_eq!(
        (&now["run"], &run["passed"], &run["hits"]),
        (&2.into(), &true.into(), &3.into())
    );
    assert_eq!((&total["hits"], &total["misses"]), (&5.into(), &1.into()));
    let report = gateway.finish();
    assert_eq!((report.hits, report.misses, report.passed), (5, 1, false));
    assert!(report.unused.is_empty(), "{:?}", report.unused);
}

#[test]
fn a_mark_lists_the_first_unused_exchanges_and_counts_all() {
    let folder = Arc::new(Folder::new());
    fs::create_dir(folder.cassettes()).unwrap();
    fs::write(folder.cassette("default"), cassette(150)).unwrap();
    let gateway = gateway::replay(&folder).start();
    let client = client::http1(&gateway);
    assert_eq!(client.get("/nothing").status, 404);
    let ended = mark(&gateway);
    for verdict in [&ended["verdict"], &ended["total"]] {
        assert_eq!(verdict["unused"].as_array().unwrap().len(), 100);
        assert_eq!(verdict["unused"][0], "exchange 1 POST /0");
        assert_eq!(
            (&verdict["more_unused"], &verdict["exchanges"]),
            (&50.into(), &150.into())
        );
    }
    // Who asks gets all.
    let now = client.get("/__ouli/sessions/default").json();
    assert_eq!(now["total"]["unused"].as_array().unwrap().len(), 150);
    assert!(now["total"].get("more_unused").is_none());
    assert_eq!(gateway.finish().unused.len(), 150);
}

#[test]
fn what_a_run_recorded_is_replayed_to_the_next() {
    let origin = counting();
    let gateway = gateway::auto(&origin).start();
    let client = client::http1(&gateway);
    let polls = ["/job", "/job", "/job"];
    let recorded = texts(&client, &polls);
    assert_eq!(recorded, ["/job 0", "/job 1", "/job 2"]);
    assert_eq!(mark(&gateway)["verdict"]["recorded"], 3);
    assert_eq!(texts(&client, &polls), recorded);
    assert_eq!(origin.seen().len(), 3);
    let report = gateway.finish();
    assert_eq!((report.recorded, report.hits, report.exchanges), (3, 3, 3));
    assert!(report.passed && report.unused.is_empty(), "{report:?}");
}

#[test]
fn a_mark_ends_a_recording_and_the_next_one_starts_anew() {
    let origin = counting();
    let gateway = gateway::record(&origin).start();
    let client = client::http1(&gateway);
    client.get("/first");
    until("the first exchange", || {
        let exchanges = gateway.folder.exchanges("default");
        (exchanges.len() == 1).then_some(())
    });
    let first = gateway.folder.text("default");
    mark(&gateway);
    assert_eq!(
        gateway.folder.text("default"),
        first,
        "nothing was recorded since"
    );
    client.get("/second");
    let folder = Arc::clone(&gateway.folder);
    assert!(gateway.finish().passed);
    let targets: Vec<_> = folder.exchanges("default");
    assert_eq!(
        (targets.len(), &targets[0]["request"]["target"]),
        (1, &"/second".into())
    );
    let previous = folder.cassettes().join("default.jsons.previous");
    assert_eq!(fs::read_to_string(previous).unwrap(), first);
}

/// An origin whose `/slow` waits for the gate within the body.
fn slow(gate: &Gate) -> Origin {
    let held = gate.clone();
    let answer = move |_: &origin::Seen| origin::parts().part("slow ").wait(&held).part("end");
    let fast = |seen: &origin::Seen| origin::text(&seen.target);
    origin::new()
        .route("/slow", answer)
        .route("/*", fast)
        .start()
}

#[test]
fn a_request_in_flight_belongs_to_the_run_that_it_began_in() {
    let gate = Gate::new();
    let origin = slow(&gate);
    let gateway = gateway::auto(&origin).start();
    let client = client::http1(&gateway);
    let mut opened = client.ask("GET", "/slow").open();
    assert!(opened.next().unwrap().is_ok());
    mark(&gateway);
    gate.open();
    assert!(opened.count().is_ok());
    // The exchange is recorded by the first run and replayed to the second.
    assert_eq!(client.get("/slow").text(), "slow end");
    assert_eq!(origin.seen().len(), 1);
    let now = client.get("/__ouli/sessions/default").json();
    let (run, total) = (&now["verdict"], &now["total"]);
    assert_eq!((&run["recorded"], &run["hits"]), (&0.into(), &1.into()));
    assert_eq!((&total["recorded"], &total["hits"]), (&1.into(), &1.into()));
}

#[test]
fn an_exchange_that_ends_after_the_next_recording_began_is_counted_as_lost() {
    let gate = Gate::new();
    let origin = slow(&gate);
    let gateway = gateway::record(&origin).start();
    let client = client::http1(&gateway);
    let mut opened = client.ask("GET", "/slow").open();
    assert!(opened.next().unwrap().is_ok());
    mark(&gateway);
    client.get("/fast");
    until("the exchange of the second run", || {
        let exchanges = gateway.folder.exchanges("default");
        (exchanges.len() == 1).then_some(())
    });
    gate.open();
    assert!(opened.count().is_ok());
    let folder = Arc::clone(&gateway.folder);
    let report = gateway.finish();
    assert_eq!(folder.exchanges("default").len(), 1);
    assert_eq!(
        (
            report.recorded,
            report.counted(Defect::NotWritten).values().sum::<u64>()
        ),
        (1, 1)
    );
    assert!(!report.passed);
}

#[test]
fn marks_during_requests_lose_and_repeat_nothing() {
    let folder = recorded();
    let gateway = gateway::replay(&folder).start();
    let is_done = AtomicBool::new(false);
    // A mark on a session without a request ends no run.
    client::http1(&gateway).get("/next");
    let sent = AtomicUsize::new(1);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let client = client::http1(&gateway);
                for _ in 0..100 {
                    let text = client.get("/next").text().to_owned();
                    assert!(["/next 0", "/next 1"].contains(&&*text), "{text}");
                    sent.fetch_add(1, Ordering::SeqCst);
                }
                is_done.store(true, Ordering::SeqCst);
            });
        }
        let mut run = 0;
        while !is_done.load(Ordering::SeqCst) {
            let ended = mark(&gateway);
            let number = ended["run"].as_u64().unwrap();
            assert_eq!(number, run + 1);
            run = number;
        }
        assert!(run > 0);
    });
    let report = gateway.finish();
    assert_eq!(report.hits as usize, sent.load(Ordering::SeqCst));
    assert_eq!(report.misses, 0);
}

#[test]
fn no_mark_derives_a_key_again() {
    let folder = recorded();
    let program = program(&folder, &["replay", "--listen", "127.0.0.1:0"]);
    let mut process = program.env("RUST_LOG", "ouli_proxy=debug").start();
    let client = client::at(process.address(), http::Version::HTTP_11);
    for marks in [1, 3, 1] {
        assert_eq!(client.get("/next").text(), "/next 0");
        for _ in 0..marks {
            let mark = client.ask("POST", "/__ouli/sessions/default/mark").send();
            assert_eq!(mark.status, 200);
        }
    }
    assert_eq!(client.get("/other").text(), "/other 2");
    let stderr = process.stop().stderr;
    let derived = stderr
        .lines()
        .filter(|line| line.contains("deriving the keys"));
    let derived: Vec<_> = derived.collect();
    assert!(
        matches!(derived[..], [line] if line.contains("of 3 recorded exchanges")),
        "{stderr}"
    );
}

#[test]
fn health_counts_as_nothing_in_every_mode() {
    let origin = counting();
    let builders = [
        gateway::record(&origin),
        gateway::auto(&origin),
        gateway::passthrough(&origin),
        gateway::replay(&Arc::new(Folder::new())),
    ];
    for builder in builders {
        let gateway = builder.start();
        for client in [client::http1(&gateway), client::http2(&gateway)] {
            let answer = client.get("/__ouli/healthz");
            assert_eq!(
                (answer.status, &answer.json()["status"]),
                (200, &"ready".into())
            );
            let head = client.ask("HEAD", "/__ouli/healthz").send();
            assert_eq!((head.status, head.text()), (200, ""));
            let named = client.ask("GET", "/__ouli/healthz");
            let named = named.header("ouli-session", "probe").send();
            assert_eq!(named.status, 200);
        }
        let sessions = gateway.session_names();
        assert!(!sessions.contains(&"probe".to_owned()), "{sessions:?}");
        let verdict = gateway.stop();
        assert!(verdict.passed);
        assert!(
            verdict
                .sessions
                .iter()
                .all(|it| (it.hits, it.misses, it.recorded) == (0, 0, 0))
        );
    }
    assert!(origin.seen().is_empty());
}

#[test]
fn a_gateway_that_stops_is_not_healthy() {
    let gate = Gate::new();
    let origin = slow(&gate);
    let gateway = gateway::passthrough(&origin)
        .section("[limits]\nkeepalive_drain_timeout = \"20s\"")
        .start();
    let mut held = client::raw(gateway.address, "GET /slow HTTP/1.1\r\nhost: x\r\n\r\n");
    held.read_until("slow ");
    let health = "GET /__ouli/healthz HTTP/1.1\r\nhost: pod-7.example:8080\r\n";
    let mut probe = client::raw(gateway.address, format!("{health}\r\n"));
    assert!(probe.head().starts_with("HTTP/1.1 200 "));
    probe.read_until("ready");
    let address = gateway.address;
    std::thread::scope(|scope| {
        let stopped = scope.spawn(|| gateway.stop());
        until("the listener to close", || {
            std::net::TcpStream::connect(address).is_err().then_some(())
        });
        probe.write(format!("{health}\r\n"));
        let answer = probe.rest();
        assert!(answer.contains("HTTP/1.1 503 "), "{answer}");
        assert!(answer.contains("ouli-error: stopping"), "{answer}");
        gate.open();
        stopped.join().unwrap();
    });
}

#[test]
fn a_mark_completes_the_cassette_that_its_run_recorded() {
    let origin = counting();
    let gateway = gateway::record(&origin).start();
    let client = client::http1(&gateway);
    let marker = gateway.folder.cassettes().join("default.jsons.recording");
    client.get("/one");
    mark(&gateway);
    assert!(!marker.exists(), "the run has ended");
    client.get("/two");
    until("the next run to begin its cassette", || {
        marker.exists().then_some(())
    });
    mark(&gateway);
    assert!(!marker.exists(), "the next run has ended");
}
