//! Rules that apply without a setting: JSON-RPC, OAuth, ids of requests and traces.

use std::sync::Arc;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use std::io::Write as _;

use super::id;
use crate::support::client::{self, Answer, Client};
use crate::support::folder::Folder;
use crate::support::gateway;
use crate::support::origin::{self, Origin, Seen};
use crate::support::websocket::{Peer, TEXT, Way, close, frame, socket_origin};

/// A server of JSON-RPC that answers as JSON, with gzip or in events.
fn server() -> Origin {
    let answer = |seen: &Seen| {
        let call: Value = serde_json::from_slice(&seen.body).unwrap();
        let answer =
            |call: &Value| json!({"jsonrpc": "2.0", "id": call["id"], "result": call["params"]});
        match call {
            Value::Array(calls) => {
                origin::json(&Value::from(calls.iter().map(answer).collect::<Vec<_>>()).to_string())
            }
            call => origin::json(&format!(
                "{{ \"jsonrpc\" : \"2.0\", \"id\" : {}, \"result\":{{\"of\":{}}} }}",
                call["id"], call["params"]
            )),
        }
    };
    let events = |seen: &Seen| {
        let call: Value = serde_json::from_slice(&seen.body).unwrap();
        let (id, token) = (&call["id"], &call["params"]["_meta"]["progressToken"]);
        let progress = json!({"jsonrpc": "2.0", "method": "notifications/progress",
            "params": {"progressToken": token, "progress": 1}});
        let asks = json!({"jsonrpc": "2.0", "id": 7, "method": "sampling/createMessage"});
        let done = json!({"jsonrpc": "2.0", "id": id, "result": {"ok": true}});
        origin::parts()
            .header("content-type", "text/event-stream")
            .part(format!("event: message\ndata: {progress}\n\n"))
            .part(format!("event: message\ndata: {asks}\n\ndata:{done}\n\n"))
    };
    let packed = |seen: &Seen| {
        let call: Value = serde_json::from_slice(&seen.body).unwrap();
        let answer = json!({"jsonrpc": "2.0", "id": call["id"], "result": "x".repeat(500)});
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(answer.to_string().as_bytes()).unwrap();
        origin::bytes(encoder.finish().unwrap())
            .header("content-type", "application/json")
            .header("content-encoding", "gzip")
            .header("digest", "sha-256=of-the-recorded-bytes")
    };
    origin::new()
        .route("/rpc", answer)
        .route("/events", events)
        .route("/gzip", packed)
        .start()
}

fn call(client: &Client, target: &str, body: &Value) -> Answer {
    client.post(target, "application/json", &body.to_string())
}

fn ping(id: impl Into<Value>) -> Value {
    json!({"jsonrpc": "2.0", "id": id.into(), "method": "ping", "params": {"a": 1}})
}

#[test]
fn the_id_of_a_json_rpc_call_comes_back_as_the_clients_own() {
    for connect in client::VERSIONS {
        let origin = server();
        let gateway = gateway::record(&origin).start();
        let recorded = call(&connect(&gateway), "/rpc", &ping(7)).text().to_owned();
        let folder = gateway.into_folder();
        let replay = gateway::replay(&folder).start();
        let client = connect(&replay);
        for own in [json!(8), json!("a1"), json!(id()), json!(7), json!(123_456)] {
            let answer = call(&client, "/rpc", &ping(own.clone()));
            let expected = recorded.replace("\"id\" : 7", &format!("\"id\" : {own}"));
            assert_eq!(answer.text(), expected, "byte for byte but for the id");
            let length: usize = answer.header("content-length").parse().unwrap();
            assert_eq!(length, expected.len());
        }
        let other = json!({"jsonrpc": "2.0", "id": 8, "method": "ping", "params": {"a": 2}});
        assert_eq!(call(&client, "/rpc", &other).status, 404);
        // A notification has no id, and a response of the client has that of the server.
        for other in [
            json!({"jsonrpc": "2.0", "method": "ping", "params": {"a": 1}}),
            json!({"jsonrpc": "2.0", "id": null, "method": "ping", "params": {"a": 1}}),
            json!({"id": 8, "method": "ping", "params": {"a": 1}}),
        ] {
            assert_eq!(call(&client, "/rpc", &other).status, 404, "{other}");
        }
        let report = replay.finish();
        assert_eq!((report.hits, report.misses), (5, 4), "{report:?}");
        assert_eq!(report.renamed, 4, "7 is the recorded one");
    }
}

#[test]
fn ids_come_back_in_batches_events_and_coded_bodies() {
    let origin = server();
    let gateway = gateway::record(&origin).start();
    let client = client::http1(&gateway);
    let batch = |one: Value, two: Value| json!([ping(one), ping(two)]);
    let streamed = |id: Value, token: Value| {
        json!({"jsonrpc": "2.0", "id": id, "method": "tools/call",
            "params": {"name": "x", "_meta": {"progressToken": token}}})
    };
    let packed = |client: &Client, id: Value| {
        let ask = client
            .ask("POST", "/gzip")
            .header("accept-encoding", "gzip");
        ask.header("content-type", "application/json")
            .body(ping(id).to_string())
            .send()
    };
    call(&client, "/rpc", &batch(json!(1), json!(2)));
    call(&client, "/events", &streamed(json!(7), json!("t1")));
    packed(&client, json!(7));
    let folder = gateway.into_folder();
    let replay = gateway::replay(&folder).start();
    let client = client::http1(&replay);
    let answer = call(&client, "/rpc", &batch(json!("x"), json!(9))).json();
    assert_eq!(
        (&answer[0]["id"], &answer[1]["id"]),
        (&json!("x"), &json!(9))
    );
    let answer = call(&client, "/events", &streamed(json!("a long id"), json!(31)));
    let data: Vec<Value> = answer
        .text()
        .lines()
        .filter_map(|line| line.strip_prefix("data:"))
        .map(|data| serde_json::from_str(data).unwrap())
        .collect();
    assert_eq!(data[0]["params"]["progressToken"], 31);
    assert_eq!(data[1]["id"], 7, "the server made this one up");
    assert_eq!(data[2]["id"], "a long id");
    let answer = packed(&client, json!(1_000_001));
    assert_eq!(answer.header("content-encoding"), "gzip");
    assert!(!answer.headers.contains_key("digest"));
    let mut text = String::new();
    std::io::Read::read_to_string(
        &mut flate2::read::GzDecoder::new(&answer.body[..]),
        &mut text,
    )
    .unwrap();
    assert_eq!(
        serde_json::from_str::<Value>(&text).unwrap()["id"],
        1_000_001
    );
    assert_eq!(replay.finish().misses, 0);
}

#[test]
fn ids_come_back_in_messages_of_a_websocket() {
    let origin = socket_origin();
    let gateway = gateway::over(&Arc::new(Folder::new()), "record")
        .upstream(&origin.url())
        .start();
    let talk = |address, ids: [Value; 3]| {
        let mut peer = Peer::open(address, &Way::Upgrade, "/echo");
        let answers = ids.map(|id| {
            let answer = peer
                .asks(frame(TEXT, json!({"id": id, "x": 1}).to_string()))
                .text();
            serde_json::from_str::<Value>(&answer).unwrap()["id"].clone()
        });
        peer.send(close(1000, ""));
        while peer.next().is_some() {}
        answers
    };
    talk(gateway.address, [json!(1), json!("2"), json!(id())]);
    let folder = gateway.into_folder();
    let section = "[matcher]\nminted = [\"/id\"]";
    let replay = gateway::replay(&folder).section(section).start();
    let own = [json!("7"), json!(22), json!(id())];
    assert_eq!(talk(replay.address, own.clone()), own);
    assert_eq!(replay.finish().misses, 0);
}

#[test]
fn ids_of_requests_and_oauth_state_come_back() {
    let answer = |seen: &Seen| {
        let state = seen.target.split("state=").nth(1).unwrap();
        let state = state.split('&').next().unwrap();
        let id = seen.headers["x-request-id"].to_str().unwrap();
        origin::text(&format!("request {id}"))
            .status(302)
            .header("x-request-id", id)
            .header(
                "location",
                &format!("https://app.test/callback?code=USD&state={state}"),
            )
    };
    let origin = origin::new().route("/authorize", answer).start();
    let authorize = |client: &Client, [state, challenge, request]: [&str; 3]| {
        let target = format!(
            "/authorize?client_id=app&response_type=code&state={state}&code_challenge={challenge}"
        );
        client
            .ask("GET", &target)
            .header("x-request-id", request)
            .send()
    };
    let gateway = gateway::record(&origin).start();
    let values = [id(), id(), id()];
    authorize(
        &client::http1(&gateway),
        values.each_ref().map(String::as_str),
    );
    let folder = gateway.into_folder();
    let replay = gateway::replay(&folder).start();
    let own = [id(), id(), id()];
    let answer = authorize(&client::http1(&replay), own.each_ref().map(String::as_str));
    assert_eq!(answer.status, 302, "{}", answer.text());
    assert!(
        answer
            .header("location")
            .ends_with(&format!("&state={}", own[0]))
    );
    assert_eq!(answer.header("x-request-id"), own[2]);
    assert_eq!(answer.text(), format!("request {}", own[2]));
    // Elsewhere `state` is a filter.
    let report = replay.finish();
    assert_eq!((report.hits, report.renamed), (1, 1), "{report:?}");
}

#[test]
fn a_state_that_cannot_be_given_back_counts_as_it_is() {
    let origin = origin::new()
        .route("/authorize", |seen| {
            let state = seen.target.split("state=").nth(1).unwrap();
            origin::text(state)
        })
        .start();
    let target = |state: &str| format!("/authorize?client_id=app&response_type=code&state={state}");
    for [recorded, own] in [
        ["Zm9yIGEgc3RhdGUgMQ%3D%3D", "Zm9yIGEgc3RhdGUgMg%3D%3D"],
        ["7", "8"],
        [
            "%7B%22next%22%3A%22%2Fa%22%7D",
            "%7B%22next%22%3A%22%2Fb%22%7D",
        ],
        ["home", "3f9c1e77b2a8d4560c1e"],
    ] {
        let gateway = gateway::record(&origin).start();
        client::http1(&gateway).get(&target(recorded));
        let folder = gateway.into_folder();
        let replay = gateway::replay(&folder).start();
        let client = client::http1(&replay);
        assert_eq!(client.get(&target(own)).status, 404, "{own}");
        assert_eq!(client.get(&target(recorded)).status, 200, "{recorded}");
    }
}

#[test]
fn default_rules_are_switched_off_by_their_ids() {
    let origin = server();
    let gateway = gateway::record(&origin).start();
    call(&client::http1(&gateway), "/rpc", &ping(7));
    let folder = gateway.into_folder();
    for section in [
        "[matcher]\ndisabled_rules = [\"minted.json-rpc\"]",
        "[matcher]\ndefaults = false",
    ] {
        let replay = gateway::replay(&folder).section(section).start();
        let client = client::http1(&replay);
        assert_eq!(call(&client, "/rpc", &ping(8)).status, 404, "{section}");
        assert_eq!(call(&client, "/rpc", &ping(7)).status, 200, "{section}");
    }
    let unknown = gateway::replay(&folder).section("[matcher]\ndisabled_rules = [\"json\"]");
    let error = unknown.try_start().err().unwrap().to_string();
    assert!(
        error.contains("is no rule of the matcher") && error.contains("minted.oauth"),
        "{error}"
    );
}
