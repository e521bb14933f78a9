//! Plugins see the parts of streams: events, messages and trailers.

use std::sync::Arc;

use crate::support::client;
use crate::support::folder::Folder;
use crate::support::gateway::{self, Running};
use crate::support::origin;
use crate::support::plugins::fixture;
use crate::support::websocket::{Peer, TEXT, Way, close, frame, socket_origin};

#[test]
fn events_are_redacted_one_by_one_with_held_back_text() {
    let origin = origin::new().route("/events", |_| {
        origin::parts()
            .header("content-type", "text/event-stream")
            .part("data: one PIN1234 here\n\ndata: PI")
            .part("N5678\n\ndata: the end\n\n")
            .trailer("x-seen", "by nobody")
    });
    let origin = origin.start();
    let folder = Arc::new(Folder::new());
    let gateway = gateway::over(&folder, "record")
        .upstream(&origin.h2c())
        .plugin("eyes.wasm", &fixture("stream-eyes"))
        .start();
    client::http2(&gateway).get("/events");
    assert!(gateway.finish().passed);
    let exchange = &folder.exchanges("default")[0];
    let text = exchange["response"]["body"]["text"].to_string();
    assert!(
        text.contains("<pin-1>") && text.contains("<pin-2>"),
        "{text}"
    );
    assert!(!text.contains("1234") && !text.contains("5678"), "{text}");
    assert_eq!(
        exchange["tags"]["parts"],
        "server event, server event, server event, server trailers"
    );
    let trailers = &exchange["response"]["trailers"];
    assert_eq!(trailers.to_string(), r#"[["x-seen","by a plugin"]]"#);
}

#[test]
fn messages_are_matched_redacted_and_counted() {
    let origin = socket_origin();
    let folder = Arc::new(Folder::new());
    let talk = |gateway: &Running, words: &[&str]| {
        let mut peer = Peer::open(gateway.address, &Way::Upgrade, "/echo");
        for word in words {
            let answer = peer.asks(frame(TEXT, word));
            assert_eq!(answer.first, TEXT, "{word}: {}", answer.text());
        }
        peer.asks(close(1000, ""));
    };
    let eyes = fixture("stream-eyes");
    let gateway = gateway::over(&folder, "record")
        .upstream(&origin.url())
        .plugin("eyes.wasm", &eyes)
        .start();
    talk(
        &gateway,
        &[r#"{"say": "hello", "at": 1}"#, r#"{"say": "PIN4711"}"#],
    );
    assert!(gateway.finish().passed);
    let exchange = &folder.exchanges("default")[0];
    assert!(!exchange.to_string().contains("PIN4711"), "{exchange}");
    let parts = exchange["tags"]["parts"].as_str().unwrap();
    assert_eq!(parts.matches("client message").count(), 2, "{parts}");
    assert_eq!(parts.matches("server message").count(), 2, "{parts}");
    let gateway = gateway::replay(&folder).start();
    // Other letter case and another time: this matcher treats them as equal.
    talk(
        &gateway,
        &[r#"{"say": "HELLO", "at": 2}"#, r#"{"say": "PIN0000"}"#],
    );
    assert_eq!(gateway.finish().misses, 0);
}
