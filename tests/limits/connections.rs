//! Limits of client connections: number, age, requests.

use std::time::Duration;

use super::http2;
use crate::support::client::{self, Raw};
use crate::support::origin::{self, Gate};
use crate::support::{at_least, gateway, until, without_hanging};

pub(super) const REQUEST: &str = "GET /hello HTTP/1.1\r\nhost: x\r\n\r\n";

fn whole(raw: &mut Raw) {
    let head = raw.head();
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert_eq!(raw.read_until("morning\n"), "good morning\n");
}

#[test]
fn a_connection_above_the_limit_waits_for_a_permit() {
    let origin = origin::simple();
    let limits = "[limits]\nconnections = 2\nbacklog = 16\naccept_queue_timeout = \"1h\"";
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
        "the limit is two connections"
    );
    drop(open.pop());
    drop(open.pop());
    whole(&mut waiting);
}

#[test]
fn idle_workers_hold_no_permit() {
    let origin = origin::simple();
    let limits = "[limits]\nconnections = 1\naccept_queue_timeout = \"1h\"";
    let gateway = gateway::passthrough(&origin).section(limits).start();
    // The kernel distributes the connections over the workers.
    for _ in 0..16 {
        whole(&mut client::raw(gateway.address, REQUEST));
    }
}

/// Asserts that a connection above this limit is refused with the right response.
pub(super) fn refused(raw: &mut Raw, limit: &str) {
    let answer = raw.rest();
    let (head, body) = answer.split_once("\r\n\r\n").expect("an answer");
    let sentence = format!("there are too many connections (limits.{limit})");
    for line in [
        &*format!("HTTP/1.1 503 {sentence}"),
        &*format!("ouli-error-detail: {sentence}"),
        "ouli-error: limit",
        "retry-after: 1",
        "connection: close",
    ] {
        assert!(head.lines().any(|one| one == line), "{line}: {head}");
    }
    assert!(body.contains(&format!("limits.{limit}")), "{body}");
}

#[test]
fn a_connection_waits_for_accept_queue_timeout_only() {
    let origin = origin::simple();
    let limits = "[limits]\nconnections = 1\naccept_queue_timeout = \"2s\"";
    let gateway = gateway::passthrough(&origin).section(limits).start_with(1);
    let mut open = client::raw(gateway.address, REQUEST);
    whole(&mut open);
    at_least(Duration::from_secs(2), || {
        refused(&mut client::raw(gateway.address, REQUEST), "connections");
    });
    // From now on refused connections are closed at once: if the gateway waited for each, this
    // would take three times as long as a test may take.
    without_hanging("a connection that is refused", || {
        for _ in 0..30 {
            refused(&mut client::raw(gateway.address, REQUEST), "connections");
        }
    });
    let mut spoken = client::raw(gateway.address, http2::opening());
    let last = std::iter::from_fn(|| http2::read_frame(&mut spoken)).last();
    let last = last.expect("frames");
    assert_eq!((last.kind, last.code()), (http2::GOAWAY, http2::CALM));
    assert!(last.payload.ends_with(b"limits.connections"));
    whole_again(&mut open);
    drop(open);
    until("a slot", || {
        let mut raw = client::raw(gateway.address, REQUEST);
        raw.head().starts_with("HTTP/1.1 200 ").then_some(())
    });
}

fn whole_again(raw: &mut Raw) {
    raw.write(REQUEST);
    whole(raw);
}

#[test]
fn one_loopback_address_has_its_own_limit() {
    let origin = origin::simple();
    let limits = "[limits]\nconnections_per_loopback = 2\naccept_queue_timeout = \"1h\"";
    let gateway = gateway::passthrough(&origin).section(limits).start();
    let mut open = [(); 2].map(|()| client::raw(gateway.address, REQUEST));
    for raw in &mut open {
        whole(raw);
    }
    // The refusal comes at once: this limit does not wait for `accept_queue_timeout`.
    refused(
        &mut client::raw(gateway.address, REQUEST),
        "connections_per_loopback",
    );
    for raw in &mut open {
        whole_again(raw);
    }
    drop(open);
    gateway.serves_again("/hello");
}

#[test]
fn rejected_connections_bounds_responses_to_rejected_clients() {
    let origin = origin::simple();
    let limits = "[limits]\nconnections_per_loopback = 1\nrejected_connections = 1";
    let gateway = gateway::passthrough(&origin).section(limits).start_with(1);
    let mut open = client::raw(gateway.address, REQUEST);
    whole(&mut open);
    // A client that sends nothing takes the only place of a rejected client, so the next one is
    // closed without a response.
    let mut silent = client::raw(gateway.address, "");
    assert_eq!(client::raw(gateway.address, "").rest(), "");
    silent.write(REQUEST);
    refused(&mut silent, "connections_per_loopback");
    until("the place of a rejected client", || {
        let mut next = client::raw(gateway.address, REQUEST);
        (!next.rest().is_empty()).then_some(())
    });
    drop(open);
    gateway.serves_again("/hello");
}

#[test]
fn the_kernel_queues_no_more_connections_than_the_backlog() {
    let origin = origin::simple();
    let limits = "[limits]\nconnections = 1\nbacklog = 4\naccept_queue_timeout = \"1h\"";
    let gateway = gateway::passthrough(&origin).section(limits).start_with(1);
    let mut open = client::raw(gateway.address, REQUEST);
    whole(&mut open);
    let time = Duration::from_secs(1);
    let connect = || std::net::TcpStream::connect_timeout(&gateway.address, time).ok();
    let queued = std::iter::from_fn(connect).take(32).count();
    // One more was accepted, and the size of a backlog differs by one or two between kernels.
    assert!((4..=8).contains(&queued), "{queued} connections are queued");
    drop(open);
    gateway.serves_again("/hello");
}

#[test]
fn a_connection_ends_with_its_last_request() {
    let origin = origin::simple();
    let limits = "[limits]\nmax_requests_per_connection = 3";
    let gateway = gateway::passthrough(&origin).section(limits).start();
    let mut raw = client::raw(gateway.address, REQUEST.repeat(4));
    for number in 1..=3 {
        let head = raw.head();
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        assert_eq!(head.contains("connection: close"), number == 3, "{head}");
        raw.read_until("morning\n");
    }
    assert_eq!(raw.rest(), "");
    assert_eq!(origin.seen().len(), 3);
    gateway.serves_again("/hello");
}

#[test]
fn an_old_connection_serves_one_more_request() {
    let origin = origin::simple();
    let limits = "[limits]\nmax_connection_age = \"300ms\"";
    let gateway = gateway::passthrough(&origin).section(limits).start();
    // On a slow machine the connection may reach its age limit at the first request.
    let mut raw = until("a connection that is not old yet", || {
        let mut raw = client::raw(gateway.address, REQUEST);
        let head = raw.head();
        raw.read_until("morning\n");
        (!head.contains("connection: close")).then_some(raw)
    });
    assert!(
        raw.is_silent_for(Duration::from_millis(400)),
        "it stays open"
    );
    raw.write(REQUEST);
    assert!(raw.head().contains("connection: close"));
    raw.read_until("morning\n");
    assert_eq!(raw.rest(), "");
    gateway.serves_again("/hello");
}

#[test]
fn an_idle_connection_resumes_where_it_was() {
    let origin = origin::simple();
    let gateway = gateway::passthrough(&origin).start();
    let mut raw = client::raw(gateway.address, REQUEST);
    whole(&mut raw);
    for _ in 0..2 {
        let rest = Duration::from_millis(2200);
        assert!(raw.is_silent_for(rest), "it stays open");
        // Again, with a head that arrives in two parts.
        raw.write("GET /hello HT");
        assert!(raw.is_silent_for(Duration::from_millis(50)));
        raw.write("TP/1.1\r\nhost: x\r\n\r\n");
        whole(&mut raw);
    }
    // A part of the second request arrives with the first one.
    let (first, second) = REQUEST.split_at(10);
    raw.write(format!("{REQUEST}{first}"));
    whole(&mut raw);
    assert!(raw.is_silent_for(Duration::from_millis(2200)));
    raw.write(second);
    whole(&mut raw);
    assert_eq!(origin.seen().len(), 5);
}

#[test]
fn a_stop_waits_for_shutdown_timeout_only() {
    let gate = Gate::new();
    let held = gate.clone();
    let handler = move |_: &origin::Seen| origin::parts().part("first").wait(&held);
    let origin = origin::new().route("/slow", handler).start();
    let builder = gateway::passthrough(&origin).section("[limits]\nshutdown_timeout = \"200ms\"");
    let gateway = builder.start();
    let mut opened = client::http1(&gateway).ask("GET", "/slow").open();
    assert_eq!(opened.next().unwrap().unwrap(), "first");
    at_least(Duration::from_millis(200), || {
        without_hanging("the stop", || gateway.stop())
    });
    assert!(
        opened.count().is_err(),
        "a truncated body has no final chunk"
    );
    gate.open();
    builder.start().serves_again("/slow");
}
