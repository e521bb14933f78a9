//! Messages without their end, and clients that send less than in the recording.

use std::io::{Read as _, Write as _};
use std::sync::Arc;

use ouli_config::Defect;

use super::UPGRADE;
use super::scripted_origin::{ASK, hears, origin, read_until, record, replay, says};
use crate::support::websocket::{
    CLOSE, PING, PONG, Peer, TEXT, bare, close, close_body, frame, socket_origin,
};
use crate::support::{client, gateway, until};

#[test]
fn half_a_message_of_a_server_that_left_is_not_recorded() {
    let halves = [
        ("fragments", [bare(0x01, "ha"), bare(0x00, "lf")].concat()),
        ("a frame", bare(TEXT, "half a frame")[..6].to_vec()),
        ("a head", vec![TEXT]),
    ];
    for (kind, half) in halves {
        for ending in [&b""[..], &bare(CLOSE, close_body(1001, ""))] {
            if kind != "fragments" && !ending.is_empty() {
                continue;
            }
            let sent = [bare(TEXT, "whole"), half.clone(), ending.to_vec()].concat();
            let says = sent.clone();
            let gateway = record(&origin(Arc::new(move |stream| {
                read_until(stream, &frame(TEXT, "go"));
                stream.write_all(&says).unwrap();
            })));
            let mut raw = client::raw(gateway.address, ASK);
            raw.head();
            raw.write(frame(TEXT, "go"));
            assert_eq!(raw.exactly(sent.len()), Some(sent), "{kind}");
            assert_eq!(raw.rest(), "", "{kind}");
            drop(raw);
            let folder = Arc::clone(&gateway.folder);
            let report = gateway.finish();
            let counted: u64 = report.counted(Defect::Partial).values().sum();
            assert_eq!((report.recorded, counted), (0, 1), "{kind}: {report:?}");
            assert!(!report.passed, "{kind}: {report:?}");
            let reason = report.counted(Defect::Partial).into_keys().next().unwrap();
            assert!(
                reason.contains("within a message of the server"),
                "{reason}"
            );
            assert!(folder.exchanges("default").is_empty(), "{kind}");
        }
    }
}

#[test]
fn a_client_that_leaves_within_a_message_is_recorded() {
    let bytes = [bare(TEXT, "whole"), bare(0x01, "half")].concat();
    for leaves in [&b""[..], &close(1000, "")] {
        let gateway = record(&says(bytes.clone()));
        let mut raw = client::raw(gateway.address, ASK);
        raw.head();
        raw.write(frame(TEXT, "go"));
        assert_eq!(raw.exactly(bytes.len()).as_ref(), Some(&bytes));
        raw.write(leaves);
        drop(raw);
        let folder = Arc::clone(&gateway.folder);
        let report = gateway.finish();
        assert_eq!((report.recorded, report.passed), (1, true), "{report:?}");
        let gateway = replay(&folder);
        assert_eq!(hears(&gateway, 7), Some(bare(TEXT, "whole")));
    }
}

#[test]
fn a_client_that_fails_within_a_message_is_not_recorded() {
    // The client closes the connection because of an invalid byte within the message.
    let bytes = [bare(TEXT, "whole"), bare(0x01, [0xff])].concat();
    let gateway = record(&says(bytes.clone()));
    assert_eq!(hears(&gateway, bytes.len()), Some(bytes));
    let folder = Arc::clone(&gateway.folder);
    let report = gateway.finish();
    let counted: u64 = report.counted(Defect::Partial).values().sum();
    assert_eq!((report.recorded, counted), (0, 1), "{report:?}");
    assert!(folder.exchanges("default").is_empty());
}

#[test]
fn an_answer_to_half_a_message_of_a_client_is_not_recorded() {
    let url = origin(Arc::new(|stream| {
        read_until(stream, &frame(0x01, "half"));
        stream
            .write_all(&bare(CLOSE, close_body(1009, "")))
            .unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
    }));
    let gateway = record(&url);
    let mut peer = Peer::open(gateway.address, &UPGRADE, "/x");
    assert_eq!(peer.asks(frame(0x01, "half")).code(), Some(1009));
    drop(peer);
    let folder = Arc::clone(&gateway.folder);
    let report = gateway.finish();
    let counted: u64 = report.counted(Defect::Partial).values().sum();
    assert_eq!((report.recorded, counted), (0, 1), "{report:?}");
    let reason = report.counted(Defect::Partial).into_keys().next().unwrap();
    assert!(
        reason.contains("within a message of the client"),
        "{reason}"
    );
    assert!(folder.exchanges("default").is_empty());
}

#[test]
fn an_answer_to_a_fragment_is_recorded() {
    let server = origin(Arc::new(|stream| {
        read_until(stream, &frame(TEXT, "go"));
        stream.write_all(&bare(0x01, "par")).unwrap();
        read_until(stream, &frame(TEXT, "more"));
        stream.write_all(&bare(0x80, "t")).unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
    }));
    let client = origin(Arc::new(|stream| {
        read_until(stream, &frame(0x01, "par"));
        stream.write_all(&bare(TEXT, "more")).unwrap();
        read_until(stream, &frame(0x80, "t"));
        stream.write_all(&bare(TEXT, "done")).unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
    }));
    let of_server = [
        (frame(TEXT, "go"), bare(0x01, "par")),
        (frame(TEXT, "more"), bare(0x80, "t")),
    ];
    let of_client = [
        (frame(0x01, "par"), bare(TEXT, "more")),
        (frame(0x80, "t"), bare(TEXT, "done")),
    ];
    let cases = [
        (
            server,
            "server",
            of_server,
            [(Some("go"), Some("part")), (Some("more"), None)],
        ),
        (
            client,
            "client",
            of_client,
            [(None, Some("more")), (Some("part"), Some("done"))],
        ),
    ];
    for (url, side, turns, whole) in cases {
        let gateway = record(&url);
        let mut raw = client::raw(gateway.address, ASK);
        raw.head();
        for (sent, answer) in turns {
            raw.write(sent);
            assert_eq!(raw.exactly(answer.len()), Some(answer), "{side}");
        }
        raw.write(close(1000, ""));
        drop(raw);
        let folder = Arc::clone(&gateway.folder);
        let report = gateway.finish();
        assert_eq!((report.recorded, report.passed), (1, true), "{report:?}");
        // A replay sends each message whole. Neither side waits for a part of the other's.
        let gateway = replay(&folder);
        let mut peer = Peer::open(gateway.address, &UPGRADE, "/x");
        for (sent, text) in whole {
            if let Some(sent) = sent {
                peer.send(frame(TEXT, sent));
            }
            if let Some(text) = text {
                assert_eq!(peer.next().unwrap().text(), text, "{side}");
            }
        }
        peer.send(close(1000, ""));
        drop(peer);
        let report = gateway.finish();
        assert!(report.passed, "{side}: {report:?}");
    }
}

#[test]
fn a_client_that_stops_early_is_closed_and_counted() {
    let origin = socket_origin();
    let gateway = record(&origin.url());
    let mut peer = Peer::open(gateway.address, &UPGRADE, "/echo");
    for text in ["a", "b"] {
        assert_eq!(peer.asks(frame(TEXT, text)).text(), text);
    }
    peer.asks(close(1000, ""));
    drop(peer);
    let folder = Arc::clone(&gateway.folder);
    gateway.stop();
    let gateway = gateway::replay(&folder)
        .section("[limits]\nstream_idle_timeout = \"200ms\"")
        .start();
    let mut peer = Peer::open(gateway.address, &UPGRADE, "/echo");
    assert_eq!(peer.asks(frame(TEXT, "a")).text(), "a");
    let end = peer.next().unwrap();
    assert_eq!(end.code(), Some(1011));
    assert!(
        end.text().contains("limits.stream_idle_timeout"),
        "{}",
        end.text()
    );
    peer.send(close(1011, ""));
    drop(peer);
    let report = gateway.finish();
    assert_eq!((report.misses, report.passed), (1, false), "{report:?}");
}

#[test]
fn pings_of_both_sides_do_not_delay_a_replay() {
    let url = says([bare(PING, "p"), bare(PONG, "unasked"), bare(TEXT, "done")].concat());
    let gateway = record(&url);
    let mut peer = Peer::open(gateway.address, &UPGRADE, "/x");
    peer.send(frame(PING, "mine"));
    peer.send(frame(TEXT, "go"));
    let heard: Vec<_> = (0..3).map(|_| peer.next().unwrap()).collect();
    drop(peer);
    let folder = Arc::clone(&gateway.folder);
    gateway.stop();
    let gateway = replay(&folder);
    let mut peer = Peer::open(gateway.address, &UPGRADE, "/x");
    // The client sends no ping and does not respond to the ping of the server.
    peer.send(frame(TEXT, "go"));
    assert_eq!(
        heard,
        (0..3).map(|_| peer.next().unwrap()).collect::<Vec<_>>()
    );
    until("the close of the connection", || {
        (!peer.try_send(close(1000, ""))).then_some(())
    });
}
