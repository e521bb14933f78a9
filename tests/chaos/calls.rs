//! gRPC calls and WebSockets whose upstream fails before it responds.

use std::sync::Arc;

use super::peers::{Do, End, origin, send, send_until};
use crate::support::folder::Folder;
use crate::support::{PATIENCE, client, gateway, until};

const UPGRADE: &str = "GET /chat HTTP/1.1\r\nhost: a\r\nupgrade: websocket\r\n\
    connection: upgrade\r\nsec-websocket-version: 13\r\n\
    sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

fn recorded(gateway: gateway::Running) -> Arc<Folder> {
    until("the recording", || {
        (gateway.session("default").recorded_failures == 1).then_some(())
    });
    let folder = Arc::clone(&gateway.folder);
    assert!(gateway.finish().passed);
    folder
}

#[test]
fn a_failed_websocket_handshake_is_replayed() {
    let cases: [(&'static [Do], &str); 2] = [
        (&[Do::Read], "closed"),
        (
            &[
                Do::Read,
                Do::Send(b"HTTP/1.1 101 Switching\r\nupgrade: websocket\r\n\r\n"),
                Do::Stall,
            ],
            "malformed",
        ),
    ];
    for (steps, what) in cases {
        let origin = origin(steps);
        let gateway = gateway::over(&Arc::new(Folder::new()), "record").upstream(&origin.url());
        let gateway = gateway.set("record_failures = true").start();
        let live = send_until(gateway.address, UPGRADE, "}\n");
        assert!(live.starts_with("HTTP/1.1 502"), "{live}");
        let folder = recorded(gateway);
        assert_eq!(folder.exchanges("default")[0]["failure"]["what"], what);
        let replay = gateway::replay_repeating(&folder).start();
        let again = send_until(replay.address, UPGRADE, "}\n");
        assert!(again.starts_with("HTTP/1.1 502"), "{again}");
        assert!(again.contains(&format!("head {what}")), "{again}");
        assert_eq!(replay.finish().hits, 1);
    }
}

/// A gRPC call with one message.
fn call(gateway: &gateway::Running, message: &str) -> client::Answer {
    let size = u8::try_from(message.len()).unwrap();
    let framed = [&[0, 0, 0, 0, size], message.as_bytes()].concat();
    let ask = client::http2(gateway).ask("POST", "/test.Door/Open");
    let ask = ask
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    ask.body(framed).send()
}

#[test]
fn a_failed_grpc_call_is_replayed_for_the_same_messages() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let gateway = gateway::over(&Arc::new(Folder::new()), "record");
    let gateway = gateway.upstream(&format!("h2c://{address}"));
    let gateway = gateway.set("record_failures = true").start();
    let live = call(&gateway, "let me in");
    assert_eq!(live.header("grpc-status"), "14");
    let folder = recorded(gateway);
    let replay = gateway::replay_repeating(&folder).start();
    let again = call(&replay, "let me in");
    assert_eq!(again.header("grpc-status"), "14", "{again:?}");
    assert_eq!(again.header("ouli-error"), "upstream");
}

#[test]
fn a_response_to_head_has_no_body_to_truncate() {
    const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n";
    let origin = origin(&[Do::Read, Do::Send(HEAD), Do::Reset]);
    let gateway = gateway::over(&Arc::new(Folder::new()), "record").upstream(&origin.url());
    let gateway = gateway.set("record_failures = true").start();
    let request = "HEAD / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    let (answer, end) = send(gateway.address, request, PATIENCE);
    assert!(
        answer.starts_with("HTTP/1.1 200") && end == End::Closed,
        "{answer}"
    );
    let report = gateway.finish();
    assert_eq!((report.recorded, report.recorded_failures), (1, 0));
}
