//! The table of rules in every mode: passthrough changes nothing, and replay behaves as a valid
//! server.

use std::net::SocketAddr;
use std::sync::Arc;

use super::table::{Answer, Row, rows};
use super::{UPGRADE, over};
use crate::support::folder::Folder;
use crate::support::gateway;
use crate::support::websocket::{CLOSE, Peer, Way, socket_origin};

/// The first difference from the expected answers of a row.
fn fault(address: SocketAddr, way: &Way, row: &Row) -> Option<String> {
    let offers = row
        .offers
        .map(|offers| ("sec-websocket-extensions", offers));
    let headers: Vec<_> = offers.into_iter().collect();
    let mut peer = Peer::open_with(address, way, "/echo", &headers);
    for bytes in &row.sends {
        // After a violation the server may close the connection before all is sent.
        if !peer.try_send(bytes) {
            break;
        }
    }
    for (place, expected) in row.answers.iter().enumerate() {
        let Some(found) = peer.next() else {
            return Some(format!("answer {place} is missing: {expected:?}"));
        };
        let right = match expected {
            Answer::Frame(frame) => found == *frame,
            Answer::Code(code) => found.code() == Some(*code),
            Answer::Empty => found.first == CLOSE && found.payload.is_empty(),
        };
        if !right {
            let shown = &found.payload[..found.payload.len().min(40)];
            return Some(format!("answer {place} is {:x} {shown:?}", found.first));
        }
    }
    match peer.next() {
        None => None,
        Some(more) => Some(format!("an additional frame: {:x}", more.first)),
    }
}

fn all_hold(address: SocketAddr, way: &Way, mode: &str) {
    let faults: Vec<_> = rows()
        .iter()
        .filter_map(|row| Some(format!("{}: {}", row.name, fault(address, way, row)?)))
        .collect();
    assert!(faults.is_empty(), "{mode}:\n{}", faults.join("\n"));
}

#[test]
fn the_test_origin_keeps_the_rules() {
    // Checks the origin itself, so that the other tests show faults of the gateway.
    let origin = socket_origin();
    for way in [UPGRADE, Way::Connect] {
        all_hold(origin.address, &way, "the origin");
    }
}

#[test]
fn passthrough_leaves_frames_unchanged() {
    let origin = socket_origin();
    let folder = Arc::new(Folder::new());
    let gateway = over(&folder, "passthrough", &origin).start();
    for way in [UPGRADE, Way::Connect] {
        all_hold(gateway.address, &way, "passthrough");
    }
    assert_eq!(folder.exchanges("default").len(), 0);
}

#[test]
fn record_and_replay_keep_the_rules() {
    for way in [UPGRADE, Way::Connect] {
        let origin = socket_origin();
        let folder = Arc::new(Folder::new());
        let gateway = over(&folder, "record", &origin).start();
        all_hold(gateway.address, &way, "record");
        let report = gateway.finish();
        assert_eq!(report.recorded, rows().len() as u64, "{report:?}");
        drop(origin);
        let gateway = gateway::replay(&folder).start();
        all_hold(gateway.address, &way, "replay");
        let report = gateway.finish();
        assert_eq!((report.misses, report.hits), (0, rows().len() as u64));
        assert!(report.passed && report.unused.is_empty(), "{report:?}");
    }
}

#[test]
fn http1_and_http2_replay_each_other() {
    let origin = socket_origin();
    let folder = Arc::new(Folder::new());
    let gateway = gateway::over(&folder, "record")
        .upstream(&origin.h2c())
        .start();
    all_hold(
        gateway.address,
        &UPGRADE,
        "an upgrade to an upstream of HTTP/2",
    );
    gateway.stop();
    let gateway = gateway::replay(&folder).start();
    all_hold(gateway.address, &Way::Connect, "replay over HTTP/2");
}
