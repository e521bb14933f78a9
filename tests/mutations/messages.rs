//! Changes of the messages of conversations: WebSocket and gRPC.

use std::sync::Arc;

use bytes::Bytes;
use hyper::body::Frame;

use crate::support::client::{self, Answer};
use crate::support::folder::Folder;
use crate::support::gateway::{self, Running};
use crate::support::origin::{self, Seen};
use crate::support::websocket::{BINARY, Peer, TEXT, Way, close, frame, socket_origin};

/// The messages of the client of a WebSocket.
fn words() -> Vec<(u8, Vec<u8>)> {
    vec![
        (TEXT, b"hello".to_vec()),
        (TEXT, br#"{"say": "b", "n": 1}"#.to_vec()),
        (BINARY, vec![0, 7, 255]),
    ]
}

/// Sends messages that are echoed, and returns how many were. The code closes the connection.
fn talk(gateway: &Running, messages: &[(u8, Vec<u8>)]) -> (usize, Option<u16>) {
    let mut peer = Peer::open(gateway.address, &Way::Upgrade, "/echo");
    for (count, (first, payload)) in messages.iter().enumerate() {
        peer.send(frame(*first, payload));
        match peer.next() {
            Some(answer) if answer.first == *first => {}
            other => return (count, other.and_then(|it| it.code())),
        }
    }
    peer.send(close(1000, ""));
    while peer.next().is_some() {}
    (messages.len(), None)
}

#[test]
fn a_websocket_message_that_is_changed_is_a_miss() {
    let (origin, folder) = (socket_origin(), Arc::new(Folder::new()));
    let recorder = gateway::over(&folder, "record").upstream(&origin.url());
    let gateway = recorder.start();
    assert_eq!(talk(&gateway, &words()).0, 3);
    gateway.stop();
    let gateway = gateway::replay(&folder).start();
    assert_eq!(talk(&gateway, &words()).0, 3);
    let mut count = 0;
    for at in 0..words().len() {
        let mut changes = Vec::new();
        for byte in 0..words()[at].1.len() {
            let mut changed = words();
            // Another letter or digit, so that JSON stays what it is.
            changed[at].1[byte] ^= 1;
            let is_text = std::str::from_utf8(&changed[at].1).is_ok();
            let is_space = words()[at].1[byte] == b' ';
            if (changed[at].0 == BINARY || is_text) && !is_space {
                changes.push(changed);
            }
        }
        for changed in changes {
            count += 1;
            let (echoed, code) = talk(&gateway, &changed);
            assert_eq!((echoed, code), (at, Some(1008)), "{at}: {changed:?}");
        }
    }
    println!("{count} changed messages of a WebSocket");
    assert!(count > 20, "{count}");
    let report = gateway.finish();
    assert_eq!(report.misses, count, "{report:?}");
}

fn framed(message: &[u8]) -> Bytes {
    let length = u32::try_from(message.len()).unwrap();
    [&[0][..], &length.to_be_bytes(), message].concat().into()
}

fn call(gateway: &Running, target: &str, messages: &[Vec<u8>]) -> Answer {
    let ask = client::http2(gateway).ask("POST", target);
    let ask = ask
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    let frames = messages.iter().map(|message| Frame::data(framed(message)));
    ask.frames(frames.collect()).send()
}

/// The status of a call, in its head or its trailers.
fn status(answer: &Answer) -> String {
    let trailers = answer.trailers.as_ref();
    let value = trailers.and_then(|it| it.get("grpc-status"));
    let value = value.or(answer.headers.get("grpc-status"));
    value.unwrap().to_str().unwrap().to_owned()
}

#[test]
fn a_message_of_a_call_that_is_changed_is_a_miss() {
    let echo = |seen: &Seen| {
        origin::parts()
            .header("content-type", "application/grpc")
            .part(seen.body.clone())
            .trailer("grpc-status", "0")
    };
    let origin = origin::new().route("/test.Door/*", echo).start();
    let folder = Arc::new(Folder::new());
    let messages = [b"\x0a\x03abc\x10\x07".to_vec(), b"\x0a\x01d".to_vec()];
    let recorder = gateway::over(&folder, "record").upstream(&origin.h2c());
    let gateway = recorder.start();
    assert_eq!(status(&call(&gateway, "/test.Door/Open", &messages)), "0");
    gateway.stop();
    let gateway = gateway::replay(&folder).start();
    assert_eq!(status(&call(&gateway, "/test.Door/Open", &messages)), "0");
    let mut changes = vec![
        ("/test.Door/Close", messages.to_vec()),
        ("/test.Door/Open", messages[..1].to_vec()),
        ("/test.Door/Open", [&messages[..], &messages[..1]].concat()),
        (
            "/test.Door/Open",
            vec![messages[1].clone(), messages[0].clone()],
        ),
    ];
    for (at, message) in messages.iter().enumerate() {
        for byte in 0..message.len() {
            let mut changed = messages.to_vec();
            changed[at][byte] ^= 1;
            changes.push(("/test.Door/Open", changed));
        }
    }
    for (target, changed) in &changes {
        let answer = call(&gateway, target, changed);
        assert_eq!(status(&answer), "5", "{target} {changed:?}");
    }
    println!("{} changed calls", changes.len());
    let report = gateway.finish();
    assert_eq!(report.misses, changes.len() as u64, "{report:?}");
}
