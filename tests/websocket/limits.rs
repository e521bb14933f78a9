//! The limits of WebSockets and other streams.

use std::sync::Arc;

use ouli_config::Defect;

use super::{UPGRADE, echoed, over, record};
use crate::support::client;
use crate::support::folder::Folder;
use crate::support::websocket::{BINARY, PING, Peer, TEXT, close, frame, socket_origin};
use crate::support::{gateway, until};

#[test]
fn a_stream_above_streams_is_a_503() {
    let origin = socket_origin();
    let folder = Arc::new(Folder::new());
    let gateway = over(&folder, "record", &origin)
        .section("[limits]\nstreams = 2\nmax_concurrent_requests = 1")
        .start();
    let open = || Peer::ask(gateway.address, &UPGRADE, "/echo", &[]);
    let (one, mut two) = (open(), open());
    let refused = open();
    assert_eq!(
        (refused.status, &refused.headers["retry-after"]),
        (503, &"1".parse().unwrap())
    );
    // A stream does not count against the limit of requests.
    assert_eq!(client::http1(&gateway).get("/echo").status, 200);
    assert_eq!(two.asks(frame(TEXT, "still")).text(), "still");
    drop(one);
    until("a free permit", || (open().status == 101).then_some(()));
}

#[test]
fn a_websocket_idle_for_stream_idle_timeout_is_closed() {
    let origin = socket_origin();
    let folder = Arc::new(Folder::new());
    let limits = "[limits]\nstream_idle_timeout = \"200ms\"";
    let gateway = over(&folder, "record", &origin).section(limits).start();
    let mut peer = Peer::open(gateway.address, &UPGRADE, "/echo");
    peer.asks(frame(TEXT, "a"));
    assert_eq!(peer.next(), None);
    gateway.stop();
    let gateway = gateway::replay(&folder).section(limits).start();
    let mut peer = Peer::open(gateway.address, &UPGRADE, "/echo");
    peer.asks(frame(TEXT, "a"));
    assert_eq!(peer.next().unwrap().code(), Some(1001));
}

#[test]
fn a_message_over_websocket_message_gets_1009() {
    let origin = socket_origin();
    let gateway = record(&origin);
    let (small, large) = (frame(BINARY, vec![7; 2000]), frame(BINARY, vec![7; 5000]));
    for message in [&small, &large] {
        let mut peer = Peer::open(gateway.address, &UPGRADE, "/echo");
        peer.asks(message);
        peer.asks(close(1000, ""));
    }
    let folder = Arc::clone(&gateway.folder);
    gateway.stop();
    let limits = "[limits]\nwebsocket_message = \"4 KiB\"";
    let gateway = gateway::replay(&folder).section(limits).start();
    let mut peer = Peer::open(gateway.address, &UPGRADE, "/echo");
    assert_eq!(peer.asks(&small).first, BINARY);
    let mut peer = Peer::open(gateway.address, &UPGRADE, "/echo");
    peer.send(&large[..100]);
    assert_eq!(peer.next().unwrap().code(), Some(1009));
    let mut peer = Peer::open(gateway.address, &UPGRADE, "/echo");
    assert_eq!(peer.asks(&small).first, BINARY);
}

#[test]
fn an_unanswered_close_ends_after_websocket_close_timeout() {
    let origin = socket_origin();
    let gateway = record(&origin);
    let mut peer = Peer::open(gateway.address, &UPGRADE, "/closes");
    assert_eq!(peer.asks(frame(TEXT, "x")).code(), Some(4001));
    drop(peer);
    let folder = Arc::clone(&gateway.folder);
    gateway.stop();
    let limits = "[limits]\nwebsocket_close_timeout = \"200ms\"";
    let gateway = gateway::replay(&folder).section(limits).start();
    let mut peer = Peer::open(gateway.address, &UPGRADE, "/closes");
    assert_eq!(peer.asks(frame(TEXT, "x")).code(), Some(4001));
    // The client keeps sending but never sends a close frame.
    until("the connection to end", || {
        (!peer.try_send(frame(PING, ""))).then_some(())
    });
    assert_eq!(peer.next(), None);
    let mut peer = Peer::open(gateway.address, &UPGRADE, "/closes");
    assert_eq!(peer.asks(frame(TEXT, "x")).code(), Some(4001));
}

#[test]
fn a_conversation_over_decompressed_stream_is_not_recorded() {
    let origin = socket_origin();
    let folder = Arc::new(Folder::new());
    let limits = "[limits]\ndecompressed_stream = \"1 MiB\"";
    let gateway = over(&folder, "record", &origin).section(limits).start();
    let mut peer = Peer::open(gateway.address, &UPGRADE, "/echo");
    for _ in 0..12 {
        assert_eq!(peer.asks(frame(BINARY, vec![1; 50_000])).first, BINARY);
    }
    peer.asks(close(1000, ""));
    drop(peer);
    let mut peer = Peer::open(gateway.address, &UPGRADE, "/echo");
    peer.asks(frame(TEXT, "short"));
    peer.asks(close(1000, ""));
    drop(peer);
    let report = gateway.finish();
    assert_eq!((report.recorded, report.passed), (1, false));
    let reason = report
        .counted(Defect::Undecodable)
        .into_keys()
        .next()
        .unwrap();
    assert!(reason.contains("limits.decompressed_stream"), "{reason}");
    let text = folder.text("default");
    assert!(text.contains("short") && text.len() < 50_000);
}

#[test]
fn a_replayed_websocket_ends_with_the_gateway() {
    let origin = socket_origin();
    let folder = echoed(&origin);
    let gateway = gateway::replay(&folder).start();
    let mut peer = Peer::open(gateway.address, &UPGRADE, "/echo");
    peer.asks(frame(TEXT, "a"));
    let stopping = std::thread::spawn(move || gateway.stop());
    assert_eq!(peer.next().unwrap().code(), Some(1001));
    peer.send(close(1001, ""));
    drop(peer);
    assert!(stopping.join().unwrap().passed);
}
