//! Shutdown under load: accepted requests are answered, and answered ones are recorded.

use std::sync::Arc;
use std::time::Duration;

use super::load_generator::LoadGenerator;
use super::started;
use crate::support::client;
use crate::support::folder::Folder;
use crate::support::gateway;
use crate::support::origin;
use crate::support::websocket::socket_origin;
use crate::support::{at_least, until, without_hanging};

#[test]
fn a_stop_loses_no_request() {
    let origin = socket_origin();
    let folder = Arc::new(Folder::new());
    let limits = "[limits]\nshutdown_timeout = \"20s\"\nstream_drain_lead = \"16s\"\n\
                  keepalive_drain_timeout = \"1s\"";
    let mut process = started(&folder, "record", &origin, limits);
    let address = process.address();
    let load = LoadGenerator::requests(address).with_websockets(address);
    load.wait_for_responses(300);
    process.signal("TERM");
    let ended = process.ended();
    let totals = load.end();
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    assert_eq!(totals.lost, [""; 0], "{totals:?}\n{}", ended.stderr);
    assert!(totals.refused > 0 && totals.closed == 3, "{totals:?}");
    let exchanges = folder.exchanges("default");
    let answered = totals.answered + totals.closed;
    assert_eq!(exchanges.len(), answered, "{}", ended.stderr);
    assert!(!ended.stderr.contains("did not end"), "{}", ended.stderr);
}

#[test]
fn connections_in_the_backlog_are_served_at_a_stop() {
    let origin = origin::simple();
    let limits = "[limits]\nconnections = 1\nkeepalive_drain_timeout = \"200ms\"\nbacklog = 100";
    let gateway = gateway::passthrough(&origin).section(limits).start_with(1);
    const REQUEST: &str = "GET /hello HTTP/1.1\r\nhost: x\r\n\r\n";
    let mut first = client::raw(gateway.address, REQUEST);
    first.read_until("morning\n");
    // The first connection has the only permit, so the others wait in the kernel.
    let waiting: Vec<_> = (0..20)
        .map(|_| client::raw(gateway.address, REQUEST))
        .collect();
    let stopping = std::thread::spawn(move || gateway.stop());
    assert_eq!(first.rest(), "");
    for mut raw in waiting {
        let head = raw.head();
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        assert!(head.contains("connection: close"), "{head}");
        assert_eq!(raw.rest(), "good morning\n");
    }
    stopping.join().unwrap();
}

#[test]
fn a_quiet_connection_is_closed_after_keepalive_drain_timeout() {
    let origin = origin::simple();
    let limits = "[limits]\nkeepalive_drain_timeout = \"300ms\"";
    let builder = gateway::passthrough(&origin).section(limits);
    let gateway = builder.start();
    let mut raw = client::raw(gateway.address, "GET /hello HTTP/1.1\r\nhost: x\r\n\r\n");
    assert!(!raw.head().contains("connection: close"));
    raw.read_until("morning\n");
    at_least(Duration::from_millis(290), || {
        without_hanging("the stop", || gateway.stop())
    });
    assert_eq!(raw.rest(), "");
    builder.start().serves_again("/hello");
}

#[test]
fn an_idle_gateway_stops_at_once() {
    let origin = origin::simple();
    // These timeouts are longer than the test: nothing may wait for them.
    let limits = "[limits]\nshutdown_timeout = \"1h\"\nkeepalive_drain_timeout = \"1h\"";
    let gateway = gateway::passthrough(&origin).section(limits).start();
    assert_eq!(client::http1(&gateway).get("/hello").status, 200);
    assert_eq!(client::http2(&gateway).get("/hello").status, 200);
    let stopping = std::thread::spawn(move || gateway.stop());
    until("the stop", || stopping.is_finished().then_some(()));
}
