//! What follows when more is to be recorded than the recorder keeps up with.

use std::time::{Duration, Instant};

use crate::support::client::{self, Client};
use crate::support::gateway::{self, Running};
use crate::support::origin::{self, Gate, Origin};
use crate::support::plugins::fixture;
use crate::support::until;
use crate::support::websocket::{BINARY, Peer, Way, close, frame, socket_origin};

/// Processor time for which a redactor keeps the recorder from all other work.
const BUSY: Duration = Duration::from_millis(600);

/// An origin that answers `first`, and `last` once the gate opens.
fn origin(gate: &Gate) -> Origin {
    let held = gate.clone();
    let handler = move |_: &origin::Seen| origin::parts().part("first").wait(&held).part("last");
    origin::new()
        .route("/slow", |_| origin::text("slow"))
        .route("/hello", |_| origin::text("hello"))
        .route("/half", handler)
        .start()
}

/// A gateway whose recorder is busy for a while with what is asked for at `/slow`.
fn busy(origin: &Origin, setting: &str, limits: &str) -> Running {
    let time = BUSY.as_millis();
    let gateway = gateway::record(origin)
        .set(&format!("on_recorder_full = \"{setting}\""))
        .plugin("own.wasm", &fixture("looping-redactor"))
        .section("[[plugin]]\nfile = \"own.wasm\"\nroutes = [\"/slow\"]")
        .section(&format!(
            "[limits]\nrecorder_queue = 1\nredactor_time = \"{time}ms\"\n{limits}"
        ))
        .start();
    assert_eq!(client::http1(&gateway).get("/slow").status, 200);
    gateway
}

fn hello(client: &Client) -> Duration {
    let start = Instant::now();
    assert_eq!(client.get("/hello").text(), "hello");
    start.elapsed()
}

#[test]
fn with_wait_an_answer_is_held_back_until_the_recorder_has_room() {
    let gate = Gate::new();
    let origin = origin(&gate);
    let gateway = busy(&origin, "wait", "recorder_wait = \"60s\"");
    let client = client::http1(&gateway);
    let mut half = client.ask("GET", "/half").open();
    // All but the last bytes pass, however busy the recorder is.
    assert_eq!(half.next().unwrap().unwrap(), "first");
    let longest = (0..3).map(|_| hello(&client)).max().unwrap();
    assert!(
        longest > BUSY / 3,
        "nobody was held back: {longest:?} at most"
    );
    gate.open();
    assert_eq!(half.count().unwrap(), 4);
    let report = gateway.finish();
    assert_eq!(report.recorded, 4, "{report:#?}");
    assert!(report.dropped.is_empty(), "{report:#?}");
}

#[test]
fn with_wait_nobody_is_held_back_for_longer_than_recorder_wait() {
    let origin = origin(&Gate::new());
    let gateway = busy(&origin, "wait", "recorder_wait = \"100ms\"");
    let client = client::http1(&gateway);
    let dropped = || gateway.session("default").dropped;
    until("an exchange to be dropped", || {
        hello(&client);
        (!dropped().is_empty()).then_some(())
    });
    let reason = dropped().into_keys().next().unwrap();
    assert!(reason.contains("limits.recorder_queue"), "{reason}");
}

#[test]
fn with_drop_no_answer_is_held_back() {
    let origin = origin(&Gate::new());
    let gateway = busy(&origin, "drop", "recorder_wait = \"60s\"");
    let client = client::http1(&gateway);
    let slow = || gateway.session("default").failed.len();
    let mut asked = 0;
    while slow() == 0 && asked < 1000 {
        let time = hello(&client);
        assert!(time < BUSY || slow() > 0, "held back for {time:?}");
        asked += 1;
    }
    let report = gateway.finish();
    let dropped: u64 = report.dropped.values().sum();
    assert!(dropped > 0 && !report.passed, "{report:#?}");
    assert_eq!(report.recorded + dropped, asked, "{report:#?}");
    let failure = format!("{dropped} exchanges were dropped");
    assert!(report.failures[0].contains(&failure), "{report:#?}");
}

#[test]
fn those_whose_clients_are_gone_wait_too_and_not_for_ever() {
    let gate = Gate::new();
    let held = gate.clone();
    let events = move |_: &origin::Seen| {
        let events = origin::parts().header("content-type", "text/event-stream");
        events.part("data: 1\n\n").wait(&held)
    };
    let origin = origin::new()
        .route("/slow", |_| origin::text("slow"))
        .route("/events", events)
        .start();
    let gateway = busy(&origin, "wait", "recorder_wait = \"60s\"");
    let client = client::http1(&gateway);
    // Each is a stream that its client ends: one is in the queue, one waits, the others have no
    // place.
    for _ in 0..6 {
        let mut opened = client.ask("GET", "/events").open();
        assert_eq!(opened.next().unwrap().unwrap(), "data: 1\n\n");
    }
    let report = gateway.finish();
    let dropped: u64 = report.dropped.values().sum();
    assert_eq!(report.recorded + dropped, 6, "{report:#?}");
    assert!(dropped > 0 && report.recorded > 1, "{report:#?}");
}

/// What a gateway holds back for an exchange that is under way and has most of the memory: the test
/// says what is asked beside it.
fn beside(more: &str, ask: impl FnOnce(&Running, &dyn Fn())) {
    let gate = Gate::new();
    let held = gate.clone();
    let half = move |_: &origin::Seen| {
        let parts = origin::parts().repeat(vec![b'x'; 64 << 10], 10);
        parts.wait(&held).part("end")
    };
    let origin = origin::new()
        .route("/half", half)
        .route("/echo", |seen| origin::bytes(seen.body.clone()))
        .start();
    let gateway = gateway::record(&origin)
        .section(more)
        .section("[limits]\nrecording_memory = \"1 MiB\"\nrecorder_wait = \"60s\"")
        .start();
    let mut half = client::http1(&gateway).ask("GET", "/half").open();
    let mut read = 0;
    while read < 640 << 10 {
        read += half.next().unwrap().unwrap().len();
    }
    ask(&gateway, &|| gate.open());
    assert_eq!(half.count().unwrap(), 3);
    let report = gateway.finish();
    assert_eq!((report.recorded, report.passed), (2, true), "{report:#?}");
}

#[test]
fn a_tunnel_is_held_back_for_memory() {
    let sockets = socket_origin();
    let url = sockets.url();
    let more =
        format!("[[endpoint]]\nname = \"sockets\"\nlisten = \"127.0.0.1:0\"\nupstream = \"{url}\"");
    beside(&more, |gateway, open| {
        let listening = gateway.listening();
        let sockets = listening.iter().find(|it| it.endpoint == "sockets");
        let mut peer = Peer::open(sockets.unwrap().address, &Way::Upgrade, "/echo");
        peer.send(frame(BINARY, vec![7; 300_000]));
        assert!(peer.is_silent_for(Duration::from_millis(300)));
        open();
        assert_eq!(peer.next().unwrap().payload.len(), 300_000);
        peer.asks(close(1000, ""));
    });
}

#[test]
fn an_upload_is_held_back_for_memory() {
    beside("", |gateway, open| {
        let body = "x".repeat(300_000);
        let client = client::http1(gateway);
        let answer = std::thread::spawn(move || client.post("/echo", "text/plain", &body));
        std::thread::sleep(Duration::from_millis(300));
        assert!(!answer.is_finished());
        open();
        assert_eq!(answer.join().unwrap().body.len(), 300_000);
    });
}
