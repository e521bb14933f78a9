//! Ids of JSON-RPC count and come back by their place, whatever their size and spelling.

use std::sync::Arc;

use serde_json::{Value, json};

use super::id;
use crate::support::client::{self, Client};
use crate::support::folder::Folder;
use crate::support::gateway;
use crate::support::origin::{self, Origin, Reply, Seen};
use crate::support::websocket::{Peer, TEXT, Way, close, frame, socket_origin};

/// An answer as far as it follows from the body of a request: its content type and its body.
type Answer = fn(&Value) -> (&'static str, String);

const JSON: &str = "application/json";
const EVENTS: &str = "text/event-stream";

fn reply(answer: Answer, seen: &Seen) -> Reply {
    let call = seen
        .body
        .strip_prefix(b"\xef\xbb\xbf")
        .unwrap_or(&seen.body);
    let (content_type, body) = answer(&serde_json::from_slice(call).unwrap());
    origin::bytes(body.into_bytes()).header("content-type", content_type)
}

fn server(answer: Answer) -> Origin {
    let answer = move |seen: &Seen| reply(answer, seen);
    origin::new().route("/rpc", answer).start()
}

fn call(id: impl Into<Value>, token: impl Into<Value>) -> String {
    let params = json!({"name": "x", "_meta": {"progressToken": token.into()}});
    json!({"jsonrpc": "2.0", "id": id.into(), "method": "tools/call", "params": params}).to_string()
}

fn done(call: &Value, result: &Value) -> String {
    json!({"jsonrpc": "2.0", "id": call["id"], "result": result}).to_string()
}

fn post(client: &Client, content_type: &str, body: &str) -> client::Answer {
    let ask = client
        .ask("POST", "/rpc")
        .header("content-type", content_type);
    ask.body(body).send()
}

/// The answers of a server with these values in other places than its own ids.
const ANSWERS: [(&str, Answer); 8] = [
    ("progress of the call", |call| {
        let token = &call["params"]["_meta"]["progressToken"];
        let progress = json!({"jsonrpc": "2.0", "method": "notifications/progress",
            "params": {"progressToken": token, "progress": 1}});
        let events = [progress.to_string(), done(call, &json!({"ok": 1}))];
        let events = events.map(|data| format!("event: message\ndata: {data}\n\n"));
        (EVENTS, events.concat())
    }),
    ("an event of several lines", |call| {
        let id = &call["id"];
        let lines =
            format!("{{\"jsonrpc\": \"2.0\",\r\ndata: \"id\": {id},\r\ndata:\"result\":1}}");
        (EVENTS, format!("\u{feff}data: {lines}\r\n\r\n"))
    }),
    ("a call of the server that it cancels", |call| {
        let asks = json!({"jsonrpc": "2.0", "id": 1, "method": "sampling/createMessage",
            "params": {"_meta": {"progressToken": 1}}});
        let cancels = |method: &str, name: &str| {
            json!({"jsonrpc": "2.0", "method": method, "params": {name: 1}}).to_string()
        };
        let events = [
            asks.to_string(),
            cancels("notifications/cancelled", "requestId"),
            cancels("$/cancelRequest", "id"),
            done(call, &json!(1)),
        ];
        (
            EVENTS,
            events.map(|data| format!("data: {data}\n\n")).concat(),
        )
    }),
    ("a byte order mark", |call| {
        (JSON, format!("\u{feff}{}", done(call, &json!(1))))
    }),
    ("the number as a result", |_| {
        (
            JSON,
            "{\"jsonrpc\":\"2.0\",\"id\":null,\"result\":{\"id\":1,\"token\":1}}".to_owned(),
        )
    }),
    ("a type without JSON in its name", |call| {
        ("text/plain", format!(" {}", done(call, &json!([1, 2]))))
    }),
    ("a sequence of texts", |call| {
        let text = done(call, &json!(1));
        (
            "application/json-seq",
            format!("\u{1e}{text}\n\u{1e}{text}\n"),
        )
    }),
    ("words like the id", |call| {
        (
            JSON,
            done(call, &json!(["task-001", "task-002", "task-003"])),
        )
    }),
];

#[test]
fn an_id_comes_back_in_its_place_alone() {
    let calls = |pairs: [(Value, Value); 2]| pairs.map(|(id, token)| call(id, token));
    for [recorded, own] in [
        calls([(json!(1), json!(1)), (json!(5), json!(9))]),
        calls([(json!(1), json!(1)), (json!(1), json!(9))]),
        calls([(json!(1), json!(1)), (json!(5), json!(1))]),
        calls([(json!(1), json!(2)), (json!(2), json!(1))]),
        calls([
            (json!("task-001"), json!(1)),
            (json!("task-002"), json!("1")),
        ]),
        calls([(json!("a/1"), json!(1)), (json!("é \"2"), json!(2))]),
    ] {
        let route = |seen: &Seen| {
            let at: usize = seen.target[1..].parse().unwrap();
            reply(ANSWERS[at].1, seen)
        };
        let origin = origin::new().route("/*", route).start();
        let send =
            |client: &Client, at: usize, body: &str| client.post(&format!("/{at}"), JSON, body);
        let gateway = gateway::record(&origin).start();
        let client = client::http1(&gateway);
        for at in 0..ANSWERS.len() {
            send(&client, at, &recorded);
        }
        let folder = gateway.into_folder();
        let replay = gateway::replay(&folder).start();
        let client = client::http1(&replay);
        for (at, (name, answer)) in ANSWERS.into_iter().enumerate() {
            let answered = send(&client, at, &own);
            let (_, expected) = answer(&serde_json::from_str(&own).unwrap());
            assert_eq!(answered.text(), expected, "{name}: {own} for {recorded}");
        }
    }
}

#[test]
fn an_id_that_the_server_spells_otherwise_comes_back() {
    for (recorded, answered, own, expected) in [
        ("\"req/1\"", "\"req\\/1\"", "\"req/2\"", "\"req/2\""),
        ("\"é1\"", "\"\\u00e91\"", "\"é2\"", "\"é2\""),
        ("1.0", "1", "2", "2"),
        ("100", "1e2", "7", "7"),
        ("1", "\"1\"", "2", "\"1\""),
    ] {
        let text = format!("{{\"jsonrpc\": \"2.0\", \"id\": {answered} , \"result\": {answered}}}");
        let origin = origin::new()
            .route("/rpc", move |_| origin::json(&text))
            .start();
        let body = |id: &str| format!("{{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"id\":{id}}}");
        let gateway = gateway::record(&origin).start();
        post(&client::http1(&gateway), JSON, &body(recorded));
        let folder = gateway.into_folder();
        let replay = gateway::replay(&folder).start();
        let answer = post(&client::http1(&replay), JSON, &body(own));
        let text = format!("{{\"jsonrpc\": \"2.0\", \"id\": {expected} , \"result\": {answered}}}");
        assert_eq!(answer.text(), text, "{recorded}");
    }
}

#[test]
fn a_call_is_known_by_each_content_type_of_json_rpc() {
    for content_type in [
        JSON,
        "application/json-rpc",
        "application/jsonrequest",
        "application/vscode-jsonrpc+json",
        "text/plain",
    ] {
        let origin = server(|call| (JSON, done(call, &json!(1))));
        for mark in ["", "\u{feff}"] {
            let body = |id: u64| format!("{mark}{}", call(id, id));
            let gateway = gateway::record(&origin).start();
            post(&client::http1(&gateway), content_type, &body(1));
            let folder = gateway.into_folder();
            let replay = gateway::replay(&folder).start();
            let answer = post(&client::http1(&replay), content_type, &body(31));
            assert_eq!(answer.json()["id"], 31, "{content_type}");
        }
    }
}

/// Answers a call, or each call of a batch, without repeating what it is called with.
fn short(call: &Value) -> (&'static str, String) {
    let answer = |call: &Value| json!({"jsonrpc": "2.0", "id": call["id"], "result": 1});
    let answer = match call {
        Value::Array(calls) => calls.iter().rev().map(answer).collect(),
        call => answer(call),
    };
    (JSON, answer.to_string())
}

#[test]
fn ids_of_calls_of_any_size_come_back() {
    let padded = |id: usize, size: usize| {
        let text = "x".repeat(size);
        json!({"jsonrpc": "2.0", "id": id, "method": "ping", "params": [text]})
    };
    let batch = |first: usize, count: usize| {
        let calls = (first..first + count).map(|id| padded(id, id - first));
        calls.collect::<Value>()
    };
    // Up to 32 KiB a body is in the cassette, a longer one beside it; a large one leaves the
    // thread that serves the client.
    let requests = |id: usize| {
        [
            padded(id, 20_000),
            padded(id, 40_000),
            padded(id, 1_500_000),
            batch(id, 1_500),
        ]
    };
    let origin = server(short);
    let gateway = gateway::record(&origin).start();
    let client = client::http1(&gateway);
    for request in requests(1) {
        assert_eq!(post(&client, JSON, &request.to_string()).status, 200);
    }
    let folder = gateway.into_folder();
    let replay = gateway::replay(&folder).start();
    let client = client::http1(&replay);
    for request in requests(70_000) {
        let answer = post(&client, JSON, &request.to_string());
        assert_eq!(answer.status, 200, "{}", answer.header("ouli-error-detail"));
        assert_eq!(answer.text(), short(&request).1);
    }
    let report = replay.finish();
    assert_eq!((report.hits, report.renamed), (4, 4), "{report:?}");
}

#[test]
fn ids_of_large_messages_of_a_websocket_come_back() {
    let origin = socket_origin();
    let gateway = gateway::over(&Arc::new(Folder::new()), "record")
        .upstream(&origin.url())
        .start();
    // The origin repeats what it gets: as an answer that is one by its lack of a method.
    let talk = |address, ids: [Value; 3]| {
        let mut peer = Peer::open(address, &Way::Upgrade, "/echo");
        let sizes = [10, 100_000, 400_000];
        let answers: Vec<_> = ids
            .into_iter()
            .zip(sizes)
            .map(|(id, size)| {
                let message = json!({"id": id, "x": "y".repeat(size)});
                let answer = peer.asks(frame(TEXT, message.to_string())).text();
                serde_json::from_str::<Value>(&answer).unwrap()["id"].clone()
            })
            .collect();
        peer.send(close(1000, ""));
        while peer.next().is_some() {}
        answers
    };
    talk(gateway.address, [json!(1), json!(2), json!(id())]);
    let folder = gateway.into_folder();
    let section = "[matcher]\nminted = [\"/id\"]";
    let replay = gateway::replay(&folder).section(section).start();
    let own = [json!(7), json!(22), json!(id())];
    assert_eq!(talk(replay.address, own.clone()), own);
    assert_eq!(replay.finish().misses, 0);
}

#[test]
fn a_word_in_a_header_that_names_a_request_is_no_value_of_the_answer() {
    let answer = |seen: &Seen| {
        let key = seen.headers["idempotency-key"].to_str().unwrap();
        let order = String::from_utf8(seen.body.to_vec()).unwrap();
        origin::json(&order).header("idempotency-key", key)
    };
    let origin = origin::new().route("/orders", answer).start();
    let order = |client: &Client, key: &str| {
        let ask = client.ask("POST", "/orders").header("idempotency-key", key);
        let ask = ask.header("content-type", JSON);
        ask.body("{\"order\":\"ord-000123\"}").send()
    };
    let gateway = gateway::record(&origin).start();
    order(&client::http1(&gateway), "ord-000123");
    let folder = gateway.into_folder();
    let replay = gateway::replay(&folder).start();
    let answer = order(&client::http1(&replay), "retry-00077");
    assert_eq!(answer.text(), "{\"order\":\"ord-000123\"}");
    assert_eq!(answer.header("idempotency-key"), "retry-00077");
}
