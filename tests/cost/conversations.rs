//! The processor time of the replay of a conversation, in a process of its own.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, StatusCode};
use ouli_message::Content;
use ouli_message::stream::{
    Ending, Message, MessageKind, Payload, Protocol, Side, Stream, StreamContent,
};

use super::MAX_GROWTH;
use super::cassettes::text;
use super::exchanges::exchange;
use crate::support::binary::program;
use crate::support::folder::Folder;
use crate::support::websocket::{Peer, Way};

/// Pings of the smaller conversation; the other one has eight times as many.
const PINGS: usize = 5_000;
/// A shorter time is noise: the clock has ticks of 10 ms.
const SHORTEST: Duration = Duration::from_millis(30);
const ATTEMPTS: usize = 3;

/// The cassette of a WebSocket with so many pings of the client, as many pongs, and a last text.
fn cassette(pings: usize) -> String {
    let control = |side, number: usize| {
        let body = Bytes::from(number.to_string());
        let kind = match side {
            Side::Client => MessageKind::Ping(body),
            Side::Server => MessageKind::Pong(body),
        };
        Message { side, at: 0, kind }
    };
    let mut messages = Vec::new();
    for side in [Side::Client, Side::Server] {
        messages.extend((0..pings).map(|number| control(side, number)));
    }
    messages.push(Message {
        side: Side::Server,
        at: 0,
        kind: MessageKind::Text(Payload {
            content: Content::Inline(Bytes::from_static(b"done")),
            compressed: false,
        }),
    });
    let mut made = exchange("/pings", "", b"");
    // The endpoint of a program without a configuration.
    made.endpoint = "default".to_owned();
    made.request.method = Method::GET;
    made.request.fields = [(
        HeaderName::from_static("upgrade"),
        HeaderValue::from_static("websocket"),
    )]
    .into_iter()
    .collect();
    made.response.status = StatusCode::SWITCHING_PROTOCOLS;
    made.response.fields = [].into_iter().collect();
    made.stream = Some(Stream {
        content: StreamContent::Messages(Protocol::WebSocket, messages),
        ending: Ending::ClientAborted,
    });
    text([made])
}

/// The processor time of a replay with so many pings.
fn replayed(pings: usize) -> Duration {
    let folder = Folder::new();
    std::fs::create_dir(folder.cassettes()).unwrap();
    std::fs::write(folder.cassette("default"), cassette(pings)).unwrap();
    let mut process = program(&folder, &["replay", "--listen", "127.0.0.1:0"]).start();
    let address = process.address();
    let before = process.cpu_time();
    let mut peer = Peer::open(address, &Way::Upgrade, "/pings");
    assert_eq!(peer.next().unwrap().text(), "done");
    process.cpu_time() - before
}

#[test]
fn pings_that_are_skipped_take_linear_time() {
    let growth = || {
        let [one, eight] = [PINGS, 8 * PINGS].map(replayed);
        eight.as_secs_f64() / one.max(SHORTEST).as_secs_f64()
    };
    let mut growths = std::iter::repeat_with(growth).take(ATTEMPTS);
    assert!(growths.any(|growth| growth <= MAX_GROWTH));
}
