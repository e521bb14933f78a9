//! Clients that disconnect and upstreams that stall: a replay sends nothing until the client
//! disconnects.

use std::sync::Arc;
use std::time::Duration;

use super::body::SIZED;
use super::failures::{LATE, failure, over, recorded};
use super::peers::{Do, End, Origin, after_head, ask, ask_and_leave, origin};
use crate::support::folder::Folder;
use crate::support::gateway::{self, Running};
use crate::support::{PATIENCE, at_least, client, until, without_hanging};

/// A gateway in record mode whose upstream timeout is longer than any client of these tests waits.
fn patient(origin: &Origin) -> Running {
    let gateway = gateway::over(&Arc::new(Folder::new()), "record").upstream(&origin.url());
    let limits = "[limits]\nbackground_read_timeout = \"100ms\"";
    gateway
        .set("record_failures = true")
        .section(limits)
        .start()
}

#[test]
fn a_response_the_client_did_not_wait_for_is_replayed_as_silence() {
    let cases: [(&'static [Do], &str, &str); 2] = [
        (&[Do::Read, Do::Stall], "head left", ""),
        (
            &[Do::Read, Do::Send(SIZED), Do::Stall],
            "body left",
            "half.",
        ),
    ];
    for (steps, expected, part) in cases {
        let origin = origin(steps);
        let gateway = patient(&origin);
        let (live, end) = ask_and_leave(gateway.address, part, || origin.is_asked());
        assert_eq!((after_head(&live), end), (part, End::Open));
        let (folder, exchange) = recorded(gateway);
        assert_eq!(failure(&exchange), expected);
        let replay = gateway::replay_repeating(&folder).start();
        let silence = ask_and_leave(replay.address, part, || {});
        assert_eq!(silence, (live.clone(), End::Open));
        let limits = "[limits]\nstream_idle_timeout = \"200ms\"";
        let replay = gateway::replay_repeating(&folder).section(limits).start();
        let (answer, end) = ask(replay.address, "/", PATIENCE);
        if part.is_empty() {
            assert!(answer.starts_with("HTTP/1.1 504"), "{answer}");
        } else {
            assert_eq!((answer, end), (live, End::Closed));
        }
    }
}

#[test]
fn recorded_timing_delays_a_replayed_failure() {
    let origin = origin(&[Do::Read, Do::Stall]);
    let gateway = over(&origin, "record").section(LATE).start();
    client::http1(&gateway).get("/");
    let (folder, exchange) = recorded(gateway);
    let replay = gateway::replay(&folder)
        .set("timing = \"recorded\"")
        .start();
    let pause = exchange["failure"]["at"].as_u64().unwrap();
    assert!(pause >= 290_000, "{pause} microseconds");
    let answer = at_least(Duration::from_micros(pause), || {
        client::http1(&replay).get("/")
    });
    assert_eq!(answer.status, 504);
}

#[test]
fn a_failure_is_replayed_at_once_by_default() {
    let origin = origin(&[Do::Read, Do::Stall]);
    let gateway = over(&origin, "record").section(LATE).start();
    client::http1(&gateway).get("/");
    let (folder, exchange) = recorded(gateway);
    // A recorded pause that is longer than any client of these tests waits.
    let hour = Duration::from_secs(3600).as_micros();
    let text = folder.text("default");
    let pause = format!("\"at\": {}", exchange["failure"]["at"]);
    assert_eq!(text.matches(&pause).count(), 1, "{text}");
    let longer = text.replace(&pause, &format!("\"at\": {hour}"));
    std::fs::write(folder.cassette("default"), longer).unwrap();
    let replay = gateway::replay_repeating(&folder).start();
    assert_eq!(client::http1(&replay).get("/").status, 504);
}

#[test]
fn a_client_that_disconnects_from_a_stream_is_no_failure() {
    const EVENTS: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: 1\n\n";
    let gateway = over(&origin(&[Do::Read, Do::Send(EVENTS), Do::Stall]), "record").start();
    let (_, end) = ask_and_leave(gateway.address, "data: 1\n\n\r\n", || {});
    assert_eq!(end, End::Open);
    until("the recording", || {
        (gateway.session("default").recorded == 1).then_some(())
    });
    let folder = Arc::clone(&gateway.folder);
    assert_eq!(gateway.finish().recorded_failures, 0);
    assert_eq!(folder.exchanges("default")[0]["stream"]["ended"], "client");
}

#[test]
fn a_stalled_body_is_aborted_and_replayed_as_silence() {
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
        let replay = gateway::replay_repeating(&folder).start();
        let silence = ask_and_leave(replay.address, "half.", || {});
        assert_eq!(silence, (live, End::Open));
    }
}

#[test]
fn a_stop_ends_a_replayed_silence() {
    let origin = origin(&[Do::Read, Do::Stall]);
    let gateway = patient(&origin);
    ask_and_leave(gateway.address, "", || origin.is_asked());
    let (folder, exchange) = recorded(gateway);
    assert_eq!(failure(&exchange), "head left");
    let replay = gateway::replay_repeating(&folder).start();
    let address = replay.address;
    let waiting = std::thread::spawn(move || ask(address, "/", PATIENCE));
    until("the request", || {
        (replay.session("default").hits == 1).then_some(())
    });
    without_hanging("the stop", || replay.stop());
    let (answer, _) = waiting.join().unwrap();
    assert!(answer.starts_with("HTTP/1.1 504"), "{answer}");
}
