//! Replayed conversations: each server message is sent after the client messages that preceded it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ouli_config::Defect;

use super::{UPGRADE, over, record, twice};
use crate::support::client;
use crate::support::folder::Folder;
use crate::support::gateway;
use crate::support::websocket::{PING, Peer, TEXT, close, frame, socket_origin};

#[test]
fn replayed_messages_wait_for_the_client() {
    let gateway = twice(|gateway| {
        let mut peer = Peer::open(gateway.address, &UPGRADE, "/push");
        assert!(peer.is_silent_for(Duration::from_millis(50)));
        assert_eq!(peer.asks(frame(TEXT, "go")).text(), "0");
        for number in 1..5 {
            assert_eq!(peer.next().unwrap().text(), number.to_string());
        }
        assert!(peer.is_silent_for(Duration::from_millis(50)));
        assert_eq!(peer.asks(close(1000, "")).code(), Some(1000));
        assert_eq!(peer.next(), None);
    });
    assert!(gateway.finish().passed);
}

#[test]
fn a_server_that_speaks_first_is_replayed() {
    twice(|gateway| {
        let mut peer = Peer::open(gateway.address, &UPGRADE, "/hello");
        assert_eq!(peer.next().unwrap().text(), "hello");
        assert_eq!(peer.asks(frame(TEXT, "you too")).text(), "you too");
    });
}

#[test]
fn close_codes_and_disconnects_are_replayed() {
    twice(|gateway| {
        let mut peer = Peer::open(gateway.address, &UPGRADE, "/closes");
        let answer = peer.asks(frame(TEXT, "x"));
        assert_eq!(answer.code(), Some(4001));
        assert_eq!(&answer.payload[2..], b"go away");
        peer.send(close(4001, ""));
        assert_eq!(peer.next(), None);
        let mut peer = Peer::open(gateway.address, &UPGRADE, "/cuts");
        peer.send(frame(TEXT, "x"));
        assert_eq!(peer.next(), None);
    });
}

#[test]
fn conversations_of_one_url_are_matched_in_order_and_by_content() {
    let origin = socket_origin();
    let gateway = record(&origin);
    let talk = |gateway: &gateway::Running, words: &[&str]| -> Vec<String> {
        let mut peer = Peer::open(gateway.address, &UPGRADE, "/echo");
        let answers = words.iter().map(|word| peer.asks(frame(TEXT, word)).text());
        let answers = answers.collect();
        peer.send(close(1000, ""));
        while peer.next().is_some() {}
        answers
    };
    for words in [["a", "1"], ["a", "2"], ["b", "3"]] {
        talk(&gateway, &words);
    }
    let folder = Arc::clone(&gateway.folder);
    gateway.stop();
    let gateway = gateway::replay(&folder).start();
    // The client's messages select the third conversation first; the other two are used in their
    // order.
    assert_eq!(talk(&gateway, &["b", "3"]), ["b", "3"]);
    assert_eq!(talk(&gateway, &["a", "1"]), ["a", "1"]);
    assert_eq!(talk(&gateway, &["a", "2"]), ["a", "2"]);
    let report = gateway.finish();
    assert_eq!((report.hits, report.misses), (3, 0));
    assert!(report.unused.is_empty(), "{:?}", report.unused);
}

#[test]
fn a_different_client_message_closes_with_the_difference() {
    let gateway = twice(|gateway| {
        let mut peer = Peer::open(gateway.address, &UPGRADE, "/echo?room=1");
        assert_eq!(
            peer.asks(frame(TEXT, r#"{"say": "a", "n": 1}"#)).first,
            TEXT
        );
        assert_eq!(peer.asks(close(1000, "")).code(), Some(1000));
    });
    // JSON with another order of members is equal.
    let mut peer = Peer::open(gateway.address, &UPGRADE, "/echo?room=1");
    assert_eq!(peer.asks(frame(TEXT, r#"{"n":1,"say":"a"}"#)).first, TEXT);
    drop(peer);
    let mut peer = Peer::open(gateway.address, &UPGRADE, "/echo?room=1");
    let answer = peer.asks(frame(TEXT, r#"{"say": "b", "n": 1}"#));
    assert_eq!(answer.code(), Some(1008));
    let reason = answer.text();
    assert!(
        reason.contains("client message 1 differs in body /say"),
        "{reason}"
    );
    let refused = Peer::ask(gateway.address, &UPGRADE, "/elsewhere", &[]);
    assert_eq!(
        (refused.status, &refused.headers["ouli-error"]),
        (404, &"miss".parse().unwrap())
    );
    drop((peer, refused));
    let report = gateway.finish();
    assert_eq!(report.misses, 2, "{report:?}");
    assert!(!report.passed);
}

#[test]
fn ignore_body_applies_to_messages() {
    let origin = socket_origin();
    let gateway = record(&origin);
    let mut peer = Peer::open(gateway.address, &UPGRADE, "/echo");
    peer.asks(frame(TEXT, r#"{"say": "a", "nonce": 1}"#));
    drop(peer);
    let folder = Arc::clone(&gateway.folder);
    gateway.stop();
    let gateway = gateway::replay(&folder)
        .section("[matcher]\nignore_body = [\"/nonce\"]")
        .start();
    let mut peer = Peer::open(gateway.address, &UPGRADE, "/echo");
    assert_eq!(
        peer.asks(frame(TEXT, r#"{"say": "a", "nonce": 2}"#)).first,
        TEXT
    );
}

#[test]
fn timing_replays_pauses_between_messages() {
    let origin = socket_origin();
    let gateway = record(&origin);
    let push = |gateway: &gateway::Running| -> Duration {
        let start = Instant::now();
        let mut peer = Peer::open(gateway.address, &UPGRADE, "/push");
        peer.send(frame(TEXT, "go"));
        for _ in 0..5 {
            peer.next().unwrap();
        }
        start.elapsed()
    };
    push(&gateway);
    let folder = Arc::clone(&gateway.folder);
    gateway.stop();
    let at = folder.exchanges("default")[0]["stream"]["at"].clone();
    let at: Vec<u64> = serde_json::from_value(at).unwrap();
    // The client sends the first message; the server pauses for 30 ms between its messages.
    let pauses = Duration::from_micros(at[5] - at[1]);
    assert!(!pauses.is_zero(), "{at:?}");
    for (timing, least) in [("\"recorded\"", pauses), ("2.0", 2 * pauses)] {
        let gateway = gateway::replay(&folder)
            .set(&format!("timing = {timing}"))
            .start();
        assert!(push(&gateway) >= least, "{timing}");
    }
}

#[test]
fn auto_records_a_conversation_and_replays_it_at_once() {
    let origin = socket_origin();
    let folder = Arc::new(Folder::new());
    let gateway = over(&folder, "auto", &origin).start();
    for _ in 0..3 {
        let mut peer = Peer::open(gateway.address, &UPGRADE, "/echo");
        assert_eq!(peer.asks(frame(TEXT, "a")).text(), "a");
        assert_eq!(peer.asks(close(1000, "")).code(), Some(1000));
        assert_eq!(peer.next(), None);
        gateway.mark();
    }
    let report = gateway.finish();
    assert_eq!((report.recorded, report.hits), (1, 2), "{report:?}");
}

#[test]
fn a_page_and_a_websocket_share_a_url() {
    let gateway = twice(|gateway| {
        assert_eq!(client::http1(gateway).get("/echo").text(), "a page");
        let mut peer = Peer::open(gateway.address, &UPGRADE, "/echo");
        assert_eq!(peer.asks(frame(TEXT, "a")).text(), "a");
        drop(peer);
        assert_eq!(client::http1(gateway).get("/echo").text(), "a page");
        let refused = Peer::ask(gateway.address, &UPGRADE, "/refuses", &[]);
        assert_eq!(refused.status, 401);
    });
    let report = gateway.finish();
    assert_eq!((report.hits, report.misses), (4, 0), "{report:?}");
}

#[test]
fn the_longest_ping_is_recorded_in_full() {
    let origin = socket_origin();
    let gateway = record(&origin);
    let mut peer = Peer::open(gateway.address, &UPGRADE, "/echo");
    let payload = "ping".repeat(32)[..125].to_owned();
    assert_eq!(peer.asks(frame(PING, &payload)).text(), payload);
    drop(peer);
    let folder = Arc::clone(&gateway.folder);
    gateway.stop();
    let turns = &folder.exchanges("default")[0]["stream"]["turns"];
    assert_eq!(turns[0]["text"], payload, "{turns}");
    assert_eq!(turns[1]["text"], payload, "{turns}");
}

#[test]
fn a_client_that_leaves_early_is_noted() {
    let origin = socket_origin();
    let talk = |gateway: &gateway::Running, words: &[&str], closes: bool| {
        let mut peer = Peer::open(gateway.address, &UPGRADE, "/echo");
        for word in words {
            assert_eq!(peer.asks(frame(TEXT, word)).text(), *word);
        }
        if closes {
            assert_eq!(peer.asks(close(1000, "")).code(), Some(1000));
        }
    };
    let gateway = record(&origin);
    talk(&gateway, &["a", "b"], true);
    let folder = Arc::clone(&gateway.folder);
    gateway.stop();
    let early = "exchange 1 ended before message 3 of 4, which the client did not send";
    for closes in [true, false] {
        for (words, noted) in [(&["a"][..], vec![early]), (&["a", "b"], vec![])] {
            for fails in [false, true] {
                let fail_on = if fails { "unfinished" } else { "-miss" };
                let settings = format!("[verdict]\nfail_on = \"{fail_on}\"");
                let gateway = gateway::replay(&folder).section(&settings).start();
                talk(&gateway, words, closes);
                let report = gateway.finish();
                assert_eq!(report.hits, 1, "{report:?}");
                let counted = report.counted(Defect::Unfinished);
                assert_eq!(counted.keys().collect::<Vec<_>>(), noted);
                assert_eq!(report.passed, !fails || noted.is_empty(), "{report:?}");
            }
        }
    }
}
