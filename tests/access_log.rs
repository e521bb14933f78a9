//! The access log: one line for each exchange, with its outcome and without secrets.

use std::sync::Arc;
use std::time::Duration;

use http::Version;
use serde_json::Value;

use crate::support::binary::{Process, program};
use crate::support::client::{self, Client};
use crate::support::folder::Folder;
use crate::support::origin::{self, Gate, Origin};
use crate::support::websocket::{Peer, TEXT, Way, close, frame, socket_origin};
use crate::support::{random, until};

const ANY: &str = "127.0.0.1:0";

/// Enough time for the first chunk of a response to arrive.
const LONG_ENOUGH: Duration = Duration::from_millis(200);

/// A gateway in its own process that writes an access log as JSON.
struct Gateway {
    process: Process,
    client: Client,
}

impl Gateway {
    fn start(folder: &Folder, arguments: &[&str]) -> Self {
        Self::start_plain(
            folder,
            &[arguments, &["--access-log", "--log-format", "json"]].concat(),
        )
    }

    fn start_plain(folder: &Folder, arguments: &[&str]) -> Self {
        let arguments = [arguments, &["--listen", ANY]].concat();
        let mut process = program(folder, &arguments).env("RUST_LOG", "debug").start();
        let client = client::at(process.address(), Version::HTTP_11);
        Self { process, client }
    }

    /// The fields of each line of the access log so far.
    fn lines(&self) -> Vec<Value> {
        access_lines(&self.process.stderr())
    }

    /// The fields of the lines, as soon as there are `count`.
    fn wait_for_lines(&self, count: usize) -> Vec<Value> {
        until("the lines of the access log", || {
            let lines = self.lines();
            (lines.len() >= count).then_some(lines)
        })
    }

    /// Stops the gateway; returns the fields of each line and the whole stderr.
    fn stop(self) -> (Vec<Value>, String) {
        let stderr = self.process.stop().stderr;
        (access_lines(&stderr), stderr)
    }
}

/// The lines of the log that are JSON.
fn json_lines(stderr: &str) -> impl Iterator<Item = Value> {
    stderr
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
}

fn access_lines(stderr: &str) -> Vec<Value> {
    let lines = json_lines(stderr).filter(|line| line["fields"]["message"] == "access");
    lines.map(|line| line["fields"].clone()).collect()
}

fn origin() -> Origin {
    let held = Gate::new();
    origin::new()
        .route("/hello", |_| origin::text("good morning\n"))
        .route("/echo", |seen| origin::bytes(seen.body.clone()))
        .route("/slow", move |_| {
            origin::parts().part("first").wait(&held).part("last")
        })
        .route("/breaks", |_| {
            origin::parts().part("first").pause(LONG_ENOUGH).breaks()
        })
        .route("/call", |seen| {
            let reply = origin::parts().header("content-type", "application/grpc");
            reply.part(seen.body.clone()).trailer("grpc-status", "0")
        })
        .route("/*", |_| origin::text("any"))
        .start()
}

/// The outcome of a line with the kind of a failure and the status.
fn outcome(line: &Value) -> String {
    let words = ["outcome", "kind", "status"].map(|member| line[member].to_string());
    let words = words.iter().filter(|word| *word != "null");
    words
        .map(|word| word.trim_matches('"'))
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn a_json_line_has_every_field() {
    let (folder, origin) = (Folder::new(), origin());
    let gateway = Gateway::start(&folder, &["record", "--upstream", &origin.url()]);
    gateway.client.get("/hello?a=1&empty");
    let ask = gateway.client.ask("POST", "/echo").body("12345");
    ask.header("ouli-session", "other").send();
    client::at(gateway.client.address, Version::HTTP_2).get("/__ouli/session/third/hello");
    let (lines, stderr) = gateway.stop();
    assert_eq!(lines.len(), 3, "{stderr}");
    let line = &lines[0];
    let mut members: Vec<_> = line.as_object().unwrap().keys().collect();
    members.sort();
    let mut expected = [
        "id",
        "method",
        "target",
        "status",
        "mode",
        "outcome",
        "bytes_in",
        "bytes_out",
        "duration_ms",
        "session",
        "endpoint",
        "peer",
        "protocol",
        "message",
    ];
    expected.sort_unstable();
    assert_eq!(members, expected);
    for (member, expected) in [
        ("method", "GET"),
        ("target", "/hello?a=*&empty"),
        ("mode", "record"),
        ("outcome", "recorded"),
        ("session", "default"),
        ("endpoint", "default"),
        ("peer", "127.0.0.1"),
        ("protocol", "HTTP/1.1"),
    ] {
        assert_eq!(line[member], expected, "{member}: {line}");
    }
    assert_eq!(
        (&line["status"], &line["bytes_in"]),
        (&200.into(), &0.into())
    );
    assert_eq!(line["bytes_out"], 13);
    let duration = line["duration_ms"].as_f64().unwrap();
    assert!(duration > 0.0 && duration < 20_000.0, "{duration}");
    assert_eq!(
        (&lines[1]["bytes_in"], &lines[1]["bytes_out"]),
        (&5.into(), &5.into())
    );
    assert_eq!(lines[1]["session"], "other");
    assert_eq!(
        (&lines[2]["session"], &lines[2]["target"]),
        (&"third".into(), &"/hello".into())
    );
    assert_eq!(lines[2]["protocol"], "HTTP/2.0");
    let ids: std::collections::HashSet<_> = lines.iter().map(|line| line["id"].as_str()).collect();
    assert_eq!(ids.len(), 3, "request ids are unique");
}

#[test]
fn a_text_line_has_the_same_fields() {
    let (folder, origin) = (Folder::new(), origin());
    let arguments = ["record", "--access-log", "--upstream", &origin.url()];
    let gateway = Gateway::start_plain(&folder, &arguments);
    gateway.client.get("/hello?a=1");
    let stderr = gateway.process.stop().stderr;
    let lines: Vec<_> = stderr
        .lines()
        .filter(|line| line.contains(" access "))
        .collect();
    assert_eq!(lines.len(), 1, "{stderr}");
    for expected in [
        " INFO access id=1 method=GET target=\"/hello?a=*\" status=200 mode=record ",
        " outcome=recorded bytes_in=0 bytes_out=13 duration_ms=",
        " session=\"default\" endpoint=\"default\" peer=127.0.0.1 protocol=HTTP/1.1",
    ] {
        assert!(lines[0].contains(expected), "{expected}: {}", lines[0]);
    }
}

#[test]
fn the_log_is_off_unless_the_key_is_set() {
    let folder = Folder::new();
    let gateway = Gateway::start_plain(&folder, &["replay"]);
    gateway.client.get("/hello");
    let stderr = gateway.process.stop().stderr;
    assert!(!stderr.contains(" access "), "{stderr}");
    folder.write_config("access_log = true\n");
    let gateway = Gateway::start_plain(&folder, &["replay"]);
    gateway.client.get("/hello");
    let stderr = gateway.process.stop().stderr;
    assert_eq!(stderr.matches(" access ").count(), 1, "{stderr}");
}

#[test]
fn every_outcome_is_logged() {
    let (folder, origin) = (Folder::new(), origin());
    let url = origin.url();
    let record = Gateway::start(&folder, &["record", "--upstream", &url]);
    record.client.get("/hello");
    let (lines, _) = record.stop();
    assert_eq!(outcome(&lines[0]), "recorded 200");

    let passthrough = Gateway::start(&folder, &["passthrough", "--upstream", &url]);
    passthrough.client.get("/hello");
    passthrough
        .client
        .ask("GET", "/breaks")
        .try_send()
        .unwrap_err();
    passthrough
        .client
        .ask("GET", "/hello")
        .header("ouli-session", "a\tb")
        .send();
    drop(passthrough.client.ask("GET", "/slow").open());
    passthrough.wait_for_lines(4);
    passthrough.client.get("/__ouli/plugins");
    let (lines, _) = passthrough.stop();
    let outcomes: Vec<_> = lines.iter().map(outcome).collect();
    let expected = [
        "passed 200",
        "failed upstream 200",
        "failed session 400",
        "failed client 200",
        "admin 200",
    ];
    assert_eq!(outcomes, expected);
    assert_eq!(lines[2]["session"], Value::Null, "it is not known");
    assert_eq!(lines[3]["bytes_out"], 5);

    origin.stop();
    let dead = Gateway::start(&Folder::new(), &["record", "--upstream", &url]);
    assert_eq!(dead.client.get("/hello").status, 502);
    let (lines, _) = dead.stop();
    assert_eq!(outcome(&lines[0]), "failed upstream 502");

    let replay = Gateway::start(&folder, &["replay"]);
    replay.client.get("/hello");
    assert_eq!(replay.client.get("/other").status, 404);
    let (lines, _) = replay.stop();
    assert_eq!(outcome(&lines[0]), "hit 200");
    assert_eq!(lines[0]["bytes_out"], 13);
    assert_eq!(outcome(&lines[1]), "miss 404");
}

#[test]
fn errors_carry_the_span_of_their_request() {
    let folder = Folder::new();
    let gateway = Gateway::start(&folder, &["replay"]);
    gateway.client.get("/none?token=abcdefghijkl");
    let (lines, stderr) = gateway.stop();
    let is_miss = |line: &Value| line["fields"]["message"].to_string().starts_with("\"miss");
    let miss = json_lines(&stderr).find(is_miss).unwrap();
    let span = &miss["span"];
    assert_eq!(span["name"], "request", "{miss}");
    assert_eq!(span["id"], lines[0]["id"]);
    for (member, expected) in [
        ("method", "GET"),
        ("mode", "replay"),
        ("session", "default"),
        ("target", "/none?token=*"),
    ] {
        assert_eq!(span[member], expected, "{miss}");
    }
}

#[test]
fn no_secret_of_a_target_is_shown() {
    let origin = origin();
    let folder = Folder::new();
    let modes = ["record", "auto", "passthrough", "replay"];
    for mode in modes {
        let (query, header, password) = (random(), random(), random());
        let key = format!("sk-ant-{}", random());
        let url = origin.url();
        let upstream = ["--upstream", &url];
        let upstream = if mode == "replay" { &[][..] } else { &upstream };
        let gateway = Gateway::start(&folder, &[&[mode], upstream].concat());
        let target = format!("/v1/{key}/{header}?access_token={query}&password={password}&n=1");
        let ask = gateway.client.ask("GET", &target);
        ask.header("authorization", &format!("Bearer {header}"))
            .send();
        // This request is rejected before a session is selected.
        let ask = gateway
            .client
            .ask("GET", &target)
            .header("ouli-session", "a\tb");
        ask.header("authorization", &format!("Bearer {header}"))
            .send();
        let (lines, stderr) = gateway.stop();
        assert_eq!(lines.len(), 2, "{stderr}");
        for secret in [&query, &header, &password, &key] {
            assert!(!stderr.contains(secret.as_str()), "{mode}:\n{stderr}");
        }
        let masked = "/v1/*/*?access_token=*&password=*&n=*";
        assert_eq!(lines[0]["target"], masked, "{mode}");
        assert_eq!(lines[1]["target"], masked, "{mode}");
    }
}

#[test]
fn a_secret_of_the_body_is_not_shown_in_a_target() {
    let folder = Folder::new();
    for mode in ["record", "auto", "passthrough"] {
        let gateway = Gateway::start(&folder, &[mode, "--upstream", "http://127.0.0.1:1"]);
        let secret = format!("Pass{}", random());
        let body = format!("{{\"password\": \"{secret}\"}}");
        let ask = gateway.client.ask("POST", &format!("/close/{secret}"));
        ask.header("content-type", "application/json")
            .body(body)
            .send();
        let (lines, _) = gateway.stop();
        assert_eq!(lines[0]["target"], "/close/*", "{mode}");
    }
}

#[test]
fn the_line_of_a_websocket_is_written_at_its_end() {
    let origin = socket_origin();
    let folder = Arc::new(Folder::new());
    for (arguments, expected) in [
        (&["record", "--upstream", &origin.url()][..], "recorded 101"),
        (&["replay"], "hit 101"),
    ] {
        let gateway = Gateway::start(&folder, arguments);
        let mut peer = Peer::open(
            gateway.client.address,
            &Way::Upgrade,
            "/echo?token=abcdefghijkl",
        );
        assert_eq!(peer.asks(frame(TEXT, "hello")).text(), "hello");
        assert_eq!(gateway.lines(), [Value::Null; 0], "it is open");
        peer.asks(close(1000, ""));
        drop(peer);
        gateway.wait_for_lines(1);
        let (lines, stderr) = gateway.stop();
        assert_eq!(lines.len(), 1, "{stderr}");
        let line = &lines[0];
        assert_eq!(outcome(line), expected);
        // Two frames: heads of 2 bytes, payloads of 5 and 2, masks of 4 from the client.
        assert_eq!(
            (&line["bytes_in"], &line["bytes_out"]),
            (&19.into(), &11.into()),
            "{line}"
        );
        assert_eq!(line["target"], "/echo?token=*");
    }
}

#[test]
fn a_websocket_that_leaves_its_recording_is_a_miss() {
    let origin = socket_origin();
    let folder = Folder::new();
    let gateway = Gateway::start(&folder, &["record", "--upstream", &origin.url()]);
    let mut peer = Peer::open(gateway.client.address, &Way::Upgrade, "/echo");
    peer.asks(frame(TEXT, "hello"));
    drop(peer);
    gateway.wait_for_lines(1);
    gateway.stop();
    let gateway = Gateway::start(&folder, &["replay"]);
    let mut peer = Peer::open(gateway.client.address, &Way::Upgrade, "/echo");
    assert_eq!(peer.asks(frame(TEXT, "other")).code(), Some(1008));
    drop(peer);
    let line = &gateway.wait_for_lines(1)[0];
    assert_eq!(outcome(line), "miss 101");
}

#[test]
fn the_line_of_a_call_has_its_outcome() {
    let (folder, origin) = (Folder::new(), origin());
    let message = b"\0\0\0\0\x03abc";
    for (arguments, message, expected) in [
        (
            &["record", "--upstream", &origin.url()][..],
            message,
            "recorded 200",
        ),
        (&["replay"], message, "hit 200"),
        (&["replay"], b"\0\0\0\0\x03xyz", "miss 200"),
    ] {
        let gateway = Gateway::start(&folder, arguments);
        let client = client::at(gateway.client.address, Version::HTTP_2);
        let ask = client
            .ask("POST", "/call")
            .header("content-type", "application/grpc");
        ask.header("te", "trailers").body(message).send();
        let (lines, stderr) = gateway.stop();
        assert_eq!(lines.len(), 1, "{stderr}");
        assert_eq!(outcome(&lines[0]), expected);
        assert_eq!(lines[0]["bytes_in"], 8);
    }
}
