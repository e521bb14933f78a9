//! The memory limit for the messages of conversations that are compared.

use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut as _, BytesMut};

use crate::support::binary::program;
use crate::support::folder::Folder;
use crate::support::websocket::{Peer, TEXT, Way, close, frame, socket_origin};
use crate::support::{client, gateway, origin, until};

/// A cassette of an echoed text of this size.
fn echoed_text(size: usize) -> Arc<Folder> {
    let origin = socket_origin();
    let gateway = gateway::record(&origin::simple())
        .upstream(&origin.url())
        .start();
    let mut peer = Peer::open(gateway.address, &Way::Upgrade, "/echo");
    assert_eq!(peer.asks(frame(TEXT, "x".repeat(size))).text().len(), size);
    peer.asks(close(1000, ""));
    drop(peer);
    let folder = Arc::clone(&gateway.folder);
    assert_eq!(gateway.finish().recorded, 1);
    folder
}

/// Bytes of a message. The work on it takes three times as many.
const SIZE: usize = 520_000;
/// What is held beside it: with the work more than 4 MiB, with the message alone less than 90 %.
const HELD: usize = 2_700_000;

/// A request that holds so many bytes, or will soon.
fn held(gateway: &gateway::Running, size: usize) -> client::Raw {
    let mut held = client::raw(gateway.address, "POST / HTTP/1.1\r\nhost: x\r\n");
    held.write(format!("content-length: {}\r\n\r\n", size + 1));
    held.write("x".repeat(size));
    held
}

#[test]
fn a_large_message_is_compared_within_the_memory_limit() {
    let folder = echoed_text(SIZE);
    let text = frame(TEXT, "x".repeat(SIZE));
    for (offload_size, code) in [("256 KiB", Some(1013)), ("1 MiB", None)] {
        let limits = format!(
            "[limits]\nmemory = \"4 MiB\"\noffload_size = \"{offload_size}\"\n\
             memory_wait_timeout = \"200ms\""
        );
        let gateway = gateway::replay(&folder).section(&limits).start();
        let ask = || {
            let mut peer = Peer::open(gateway.address, &Way::Upgrade, "/echo");
            peer.asks(&text)
        };
        assert_eq!(ask().text().len(), SIZE);
        if code.is_none() {
            continue;
        }
        let held = held(&gateway, HELD);
        let answer = until("a full memory", || {
            let answer = ask();
            (answer.code() == code).then_some(answer)
        });
        assert!(answer.text().contains("limits.memory"), "{}", answer.text());
        drop(held);
        until("free memory", || (ask().code().is_none()).then_some(()));
    }
}

#[test]
fn others_are_served_while_a_large_message_waits_for_memory() {
    let folder = echoed_text(SIZE);
    let text = frame(TEXT, "x".repeat(SIZE));
    let limits = "[limits]\nmemory = \"4 MiB\"\noffload_size = \"256 KiB\"\n\
                  memory_wait_timeout = \"60s\"";
    let gateway = gateway::replay(&folder).section(limits).start_with(1);
    let open = || Peer::open(gateway.address, &Way::Upgrade, "/echo");
    assert_eq!(open().asks(&text).text().len(), SIZE);
    let held = held(&gateway, HELD);
    let mut waiting = until("a full memory", || {
        let mut peer = open();
        peer.send(&text);
        peer.is_silent_for(Duration::from_millis(500))
            .then_some(peer)
    });
    assert_eq!(client::http1(&gateway).get("/hello").status, 404);
    drop(held);
    assert_eq!(waiting.next().unwrap().text().len(), SIZE);
}

/// Bytes of a text that is just below the limit of a message.
const LARGE: usize = 15_000_000;

#[test]
fn the_memory_of_the_largest_message_is_bounded() {
    let folder = echoed_text(LARGE);
    let text = frame(TEXT, "x".repeat(LARGE));
    let mut process = program(&folder, &["replay", "--listen", "127.0.0.1:0"]).start();
    let address = process.address();
    let ask = |bytes: &[u8]| Peer::open(address, &Way::Upgrade, "/echo").asks(bytes);
    // The index is read.
    assert_eq!(ask(&frame(TEXT, "other")).code(), Some(1008));
    let before = process.peak_memory();
    assert_eq!(ask(&text).text().len(), LARGE);
    let other = frame(TEXT, "y".repeat(LARGE));
    assert_eq!(ask(&other).code(), Some(1008));
    let more = process.peak_memory() - before;
    assert!(more < 9 * LARGE as u64, "{more}");
}

#[test]
fn a_large_grpc_message_is_compared_within_the_memory_limit() {
    let origin = origin::new()
        .route("/test.Door/*", |_| {
            let reply = origin::parts().header("content-type", "application/grpc");
            reply
                .part(vec![0, 0, 0, 0, 1, 7])
                .trailers(&[("grpc-status", "0")])
        })
        .start();
    let ask = |gateway: &gateway::Running| {
        let mut body = BytesMut::new();
        body.put_u8(0);
        body.put_u32(300_000);
        body.put_bytes(7, 300_000);
        let ask = client::http2(gateway).ask("POST", "/test.Door/Open");
        let ask = ask.header("content-type", "application/grpc").body(body);
        let answer = ask.send();
        let status = answer.trailers.unwrap_or(answer.headers)["grpc-status"].clone();
        status.to_str().unwrap().to_owned()
    };
    let gateway = gateway::over(&Arc::new(Folder::new()), "record")
        .upstream(&origin.h2c())
        .start();
    assert_eq!(ask(&gateway), "0");
    let folder = Arc::clone(&gateway.folder);
    assert_eq!(gateway.finish().recorded, 1);
    for (offload_size, status) in [("256 KiB", "8"), ("1 MiB", "0")] {
        let limits = format!(
            "[limits]\nmemory = \"4 MiB\"\noffload_size = \"{offload_size}\"\n\
             memory_wait_timeout = \"200ms\""
        );
        let gateway = gateway::replay(&folder).section(&limits).start();
        assert_eq!(ask(&gateway), "0");
        let _held = held(&gateway, 3_400_000);
        until("the status", || (ask(&gateway) == status).then_some(()));
    }
}
