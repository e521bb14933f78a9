//! How many connections there may be, and how long they may do nothing.

use std::time::{Duration, Instant};

use crate::support::client::{self, Raw};
use crate::support::gateway;
use crate::support::origin::{self, Gate};

const REQUEST: &str = "GET /hello HTTP/1.1\r\nhost: x\r\n\r\n";

fn whole(raw: &mut Raw) {
    let head = raw.head();
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert_eq!(raw.read_until("morning\n"), "good morning\n");
}

#[test]
fn one_connection_too_many_waits_for_its_turn() {
    let origin = origin::simple();
    let limits = "[limits]\nconnections = 2\nbacklog = 16";
    let gateway = gateway::passthrough(&origin).section(limits).start();
    let mut open: Vec<_> = (0..2)
        .map(|_| client::raw(gateway.address, REQUEST))
        .collect();
    for raw in &mut open {
        whole(raw);
    }
    let mut waiting = client::raw(gateway.address, REQUEST);
    assert!(
        waiting.is_silent_for(Duration::from_millis(300)),
        "two connections are all there may be"
    );
    drop(open.pop());
    drop(open.pop());
    whole(&mut waiting);
}

#[test]
fn no_worker_keeps_a_turn_to_itself() {
    let origin = origin::simple();
    let limits = "[limits]\nconnections = 1";
    let gateway = gateway::passthrough(&origin).section(limits).start();
    // The system spreads them over the workers.
    for _ in 0..16 {
        whole(&mut client::raw(gateway.address, REQUEST));
    }
}

/// How long it takes until the gateway closes.
fn closed_after(mut raw: Raw) -> Duration {
    let start = Instant::now();
    let rest = raw.rest();
    assert!(
        rest.is_empty() || rest.starts_with("HTTP/1.1 408"),
        "{rest}"
    );
    start.elapsed()
}

#[test]
fn idle_connections_are_closed() {
    let origin = origin::simple();
    let limits = "[limits]\nidle_timeout = \"200ms\"\nheader_timeout = \"20s\"";
    let gateway = gateway::passthrough(&origin).section(limits).start();
    let fresh = closed_after(client::raw(gateway.address, ""));
    let mut used = client::raw(gateway.address, REQUEST);
    whole(&mut used);
    let used = closed_after(used);
    for time in [fresh, used] {
        assert!(
            (150..5000).contains(&time.as_millis()),
            "closed after {time:?}"
        );
    }
}

#[test]
fn a_head_that_does_not_end_is_not_waited_for() {
    let origin = origin::simple();
    let limits = "[limits]\nheader_timeout = \"200ms\"\nidle_timeout = \"20s\"";
    let gateway = gateway::passthrough(&origin).section(limits).start();
    let first = closed_after(client::raw(gateway.address, "GET /hel"));
    let mut raw = client::raw(gateway.address, REQUEST);
    whole(&mut raw);
    raw.write("GET /hel");
    let second = closed_after(raw);
    for time in [first, second] {
        assert!(
            (100..5000).contains(&time.as_millis()),
            "closed after {time:?}"
        );
    }
}

#[test]
fn a_request_under_way_is_not_idle() {
    let gate = Gate::new();
    let held = gate.clone();
    let handler = move |_: &origin::Seen| origin::parts().part("first").wait(&held).part("last");
    let origin = origin::new().route("/slow", handler).start();
    let limits = "[limits]\nidle_timeout = \"50ms\"\nheader_timeout = \"50ms\"";
    let gateway = gateway::passthrough(&origin).section(limits).start();
    let mut opened = client::http1(&gateway).ask("GET", "/slow").open();
    assert_eq!(opened.next().unwrap().unwrap(), "first");
    let quiet = client::raw(gateway.address, "");
    // Another connection was idle for as long meanwhile.
    closed_after(quiet);
    gate.open();
    assert_eq!(opened.next().unwrap().unwrap(), "last");
}

#[test]
fn a_handshake_that_does_not_begin_is_not_waited_for() {
    let origin = origin::simple();
    let gateway = gateway::passthrough(&origin)
        .endpoint("tls = \"self-signed\"")
        .section("[limits]\ntls_timeout = \"200ms\"\nidle_timeout = \"20s\"")
        .start();
    let time = closed_after(client::raw(gateway.address, ""));
    assert!(
        (100..5000).contains(&time.as_millis()),
        "closed after {time:?}"
    );
}

#[test]
fn a_stop_waits_no_longer_than_the_grace_period() {
    let gate = Gate::new();
    let held = gate.clone();
    let handler = move |_: &origin::Seen| origin::parts().part("first").wait(&held);
    let origin = origin::new().route("/slow", handler).start();
    let gateway = gateway::passthrough(&origin)
        .section("[limits]\ngrace = \"200ms\"")
        .start();
    let mut opened = client::http1(&gateway).ask("GET", "/slow").open();
    assert_eq!(opened.next().unwrap().unwrap(), "first");
    let start = Instant::now();
    gateway.stop();
    let time = start.elapsed();
    assert!(
        (150..5000).contains(&time.as_millis()),
        "stopped after {time:?}"
    );
    assert!(
        opened.count().is_err(),
        "what was cut off has no proper end"
    );
}
