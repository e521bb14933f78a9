//! The HTTP transport of MCP before 2025-03-26: a stream of events answers the calls of other
//! requests.

use std::sync::Arc;

use serde_json::{Value, json};

use super::id;
use crate::support::client::{self, Client};
use crate::support::folder::Folder;
use crate::support::gateway::{self, Running};
use crate::support::origin::peer;

const CALLS: usize = 3;

/// A server whose stream has the answers, in the order of the calls.
fn server() -> String {
    let (sender, receiver) = std::sync::mpsc::channel::<String>();
    let (sender, receiver) = (
        std::sync::Mutex::new(sender),
        std::sync::Mutex::new(receiver),
    );
    let upstream = peer(move |peer| {
        let head = peer.head();
        if head.starts_with("GET /sse") {
            peer.send(
                "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\
                 \r\nevent: endpoint\r\n\
                 data: /messages/?session_id=4f2a9c1e77b2a8d4560c1e9f3b7d6a10\r\n\r\n",
            );
            for _ in 0..CALLS {
                let answer = receiver.lock().unwrap().recv().unwrap();
                peer.send(format!("event: message\r\ndata: {answer}\r\n\r\n"));
            }
        } else if head.starts_with("POST /messages/") {
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "));
            let call = peer.bytes(length.unwrap().trim().parse().unwrap());
            let call: Value = serde_json::from_slice(&call).unwrap();
            let answer = json!({"jsonrpc": "2.0", "id": call["id"], "result": call["method"]});
            sender.lock().unwrap().send(answer.to_string()).unwrap();
            peer.send(
                "HTTP/1.1 202 Accepted\r\ncontent-length: 8\r\nconnection: close\r\n\r\nAccepted",
            );
        }
    });
    format!("http://{upstream}")
}

/// Opens the stream, sends calls with these ids, each after the answer to the one before, and
/// returns the answers.
fn talk(gateway: &Running, ids: &[Value; CALLS]) -> Vec<Value> {
    let request = "GET /sse HTTP/1.1\r\nhost: x\r\naccept: text/event-stream\r\n\r\n";
    let mut stream = client::raw(gateway.address, request);
    stream.head();
    let opened = stream.read_until("\r\n\r\n");
    let opened = match opened.contains("data: ") {
        true => opened,
        false => opened + &stream.read_until("\r\n\r\n"),
    };
    let target = opened
        .split("data: ")
        .nth(1)
        .unwrap()
        .lines()
        .next()
        .unwrap()
        .to_owned();
    let client = client::http1(gateway);
    let send = |client: &Client, at: usize| {
        let call = json!({"jsonrpc": "2.0", "id": ids[at], "method": format!("m{at}")});
        let answer = client.post(&target, "application/json", &call.to_string());
        assert_eq!(answer.status, 202, "{}", answer.text());
    };
    (0..CALLS)
        .map(|at| {
            send(&client, at);
            let event = stream.read_until("}\r\n");
            let data = event.split("data: ").nth(1).unwrap();
            serde_json::from_str(data.trim()).unwrap()
        })
        .collect()
}

#[test]
fn a_stream_answers_each_call_after_it_and_with_its_own_id() {
    let folder = Arc::new(Folder::new());
    let gateway = gateway::over(&folder, "record").upstream(&server()).start();
    talk(&gateway, &[json!(0), json!(1), json!(2)]);
    gateway.stop();
    for own in [
        [json!(0), json!(1), json!(2)],
        [json!(2), json!(0), json!(1)],
        [json!("a"), json!(id()), json!(77)],
    ] {
        let replay = gateway::replay(&folder).start();
        for (at, answer) in talk(&replay, &own).into_iter().enumerate() {
            let expected = json!({"jsonrpc": "2.0", "id": own[at], "result": format!("m{at}")});
            assert_eq!(answer, expected);
        }
        assert_eq!(replay.finish().misses, 0);
    }
}
