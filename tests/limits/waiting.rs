//! Time limits of clients: idle connections, slow requests, slow readers.

use std::time::Duration;

use ouli_net::tls::CertificateAuthority;

use crate::support::client::{self, Raw};
use crate::support::origin::{self, Gate};
use crate::support::{at_least, gateway, tls, until, without_hanging};

const REQUEST: &str = "GET /hello HTTP/1.1\r\nhost: x\r\n\r\n";

fn whole(raw: &mut Raw) {
    let head = raw.head();
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert_eq!(raw.read_until("morning\n"), "good morning\n");
}

/// The limit that closes a connection here; all other limits are longer than a test waits.
const SHORT: Duration = Duration::from_millis(200);

/// Asserts that the gateway closes the connection of `open` after [`SHORT`] and not earlier.
fn is_closed_late(open: impl FnOnce() -> Raw) {
    at_least(SHORT, || is_closed(open()));
}

/// Waits until the gateway closes the connection.
fn is_closed(mut raw: Raw) {
    let rest = without_hanging("the connection", || raw.rest());
    assert!(
        rest.is_empty() || rest.starts_with("HTTP/1.1 408"),
        "{rest}"
    );
}

#[test]
fn idle_connections_are_closed() {
    let origin = origin::simple();
    let limits = "[limits]\nidle_timeout = \"200ms\"\nrequest_header_timeout = \"1h\"";
    let gateway = gateway::passthrough(&origin).section(limits).start();
    is_closed_late(|| client::raw(gateway.address, ""));
    is_closed_late(|| {
        let mut used = client::raw(gateway.address, REQUEST);
        whole(&mut used);
        used
    });
    gateway.serves_again("/hello");
}

#[test]
fn a_request_head_that_does_not_end_is_timed_out() {
    let origin = origin::simple();
    let limits = "[limits]\nrequest_header_timeout = \"200ms\"\nidle_timeout = \"1h\"";
    let gateway = gateway::passthrough(&origin).section(limits).start();
    is_closed_late(|| client::raw(gateway.address, "GET /hel"));
    let mut raw = client::raw(gateway.address, REQUEST);
    whole(&mut raw);
    is_closed_late(|| {
        raw.write("GET /hel");
        raw
    });
    gateway.serves_again("/hello");
}

#[test]
fn a_request_in_flight_is_not_idle() {
    let gate = Gate::new();
    let held = gate.clone();
    let handler = move |_: &origin::Seen| origin::parts().part("first").wait(&held).part("last");
    let origin = origin::new().route("/slow", handler).start();
    let limits = "[limits]\nidle_timeout = \"50ms\"\nrequest_header_timeout = \"50ms\"";
    let gateway = gateway::passthrough(&origin).section(limits).start();
    let mut opened = client::http1(&gateway).ask("GET", "/slow").open();
    assert_eq!(opened.next().unwrap().unwrap(), "first");
    let quiet = client::raw(gateway.address, "");
    // Waits until the idle timeout of another connection has passed.
    is_closed(quiet);
    gate.open();
    assert_eq!(opened.next().unwrap().unwrap(), "last");
}

#[test]
fn a_tls_handshake_that_does_not_begin_is_timed_out() {
    let origin = origin::simple();
    let gateway = gateway::passthrough(&origin)
        .endpoint("tls = \"self-signed\"")
        .section("[limits]\ntls_handshake_timeout = \"200ms\"\nidle_timeout = \"1h\"")
        .start();
    is_closed_late(|| client::raw(gateway.address, ""));
    let folder = gateway.folder.path().join("ca");
    let authority = CertificateAuthority::open_or_create(&folder).unwrap();
    let config = tls::trusting(&authority.certificate_path(), &[]);
    let next = client::http1(&gateway).tls(config).get("/hello");
    assert_eq!(next.status, 200);
}

/// An origin with a response body of this size at `/large`.
fn large(size: usize) -> origin::Origin {
    origin::new()
        .route("/large", move |_| origin::bytes(vec![b'x'; size]))
        .route("/hello", |_| origin::text("good morning\n"))
        .start()
}

const LARGE: &str = "GET /large HTTP/1.1\r\nhost: x\r\n\r\n";

#[test]
fn a_stalled_request_body_is_a_408() {
    let origin = origin::simple();
    let post = "POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nabc";
    for builder in [gateway::passthrough(&origin), gateway::auto(&origin)] {
        let limits = "[limits]\nrequest_body_idle_timeout = \"200ms\"";
        let gateway = builder.section(limits).start();
        let answer = at_least(SHORT, || client::raw(gateway.address, post).rest());
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
        assert!(answer.contains("ouli-error: limit"), "{answer}");
        assert!(
            answer.contains("limits.request_body_idle_timeout"),
            "{answer}"
        );
        gateway.serves_again("/hello");
    }
}

#[test]
fn a_slow_request_body_may_take_longer_than_its_idle_timeout() {
    let origin = origin::simple();
    let post = "POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nabc";
    let limit = Duration::from_secs(2);
    for builder in [gateway::passthrough(&origin), gateway::auto(&origin)] {
        let limits = "[limits]\nrequest_body_idle_timeout = \"2s\"";
        let gateway = builder.section(limits).start();
        let mut raw = client::raw(gateway.address, post);
        // Each pause is a sixth of the limit; together they exceed it.
        at_least(limit, || {
            for _ in 0..7 {
                assert!(raw.is_silent_for(limit / 6));
                raw.write("x");
            }
        });
        assert!(raw.head().starts_with("HTTP/1.1 200 "));
    }
}

#[test]
fn a_slow_request_body_ends_with_request_timeout() {
    let origin = origin::simple();
    let limits = "[limits]\nrequest_timeout = \"300ms\"";
    let gateway = gateway::passthrough(&origin).section(limits).start();
    let post = "POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n";
    let mut raw = client::raw(gateway.address, post);
    until("the body to be refused", || {
        let silent = raw.is_silent_for(Duration::from_millis(20));
        if silent {
            raw.try_write("x");
        }
        (!silent).then_some(())
    });
    let answer = raw.rest();
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains("limits.request_timeout"), "{answer}");
    gateway.serves_again("/hello");
}

#[test]
fn a_slow_upstream_does_not_count_against_request_timeouts() {
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
fn a_client_that_reads_nothing_is_disconnected() {
    let origin = large(64 << 20);
    let limits = "[limits]\nresponse_send_timeout = \"300ms\"";
    let gateway = gateway::passthrough(&origin).section(limits).start();
    let mut raw = client::raw(gateway.address, LARGE);
    // The client reads nothing, so the gateway closes the connection.
    until("the end", || (!raw.try_write("G")).then_some(()));
    gateway.serves_again("/hello");
}

#[test]
fn a_client_that_reads_slowly_is_not_idle() {
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
    let chunk = 256 << 10;
    while left > 0 {
        assert!(raw.exactly(chunk).is_some(), "{left} bytes before the end");
        left -= chunk;
        std::thread::sleep(Duration::from_millis(10));
    }
}
