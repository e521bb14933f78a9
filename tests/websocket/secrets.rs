//! Secrets in WebSocket messages are not written to disk.

use std::io::Write as _;
use std::sync::Arc;

use ouli_config::Defect;

use super::{UPGRADE, record};
use crate::support::gateway;
use crate::support::random;
use crate::support::websocket::{
    BINARY, PING, Peer, TEXT, close, close_body, frame, socket_origin,
};

/// A message as permessage-deflate sends it (RFC 7692, section 7.2.1).
fn deflated(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.flush().unwrap();
    let mut bytes = encoder.get_ref().clone();
    assert!(bytes.ends_with(&[0, 0, 0xff, 0xff]));
    bytes.truncate(bytes.len() - 4);
    bytes
}

#[test]
fn canaries_are_redacted_in_every_kind_of_message() {
    let canary = || format!("canary-{}", random());
    let [header, url, text, binary, packed, ping, reason, cut] = [(); 8].map(|()| canary());
    let origin = socket_origin();
    let gateway = record(&origin);
    let bearer = format!("Bearer {header}");
    let headers = [
        ("authorization", bearer.as_str()),
        (
            "sec-websocket-extensions",
            "permessage-deflate; client_no_context_takeover",
        ),
    ];
    let target = format!("/echo?access_token={url}");
    let mut peer = Peer::open_with(gateway.address, &UPGRADE, &target, &headers);
    let member = |secret: &str| format!(r#"{{"user": "ann", "password": "{secret}"}}"#);
    peer.asks(frame(TEXT, member(&text)));
    peer.asks(frame(BINARY, member(&binary)));
    peer.asks(frame(TEXT | 0x40, deflated(&member(&packed))));
    peer.asks(frame(TEXT, format!("it was {header}, by the way")));
    // The token pattern finds secrets in pings and close reasons.
    peer.asks(frame(PING, format!("Bearer {ping}")));
    // A secret that is split over two messages is found because it is already known.
    peer.asks(frame(TEXT, member(&cut)));
    peer.asks(frame(TEXT, &cut[..12]));
    peer.asks(frame(TEXT, &cut[12..]));
    peer.asks(frame(0x88, close_body(4000, &format!("Bearer {reason}"))));
    drop(peer);
    let folder = Arc::clone(&gateway.folder);
    let report = gateway.finish();
    assert_eq!((report.recorded, report.passed), (1, true), "{report:?}");
    let parts = [&cut[..12], &cut[12..]];
    for secret in [&header, &url, &text, &binary, &packed, &ping, &reason, &cut] {
        for (path, bytes) in folder.files() {
            let text = String::from_utf8_lossy(&bytes);
            assert!(
                !text.contains(secret.as_str()),
                "{secret} is in {}",
                path.display()
            );
        }
    }
    assert!(
        !folder.text("default").contains(parts[1]),
        "a part of a secret is left"
    );
    drop(origin);
    // A replay with other secrets in the same positions is a hit.
    let gateway = gateway::replay(&folder).start();
    let target = "/echo?access_token=something-else";
    let other = [("authorization", "Bearer another-token-1"), headers[1]];
    let mut peer = Peer::open_with(gateway.address, &UPGRADE, target, &other);
    let answer = peer.asks(frame(TEXT, member("other-secret-1"))).text();
    assert!(
        answer.contains("ann") && answer.contains("<password-"),
        "{answer}"
    );
    peer.asks(frame(BINARY, member("other-secret-2")));
    let answer = peer.asks(frame(TEXT, member("other-secret-3")));
    assert_eq!(answer.first, TEXT | 0x40);
}

#[test]
fn a_token_from_the_server_is_redacted_in_later_messages() {
    let origin = socket_origin();
    let gateway = record(&origin);
    let mut peer = Peer::open(gateway.address, &UPGRADE, "/login");
    let answer = peer.asks(frame(TEXT, r#""me""#)).text();
    assert!(answer.contains("tok-9f8e7d6c5b4a"));
    peer.asks(frame(TEXT, r#"{"with": "tok-9f8e7d6c5b4a"}"#));
    drop(peer);
    let folder = Arc::clone(&gateway.folder);
    gateway.stop();
    assert!(!folder.text("default").contains("tok-9f8e7d6c5b4a"));
}

#[test]
fn binary_messages_with_a_token_are_refused() {
    let origin = socket_origin();
    let token = format!("glpat-{}", random());
    // Patterns are not searched in a message that is not text, so only the guard can find it.
    let bytes = [b"\xff\xfe ", token.as_bytes()].concat();
    for kind in [BINARY, PING] {
        let gateway = record(&origin);
        let mut peer = Peer::open(gateway.address, &UPGRADE, "/echo");
        peer.asks(frame(kind, &bytes));
        drop(peer);
        let folder = Arc::clone(&gateway.folder);
        let report = gateway.finish();
        let refused: u64 = report.counted(Defect::Secret).values().sum();
        assert_eq!((report.recorded, refused), (0, 1), "{report:?}");
        assert!(folder.exchanges("default").is_empty());
    }
}

#[test]
fn a_close_reason_shows_no_secret_that_a_message_names_and_the_target_repeats() {
    let target = |secret: &str| format!("/echo?copy={secret}");
    let message = |secret: &str, n: u32| format!("{{\"password\": \"{secret}\", \"n\": {n}}}");
    let origin = socket_origin();
    let gateway = record(&origin);
    let secret = random();
    let mut peer = Peer::open(gateway.address, &UPGRADE, &target(&secret));
    peer.asks(frame(TEXT, message(&secret, 1)));
    peer.asks(close(1000, ""));
    let folder = Arc::clone(&gateway.folder);
    gateway.stop();
    let matcher = "[matcher]\nignore_query = [\"copy\"]";
    let gateway = gateway::replay(&folder).section(matcher).start();
    let secret = random();
    let mut peer = Peer::open(gateway.address, &UPGRADE, &target(&secret));
    let answer = peer.asks(frame(TEXT, message(&secret, 2)));
    assert_eq!(answer.code(), Some(1008));
    let reason = answer.text();
    assert!(reason.contains("differs in body /n"), "{reason}");
    assert!(reason.contains("copy=<password>"), "{reason}");
}
