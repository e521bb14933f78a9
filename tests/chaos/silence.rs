//! Clients that did not wait, upstreams that stall: at replay there is silence, for as long as
//! there should be.

use std::sync::Arc;
use std::time::Duration;

use super::body::SIZED;
use super::failures::{failure, over, recorded};
use super::peers::{Do, End, Origin, after_head, ask, origin};
use crate::support::folder::Folder;
use crate::support::gateway::{self, Running};
use crate::support::{PATIENCE, client, until};

/// As long as something that lasts is looked at.
const WHILE: Duration = Duration::from_millis(800);

/// A gateway that records, and waits longer for the upstream than any client here.
fn patient(origin: &Origin) -> Running {
    let gateway = gateway::over(&Arc::new(Folder::new()), "record").upstream(&origin.url());
    gateway.set("record_failures = true").start()
}

#[test]
fn a_client_that_did_not_wait_finds_the_same_silence() {
    let cases: [(&'static [Do], &str, &str); 2] = [
        (&[Do::Read, Do::Stall], "head left", ""),
        (
            &[Do::Read, Do::Send(SIZED), Do::Stall],
            "body left",
            "half.",
        ),
    ];
    for (steps, expected, part) in cases {
        let gateway = patient(&origin(steps));
        let (live, end) = ask(gateway.address, "/", WHILE);
        assert_eq!((after_head(&live), end), (part, End::Open));
        let (folder, exchange) = recorded(gateway);
        assert_eq!(failure(&exchange), expected);
        let replay = gateway::replay(&folder).start();
        assert_eq!(ask(replay.address, "/", WHILE), (live.clone(), End::Open));
        let limits = "[limits]\nstream_idle_timeout = \"200ms\"";
        let replay = gateway::replay(&folder).section(limits).start();
        let (answer, end) = ask(replay.address, "/", PATIENCE);
        if part.is_empty() {
            assert!(answer.starts_with("HTTP/1.1 504"), "{answer}");
        } else {
            assert_eq!((answer, end), (live, End::Closed));
        }
    }
}

#[test]
fn recorded_pauses_are_kept_before_a_failure() {
    let gateway = over(&origin(&[Do::Read, Do::Stall]), "record").start();
    client::http1(&gateway).get("/");
    let (folder, _) = recorded(gateway);
    let replay = gateway::replay(&folder)
        .set("timing = \"recorded\"")
        .start();
    let start = std::time::Instant::now();
    assert_eq!(client::http1(&replay).get("/").status, 504);
    assert!(start.elapsed() >= Duration::from_millis(290));
    let at_once = gateway::replay(&folder).start();
    let start = std::time::Instant::now();
    assert_eq!(client::http1(&at_once).get("/").status, 504);
    assert!(start.elapsed() < Duration::from_millis(290));
}

#[test]
fn a_client_that_leaves_a_stream_makes_no_failure() {
    const EVENTS: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: 1\n\n";
    let gateway = over(&origin(&[Do::Read, Do::Send(EVENTS), Do::Stall]), "record").start();
    let (_, end) = ask(gateway.address, "/", WHILE);
    assert_eq!(end, End::Open);
    until("the recording", || {
        (gateway.session("default").recorded == 1).then_some(())
    });
    let folder = Arc::clone(&gateway.folder);
    assert_eq!(gateway.finish().recorded_failures, 0);
    assert_eq!(folder.exchanges("default")[0]["stream"]["ended"], "client");
}

#[test]
fn a_body_that_stalls_is_broken_off_and_replayed_as_silence() {
    let origin = origin(&[Do::Read, Do::Send(SIZED), Do::Stall]);
    for mode in ["record", "auto"] {
        let gateway = gateway::over(&Arc::new(Folder::new()), mode)
            .upstream(&origin.url())
            .set("record_failures = true")
            .section("[limits]\nupstream_body_idle_timeout = \"200ms\"")
            .start();
        let (live, end) = ask(gateway.address, "/", PATIENCE);
        assert_eq!((after_head(&live), end), ("half.", End::Closed));
        let (folder, exchange) = recorded(gateway);
        assert_eq!(failure(&exchange), "body timeout");
        let replay = gateway::replay(&folder).start();
        assert_eq!(ask(replay.address, "/", WHILE), (live, End::Open));
    }
}

#[test]
fn a_stop_waits_for_no_silence() {
    let gateway = patient(&origin(&[Do::Read, Do::Stall]));
    ask(gateway.address, "/", WHILE);
    let (folder, exchange) = recorded(gateway);
    assert_eq!(failure(&exchange), "head left");
    let replay = gateway::replay(&folder).start();
    let address = replay.address;
    let waiting = std::thread::spawn(move || ask(address, "/", PATIENCE));
    until("the request", || {
        (replay.session("default").hits == 1).then_some(())
    });
    let start = std::time::Instant::now();
    replay.stop();
    assert!(start.elapsed() < Duration::from_secs(10));
    let (answer, _) = waiting.join().unwrap();
    assert!(answer.starts_with("HTTP/1.1 504"), "{answer}");
}
