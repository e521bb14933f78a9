//! Exchanges are recorded and replayed in the order in which their requests began.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::client::{self, Opened};
use crate::support::folder::Folder;
use crate::support::gateway::{self, Builder, Running};
use crate::support::origin::{self, Gate, Origin, Reply, Seen};
use crate::support::until;
use crate::support::websocket::{Peer, TEXT, Way, close, frame, socket_origin};

/// The kinds of responses, by path.
const PATHS: [&str; 3] = ["/work", "/events", "/test.Door/Call"];

/// An origin that numbers its responses. Each waits in its body until its gate opens.
struct Gated {
    origin: Origin,
    /// Of the rounds of requests that overlap.
    rounds: Vec<Vec<Gate>>,
    begun: AtomicUsize,
}

fn gated(rounds: usize, count: usize) -> Gated {
    let gates = || (0..count).map(|_| Gate::new()).collect();
    let rounds: Vec<Vec<_>> = (0..rounds).map(|_| gates()).collect();
    let (held, next) = (rounds.concat(), AtomicUsize::new(0));
    let answer = move |seen: &Seen| {
        let number = next.fetch_add(1, Ordering::SeqCst);
        response(&seen.target, number % count, &held[number % held.len()])
    };
    Gated {
        origin: origin::new().route("/*", answer).start(),
        rounds,
        begun: AtomicUsize::new(0),
    }
}

fn response(target: &str, number: usize, gate: &Gate) -> Reply {
    match target {
        "/events" => origin::parts()
            .header("content-type", "text/event-stream")
            .part("data: begin\n\n")
            .wait(gate)
            .part(format!("data: {number}\n\n")),
        "/test.Door/Call" => {
            let message = [0, 0, 0, 0, 1, u8::try_from(number).unwrap()];
            origin::parts()
                .header("content-type", "application/grpc")
                .wait(gate)
                .part(message.to_vec())
                .trailer("grpc-status", "0")
        }
        _ => origin::status(200).wait(gate).part(number.to_string()),
    }
}

impl Gated {
    fn gateway(&self, folder: &Arc<Folder>, mode: &'static str) -> Builder {
        gateway::over(folder, mode).upstream(&self.origin.h2c())
    }

    /// Sends equal requests that overlap, and lets them end in this order.
    fn overlap(&self, gateway: &Running, target: &str, ends: &[usize]) {
        let mut opened: Vec<_> = ends.iter().map(|_| Some(open(gateway, target))).collect();
        let gates = &self.rounds[self.begun.fetch_add(1, Ordering::SeqCst)];
        for end in ends {
            gates[*end].open();
            read(opened[*end].take().unwrap());
        }
    }
}

/// Sends a request. It has begun when this returns.
fn open(gateway: &Running, target: &str) -> Opened {
    let ask = client::http2(gateway).ask("POST", target).body("{}");
    match target {
        "/test.Door/Call" => ask
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body([0, 0, 0, 0, 0])
            .open(),
        _ => ask.header("content-type", "application/json").open(),
    }
}

fn read(mut opened: Opened) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(part) = opened.next() {
        body.extend_from_slice(&part.unwrap());
    }
    body
}

/// The last byte of each of the responses to equal requests, one after the other.
fn replayed(gateway: &Running, target: &str, count: usize) -> Vec<u8> {
    let last = |body: Vec<u8>| *body.trim_ascii_end().last().unwrap();
    (0..count)
        .map(|_| last(read(open(gateway, target))))
        .collect()
}

/// What the responses end with in the order of their requests.
fn expected(target: &str, count: u8) -> Vec<u8> {
    let first = if target == "/test.Door/Call" { 0 } else { b'0' };
    (first..first + count).collect()
}

/// The text of the cassette without the times of streams, which differ in each recording.
fn without_times(folder: &Folder) -> String {
    let text = folder.text("default");
    let lines = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("\"at\":"));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_recording_does_not_depend_on_what_ended_first() {
    for target in PATHS {
        let gated = gated(4, 3);
        let record = |mode: &'static str, ends: [usize; 3]| {
            let folder = Arc::new(Folder::new());
            let gateway = gated.gateway(&folder, mode).start();
            gated.overlap(&gateway, target, &ends);
            let report = gateway.finish();
            assert!(report.passed && report.recorded == 3, "{report:?}");
            folder
        };
        let in_order = without_times(&record("record", [0, 1, 2]));
        for (mode, ends) in [
            ("record", [2, 0, 1]),
            ("auto", [1, 2, 0]),
            ("auto", [2, 1, 0]),
        ] {
            let folder = record(mode, ends);
            let text = without_times(&folder);
            assert_eq!(text, in_order, "{mode} {target} {ends:?}");
            let gateway = gateway::replay(&folder).start();
            let replayed = replayed(&gateway, target, 3);
            assert_eq!(replayed, expected(target, 3), "{target}");
        }
    }
}

#[test]
fn websockets_stand_in_the_order_of_their_handshakes() {
    let upgrade = Way::Upgrade;
    let origin = socket_origin();
    let record = |ends: [usize; 2]| {
        let folder = Arc::new(Folder::new());
        let gateway = gateway::over(&folder, "record")
            .upstream(&origin.url())
            .start();
        let mut peers = ["a", "b"].map(|word| {
            let mut peer = Peer::open(gateway.address, &upgrade, "/echo");
            assert_eq!(peer.asks(frame(TEXT, word)).text(), word);
            Some(peer)
        });
        for (count, end) in (1..).zip(ends) {
            let mut peer = peers[end].take().unwrap();
            peer.send(close(1000, ""));
            while peer.next().is_some() {}
            drop(peer);
            until("the conversation in the cassette", || {
                (folder.exchanges("default").len() == count).then_some(())
            });
        }
        assert!(gateway.finish().passed);
        folder
    };
    assert_eq!(
        without_times(&record([1, 0])),
        without_times(&record([0, 1]))
    );
}

#[test]
fn twenty_equal_requests_at_once_are_replayed_as_they_were_sent() {
    let ends: Vec<_> = (0..20).map(|number| (number * 7 + 3) % 20).collect();
    let (gated, folder) = (gated(1, 20), Arc::new(Folder::new()));
    let gateway = gated.gateway(&folder, "auto").start();
    gated.overlap(&gateway, "/work", &ends);
    assert_eq!(gated.origin.seen().len(), 20);
    let numbers: Vec<_> = (0..20).map(|number| number.to_string()).collect();
    let replay = |gateway: &Running| -> Vec<String> {
        let texts = (0..20).map(|_| read(open(gateway, "/work")));
        texts.map(|text| String::from_utf8(text).unwrap()).collect()
    };
    gateway.mark();
    // The mark has put the file into this order too.
    let text = folder.text("default");
    assert!(!text.contains("\"before\""), "{text}");
    assert_eq!(replay(&gateway), numbers);
    assert!(gateway.finish().passed);
    assert_eq!(gated.origin.seen().len(), 20, "the second run is replayed");
    let gateway = gateway::replay(&folder).start();
    assert_eq!(replay(&gateway), numbers);
}

#[test]
fn a_run_that_broke_off_is_read_in_the_order_of_its_requests() {
    let (first, folder) = (gated(1, 3), Arc::new(Folder::new()));
    let gateway = first.gateway(&folder, "auto").start();
    first.overlap(&gateway, "/work", &[2, 1, 0]);
    until("three exchanges", || {
        (folder.exchanges("default").len() == 3).then_some(())
    });
    // What a process leaves that is killed now.
    let crashed = Arc::new(Folder::new());
    let text = folder.text("default");
    assert!(text.contains("\"before\": 1"), "{text}");
    std::fs::create_dir_all(crashed.cassettes()).unwrap();
    std::fs::write(crashed.cassette("default"), &text).unwrap();
    drop(gateway);
    let gateway = gateway::replay(&crashed)
        .set("on_exhausted = \"miss\"")
        .start();
    assert_eq!(replayed(&gateway, "/work", 3), b"012");
    let report = gateway.finish();
    assert!(report.passed && report.edited.is_empty(), "{report:?}");
    // The exchanges of another run come after them.
    let later = gated(1, 2);
    let gateway = later.gateway(&crashed, "auto").start();
    assert_eq!(replayed(&gateway, "/work", 3), b"012");
    later.overlap(&gateway, "/later", &[1, 0]);
    assert!(gateway.finish().passed);
    let exchanges = crashed.exchanges("default");
    let seen: Vec<_> = exchanges
        .iter()
        .map(|it| {
            (
                it["exchange"].as_u64().unwrap(),
                it["response"]["body"]["text"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(seen, [(1, "0"), (2, "1"), (3, "2"), (4, "0"), (5, "1")]);
}

#[test]
fn a_session_that_is_closed_is_put_in_order() {
    let (gated, folder) = (gated(1, 2), Arc::new(Folder::new()));
    let gateway = gated
        .gateway(&folder, "auto")
        .section("[limits]\nsession_idle_timeout = \"1ms\"")
        .watched()
        .start();
    let open = || {
        let ask = client::http2(&gateway).ask("POST", "/work");
        ask.header("ouli-session", "idle").open()
    };
    let (first, last) = (open(), open());
    gated.rounds[0][1].open();
    read(last);
    gated.rounds[0][0].open();
    read(first);
    until("two exchanges", || {
        (folder.exchanges("idle").len() == 2).then_some(())
    });
    until("the order of the requests", || {
        (!folder.text("idle").contains("\"before\"")).then_some(())
    });
    // Nothing of it is replayed to the run that recorded it.
    let again = open();
    assert_eq!(gated.origin.seen().len(), 3);
    drop(again);
}
