//! The end under load: what was accepted is answered, and what was answered is recorded.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::hammer::Hammer;
use super::started;
use crate::support::client;
use crate::support::folder::Folder;
use crate::support::gateway;
use crate::support::origin;
use crate::support::websocket::socket_origin;

#[test]
fn no_request_is_lost_to_a_stop() {
    let origin = socket_origin();
    let folder = Arc::new(Folder::new());
    let limits = "[limits]\nshutdown_timeout = \"5s\"\nstream_drain_lead = \"1s\"\nkeepalive_drain_timeout = \"1s\"";
    let mut process = started(&folder, "record", &origin, limits);
    let address = process.address();
    let hammer = Hammer::requests(address).with_websockets(address);
    hammer.goes_on(300);
    process.signal("TERM");
    let ended = process.ended();
    let told = hammer.end();
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    assert_eq!(told.lost, [""; 0], "{told:?}\n{}", ended.stderr);
    assert!(told.refused > 0 && told.closed == 3, "{told:?}");
    let exchanges = folder.exchanges("default");
    assert_eq!(exchanges.len(), told.answered + told.closed);
    assert!(!ended.stderr.contains("did not end"), "{}", ended.stderr);
}

#[test]
fn a_connection_that_the_system_has_accepted_is_served() {
    let origin = origin::simple();
    let limits = "[limits]\nconnections = 1\nkeepalive_drain_timeout = \"200ms\"\nbacklog = 100";
    let gateway = gateway::passthrough(&origin).section(limits).start_with(1);
    const REQUEST: &str = "GET /hello HTTP/1.1\r\nhost: x\r\n\r\n";
    let mut first = client::raw(gateway.address, REQUEST);
    first.read_until("morning\n");
    // The first one has the only place, so that these wait in the kernel.
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
fn a_connection_that_is_quiet_for_stop_linger_is_closed() {
    let origin = origin::simple();
    let limits = "[limits]\nkeepalive_drain_timeout = \"300ms\"";
    let gateway = gateway::passthrough(&origin).section(limits).start();
    let mut raw = client::raw(gateway.address, "GET /hello HTTP/1.1\r\nhost: x\r\n\r\n");
    assert!(!raw.head().contains("connection: close"));
    raw.read_until("morning\n");
    let start = Instant::now();
    gateway.stop();
    let time = start.elapsed();
    assert_eq!(raw.rest(), "");
    assert!(
        (290..3000).contains(&time.as_millis()),
        "stopped after {time:?}"
    );
}

#[test]
fn a_gateway_with_nothing_to_do_stops_at_once() {
    let origin = origin::simple();
    let gateway = gateway::passthrough(&origin).start();
    assert_eq!(client::http1(&gateway).get("/hello").status, 200);
    assert_eq!(client::http2(&gateway).get("/hello").status, 200);
    let start = Instant::now();
    gateway.stop();
    let time = start.elapsed();
    assert!(time < Duration::from_secs(2), "stopped after {time:?}");
}
