//! How long a client may do nothing: between requests, within them, and while it is answered.

use std::time::{Duration, Instant};

use crate::support::client::{self, Raw};
use crate::support::origin::{self, Gate};
use crate::support::{gateway, until};

const REQUEST: &str = "GET /hello HTTP/1.1\r\nhost: x\r\n\r\n";

fn whole(raw: &mut Raw) {
    let head = raw.head();
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert_eq!(raw.read_until("morning\n"), "good morning\n");
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
    let limits = "[limits]\nidle_timeout = \"200ms\"\nrequest_header_timeout = \"20s\"";
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
    let limits = "[limits]\nrequest_header_timeout = \"200ms\"\nidle_timeout = \"20s\"";
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
    let limits = "[limits]\nidle_timeout = \"50ms\"\nrequest_header_timeout = \"50ms\"";
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
        .section("[limits]\ntls_handshake_timeout = \"200ms\"\nidle_timeout = \"20s\"")
        .start();
    let time = closed_after(client::raw(gateway.address, ""));
    assert!(
        (100..5000).contains(&time.as_millis()),
        "closed after {time:?}"
    );
}

/// An origin that answers with so many bytes.
fn large(size: usize) -> origin::Origin {
    origin::new()
        .route("/large", move |_| origin::bytes(vec![b'x'; size]))
        .start()
}

const LARGE: &str = "GET /large HTTP/1.1\r\nhost: x\r\n\r\n";

#[test]
fn a_body_that_does_not_go_on_is_a_408() {
    let origin = origin::simple();
    let limits = "[limits]\nrequest_body_idle_timeout = \"200ms\"";
    let post = "POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nabc";
    for builder in [gateway::passthrough(&origin), gateway::auto(&origin)] {
        let gateway = builder.section(limits).start();
        let start = Instant::now();
        let answer = client::raw(gateway.address, post).rest();
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
        assert!(answer.contains("ouli-error: limit"), "{answer}");
        assert!(
            answer.contains("limits.request_body_idle_timeout"),
            "{answer}"
        );
        let time = start.elapsed();
        assert!((150..5000).contains(&time.as_millis()), "after {time:?}");
        // Nobody is blamed who does go on.
        let mut raw = client::raw(gateway.address, post);
        for _ in 0..7 {
            assert!(raw.is_silent_for(Duration::from_millis(50)));
            raw.write("x");
        }
        assert!(raw.head().starts_with("HTTP/1.1 200 "));
    }
}

#[test]
fn a_body_cannot_come_in_drops_for_ever() {
    let origin = origin::simple();
    let limits = "[limits]\nrequest_timeout = \"300ms\"";
    let gateway = gateway::passthrough(&origin).section(limits).start();
    let post = "POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n";
    let mut raw = client::raw(gateway.address, post);
    let start = Instant::now();
    while raw.is_silent_for(Duration::from_millis(20)) {
        assert!(start.elapsed() < Duration::from_secs(5), "it goes on");
        raw.try_write("x");
    }
    let answer = raw.rest();
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains("limits.request_timeout"), "{answer}");
}

#[test]
fn an_upstream_that_takes_its_time_is_no_fault_of_the_client() {
    let gate = Gate::new();
    let held = gate.clone();
    let handler = move |_: &origin::Seen| origin::parts().wait(&held).part("last");
    let origin = origin::new().route("/slow", handler).start();
    let limits = "[limits]\nrequest_body_idle_timeout = \"50ms\"\nrequest_timeout = \"50ms\"";
    let gateway = gateway::passthrough(&origin).section(limits).start();
    let post = "POST /slow HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nabc";
    let mut raw = client::raw(gateway.address, post);
    until("the request", || (origin.seen().len() == 1).then_some(()));
    raw.is_silent_for(Duration::from_millis(200));
    gate.open();
    let head = raw.head();
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
}

#[test]
fn who_takes_nothing_of_a_response_is_cut_off() {
    let origin = large(64 << 20);
    let limits = "[limits]\nresponse_send_timeout = \"300ms\"";
    let gateway = gateway::passthrough(&origin).section(limits).start();
    let mut raw = client::raw(gateway.address, LARGE);
    // What comes in is not read, and the other end is closed.
    until("the end", || (!raw.try_write("G")).then_some(()));
}

#[test]
fn who_takes_a_response_slowly_is_not_idle() {
    let size = 16 << 20;
    let origin = large(size);
    let limits = "[limits]\nidle_timeout = \"100ms\"\nresponse_send_timeout = \"20s\"";
    let recording = gateway::record(&origin).section(limits).start();
    let folder = std::sync::Arc::clone(&recording.folder);
    assert_eq!(client::http1(&recording).get("/large").body.len(), size);
    recording.stop();
    let gateway = gateway::replay(&folder).section(limits).start();
    let mut raw = client::raw(gateway.address, LARGE);
    assert!(raw.head().starts_with("HTTP/1.1 200 "));
    let mut left = size;
    let piece = 256 << 10;
    while left > 0 {
        assert!(raw.exactly(piece).is_some(), "{left} bytes before the end");
        left -= piece;
        std::thread::sleep(Duration::from_millis(10));
    }
}
