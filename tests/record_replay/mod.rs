//! Record and replay of single exchanges.

mod aws_chunked;
mod bodies;
mod coded_bytes;
mod codings;
mod heads;
mod negotiation;
mod refused_bodies;
mod renewed;
mod streams;
mod undecoded;

use std::sync::Arc;

use crate::support::client::{self, Answer, Client};
use crate::support::folder::Folder;
use crate::support::gateway::{self, Running};
use crate::support::origin::{self, Origin};

/// Records the request of `ask`, stops the origin and sends the same request to a replay. Asserts
/// that both responses are equal; returns the recorded one and the folder.
pub(crate) fn both_ways(origin: Origin, ask: impl Fn(&Client) -> Answer) -> (Answer, Arc<Folder>) {
    let (recorded, folder) = record(&origin, &ask);
    origin.stop();
    let gateway = gateway::replay(&folder).start();
    let replayed = ask(&client::http1(&gateway));
    assert_eq!(
        replayed, recorded,
        "the replayed response differs from the recorded one"
    );
    assert_eq!(gateway.finish().misses, 0);
    (recorded, folder)
}

/// Records the request of `ask` and stops the gateway.
fn record(origin: &Origin, ask: impl Fn(&Client) -> Answer) -> (Answer, Arc<Folder>) {
    let gateway = gateway::record(origin).start();
    let answer = ask(&client::http1(&gateway));
    (answer, written(gateway))
}

/// Stops a gateway that recorded one exchange and returns its folder.
fn written(gateway: Running) -> Arc<Folder> {
    let folder = Arc::clone(&gateway.folder);
    let report = gateway.finish();
    assert_eq!(report.recorded, 1, "{report:#?}");
    folder
}

#[test]
fn a_get_is_replayed_without_the_origin() {
    let (answer, folder) = both_ways(origin::simple(), |client| client.get("/hello"));
    assert_eq!((answer.status, answer.text()), (200, "good morning\n"));
    let exchange = &folder.exchanges("default")[0];
    assert_eq!(exchange["endpoint"], "api");
    assert_eq!(exchange["request"]["method"], "GET");
    assert_eq!(exchange["request"]["target"], "/hello");
    assert_eq!(exchange["response"]["status"], 200);
}

#[test]
fn a_post_is_matched_by_its_body() {
    let origin = origin::simple();
    let gateway = gateway::record(&origin).start();
    let client = client::http1(&gateway);
    for name in ["tea", "coffee"] {
        let body = format!("{{\"item\": \"{name}\"}}");
        client.post("/echo", "application/json", &body);
    }
    let folder = Arc::clone(&gateway.folder);
    assert_eq!(gateway.finish().recorded, 2);
    origin.stop();
    let gateway = gateway::replay(&folder).start();
    let client = client::http1(&gateway);
    // JSON is equal with another order of members and other white space, but not with another
    // value.
    let answer = client.post("/echo", "application/json", "{\"item\":\"coffee\"}");
    assert_eq!(answer.text(), "{\"item\": \"coffee\"}");
    let answer = client.post("/echo", "application/json", "{\"item\":\"cocoa\"}");
    assert_eq!((answer.status, answer.header("ouli-error")), (404, "miss"));
}

#[test]
fn the_recording_is_what_the_origin_saw() {
    let origin = origin::simple();
    let ask = |client: &Client| {
        let ask = client.ask("POST", "/echo?b=2&a=1&a=%20x");
        let ask = ask
            .header("x-one", "1")
            .header("x-two", "2")
            .header("x-one", "3");
        ask.header("content-type", "text/plain")
            .body("some text")
            .send()
    };
    let (_, folder) = record(&origin, ask);
    let (seen, exchange) = (&origin.seen()[0], &folder.exchanges("default")[0]);
    let request = &exchange["request"];
    assert_eq!(request["method"], seen.method.as_str());
    assert_eq!(request["target"], seen.target.as_str());
    assert_eq!(request["authority"], seen.authority.as_str());
    assert_eq!(
        request["body"]["text"],
        std::str::from_utf8(&seen.body).unwrap()
    );
    let recorded: Vec<_> = request["headers"].as_array().unwrap().iter().collect();
    let sent = seen.headers.iter().map(|(name, value)| {
        let value = value.to_str().unwrap();
        serde_json::json!([name.as_str(), value])
    });
    // Host and content-length are not recorded as fields: `authority` and the body imply them.
    let framing = |pair: &serde_json::Value| pair[0] == "host" || pair[0] == "content-length";
    let sent: Vec<_> = sent.filter(|pair| !framing(pair)).collect();
    assert_eq!(recorded, sent.iter().collect::<Vec<_>>());
}

#[test]
fn the_same_traffic_gives_the_same_bytes() {
    let record_all = || {
        let origin = origin::new()
            .route("/date", |_| {
                let time = format!("Thu, {}", crate::support::random());
                origin::text("now\n").header("date", &time)
            })
            .route("/echo", |seen| origin::bytes(seen.body.clone()))
            .start();
        let folder = Arc::new(Folder::new());
        // Only the port of the origin differs between the runs.
        let gateway = gateway::over(&folder, "record")
            .upstream(&origin.url())
            .start();
        let client = client::http1(&gateway);
        client.get("/date");
        client.post(
            "/echo",
            "application/json",
            "{\"password\": \"hunter2hunter2\"}",
        );
        client
            .ask("GET", "/date")
            .header("authorization", "Bearer abcdef123456789012")
            .send();
        gateway.stop();
        let text = folder.text("default");
        let port = format!("127.0.0.1:{}", origin.address.port());
        // The digests cover the port too.
        let lines = text.lines().filter(|line| !line.contains("\"digest\""));
        lines.collect::<Vec<_>>().join("\n").replace(&port, "HOST")
    };
    let (one, other) = (record_all(), record_all());
    assert_eq!(one.matches("\"exchange\"").count(), 3);
    assert_eq!(one, other);
}

#[test]
fn recording_twice_from_one_origin_gives_the_same_file() {
    let origin = origin::simple();
    let text = || {
        let (_, folder) = record(&origin, |client| client.get("/hello"));
        folder.text("default")
    };
    assert_eq!(text(), text());
}
