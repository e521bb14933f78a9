//! The processor time of the replay of conversations, in a process of its own.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, StatusCode};
use ouli_message::stream::{
    Ending, Message, MessageKind, Payload, Protocol, Side, Stream, StreamContent,
};
use ouli_message::{Content, Exchange};

use super::MAX_GROWTH;
use super::cassettes::text;
use super::exchanges::exchange;
use crate::support::binary::program;
use crate::support::folder::Folder;
use crate::support::websocket::{Peer, TEXT, Way, frame};

/// Messages of the smaller conversation; the other one has eight times as many.
const COUNT: usize = 1_000;
/// A shorter time is noise: the clock has ticks of 10 ms.
const SHORTEST: Duration = Duration::from_millis(30);
const ATTEMPTS: usize = 3;

fn message(side: Side, kind: MessageKind) -> Message {
    Message { side, at: 0, kind }
}

fn text_of(side: Side, text: impl Into<Bytes>) -> Message {
    let payload = Payload {
        content: Content::Inline(text.into()),
        compressed: false,
    };
    message(side, MessageKind::Text(payload))
}

/// A recorded WebSocket with these messages.
fn socket(messages: Vec<Message>) -> Exchange {
    let mut made = exchange("/socket", "", b"");
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
    made
}

/// The processor time of a replay of this cassette to a client that sends these bytes, until it
/// gets a frame.
fn replayed(cassette: &str, sent: &[u8], is_answer: fn(&str) -> bool) -> Duration {
    let folder = Folder::new();
    std::fs::create_dir(folder.cassettes()).unwrap();
    std::fs::write(folder.cassette("default"), cassette).unwrap();
    let mut process = program(&folder, &["replay", "--listen", "127.0.0.1:0"]).start();
    let address = process.address();
    let before = process.cpu_time();
    let mut peer = Peer::open(address, &Way::Upgrade, "/socket");
    peer.send(sent);
    let answer = peer.next().unwrap().text();
    assert!(is_answer(&answer), "{answer}");
    process.cpu_time() - before
}

fn assert_linear(replayed: impl Fn(usize) -> Duration) {
    let growth = || {
        let [one, eight] = [COUNT, 8 * COUNT].map(&replayed);
        eight.as_secs_f64() / one.max(SHORTEST).as_secs_f64()
    };
    let mut growths = std::iter::repeat_with(growth).take(ATTEMPTS);
    assert!(growths.any(|growth| growth <= MAX_GROWTH));
}

#[test]
fn pings_that_are_skipped_take_linear_time() {
    assert_linear(|count| {
        let bodies = || (0..count).map(|number| Bytes::from(number.to_string()));
        let pings = bodies().map(|body| message(Side::Client, MessageKind::Ping(body)));
        let pongs = bodies().map(|body| message(Side::Server, MessageKind::Pong(body)));
        let done = text_of(Side::Server, "done");
        let messages = pings.chain(pongs).chain([done]).collect();
        replayed(&text([socket(messages)]), b"", |answer| answer == "done")
    });
}

#[test]
fn messages_of_a_client_take_linear_time() {
    assert_linear(|count| {
        let texts = (0..count).map(|number| format!("text {number}"));
        let recorded = texts.clone().map(|it| text_of(Side::Client, it));
        let done = text_of(Side::Server, "done");
        let messages = recorded.chain([done]).collect();
        let sent: Vec<_> = texts.flat_map(|it| frame(TEXT, it)).collect();
        replayed(&text([socket(messages)]), &sent, |answer| answer == "done")
    });
}

#[test]
fn messages_that_wait_for_the_server_take_linear_time() {
    // The client says everything before the server's first message is due.
    assert_linear(|count| {
        let texts = (0..count).map(|number| format!("text {number}"));
        let recorded = texts.clone().map(|it| text_of(Side::Client, it));
        let mut first = text_of(Side::Server, "first");
        first.at = 500_000;
        let done = text_of(Side::Server, "done");
        let messages = [first].into_iter().chain(recorded).chain([done]).collect();
        let sent: Vec<_> = texts.flat_map(|it| frame(TEXT, it)).collect();
        replayed(&text([socket(messages)]), &sent, |answer| answer == "first")
    });
}

#[test]
fn an_unmatched_message_takes_linear_time() {
    assert_linear(|count| {
        let one = |number: usize| {
            socket(vec![
                text_of(Side::Client, format!("text {number}")),
                text_of(Side::Server, "done"),
            ])
        };
        let cassette = text((0..count).map(one));
        let sent = frame(TEXT, "another text");
        replayed(&cassette, &sent, |answer| answer.contains("ouli miss"))
    });
}
