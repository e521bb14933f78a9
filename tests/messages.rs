//! Snapshots of messages for users: miss reports, configuration errors, verdicts and the gateway's
//! own responses. [`crate::support::snapshot`] describes how to accept a change.

use std::io::Write as _;
use std::sync::Arc;

use flate2::Compression;
use flate2::write::GzEncoder;
use http::Version;

use crate::support::binary::{Ended, Process, program};
use crate::support::client::{self, Answer, Ask, Client};
use crate::support::folder::Folder;
use crate::support::gateway::{self, Builder};
use crate::support::origin::{self, Gate};
use crate::support::plugins::{core_module, fixture};
use crate::support::snapshot::{assert_snapshot, normalized};
use crate::support::{until, websocket};

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";
/// An endpoint with the same name as in [`gateway::echoed`].
const ENDPOINT: &str = "[[endpoint]]\nname = \"api\"\nlisten = \"127.0.0.1:0\"\n";

/// Starts the program with this configuration and an endpoint.
fn start(folder: &Folder, config: &str, arguments: &[&str]) -> (Process, Client) {
    folder.write_config(&format!("{config}{ENDPOINT}"));
    let mut process = program(folder, arguments).start();
    let client = client::at(process.address(), Version::HTTP_11);
    (process, client)
}

/// A response of the gateway as text.
fn answer(answer: &Answer) -> String {
    let mut text = format!("{}\n", answer.status);
    for name in [
        "content-type",
        "ouli-error",
        "retry-after",
        "grpc-status",
        "grpc-message",
    ] {
        if answer.headers.contains_key(name) {
            text += &format!("{name}: {}\n", answer.header(name));
        }
    }
    format!("{text}\n{}", answer.text())
}

/// The output of a program, without the times in its log.
fn written(ended: &Ended, folder: &Folder) -> String {
    let time = regex::Regex::new(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z").unwrap();
    let text = format!(
        "exit code: {:?}\n\nstdout:\n{}\nstderr:\n{}",
        ended.status, ended.stdout, ended.stderr
    );
    normalized(&time.replace_all(&text, "TIME"), folder.path())
}

/// Records the requests of `record`, replays, and compares the report on the request of `miss`: the
/// problem document, and the log with the verdict.
fn assert_miss(name: &str, record: impl Fn(&Client), miss: impl Fn(&Client) -> Answer) {
    let folder = gateway::echoed(record);
    let (process, client) = start(&folder, "mode = \"replay\"\n", &[]);
    let report = normalized(&answer(&miss(&client)), folder.path());
    let log = written(&process.stop(), &folder);
    assert_snapshot(&format!("miss-{name}"), &format!("{report}\n{log}"));
}

#[test]
fn a_miss_names_the_parts_of_the_request_that_differ() {
    assert_miss(
        "query",
        |client| {
            client.get("/v1/items?page=1&size=10");
            client.get("/v1/items?page=9&size=9");
            client.get("/v1/other");
        },
        |client| client.get("/v1/items?page=2&size=10"),
    );
    assert_miss(
        "json-body",
        |client| drop(client.post("/v1/chat", JSON, r#"{"user": {"id": 1}, "n": [1, 2]}"#)),
        |client| client.post("/v1/chat", JSON, r#"{"user": {"id": 2}, "n": [1, 3, 4]}"#),
    );
    assert_miss(
        "form-body",
        |client| drop(client.post("/login", FORM, "user=ann&nonce=1")),
        |client| client.post("/login", FORM, "user=ann&nonce=2"),
    );
    assert_miss(
        "text-body",
        |client| drop(client.post("/text", "text/plain", "one")),
        |client| client.post("/text", "text/plain", "two"),
    );
    assert_miss(
        "method-and-path",
        |client| drop(client.get("/v1/users/1")),
        |client| client.ask("DELETE", "/v1/users/2").send(),
    );
    assert_miss("empty-session", |_| {}, |client| client.get("/hello"));
}

#[test]
fn a_miss_shows_no_secret() {
    assert_miss(
        "secret",
        |client| drop(client.get("/v1/items?access_token=recorded-1f2e3d4c")),
        |client| client.get("/v1/items?access_token=sent-9f8e7d6c&page=1"),
    );
}

#[test]
fn an_answer_that_was_replayed_as_often_as_recorded_is_a_miss() {
    let folder = gateway::echoed(|client| drop(client.get("/once")));
    let (process, client) = start(&folder, "on_exhausted = \"miss\"\n", &[]);
    assert_eq!(client.get("/once").status, 200);
    let report = normalized(&answer(&client.get("/once")), folder.path());
    let log = written(&process.stop(), &folder);
    assert_snapshot("miss-exhausted", &format!("{report}\n{log}"));
}

#[test]
fn a_call_of_grpc_that_misses_has_the_report_in_its_status() {
    let gateway = gateway::replay(&Arc::new(Folder::new())).start();
    let ask = client::http2(&gateway).ask("POST", "/test.Door/Open");
    let ask = ask.header("content-type", "application/grpc");
    let missed = ask.header("te", "trailers").body([0; 5]).send();
    assert_snapshot("miss-grpc", &answer(&missed));
}

#[test]
fn check_names_every_fault() {
    let folder = gateway::echoed(|client| drop(client.get("/hello")));
    folder.write_config(
        "mode = \"replai\"\non_exhausted = \"never\"\ncassetes = \"x\"\n\
         [[endpoint]]\nname = \"api\"\nlisten = \"nowhere\"\nupstream = \"ftp://x\"\n\
         tls = \"maybe\"\n\
         [matcher]\nignore_bdy = [\"/a\"]\n\
         [limits]\nsessions = 0\nidle_timeout = \"soon\"\nconections = 1\nmemory = \"1 TB\"\n",
    );
    let ended = program(&folder, &["check"]).run();
    assert_snapshot("check-configuration", &written(&ended, &folder));
    folder.write_config("mode = \"replay\"\nstrict = tru\n");
    let ended = program(&folder, &["check"]).run();
    assert_snapshot("check-syntax", &written(&ended, &folder));
}

#[test]
fn check_names_plugins_and_cassettes_that_cannot_be_used() {
    let folder = gateway::echoed(|client| drop(client.get("/hello")));
    folder.write_config("plugins = \"plugins\"\n");
    folder.put_plugin("garbage.wasm", b"garbage");
    folder.put_plugin("module.wasm", &core_module());
    folder.put_plugin("network.wasm", &fixture("greedy"));
    folder.put_plugin("prepare.wasm", &fixture("bad-prepare"));
    let text = folder.text("default");
    std::fs::write(folder.cassette("default"), &text[..text.len() - 40]).unwrap();
    let ended = program(&folder, &["check"]).run();
    assert_snapshot("check-files", &written(&ended, &folder));
}

/// An upstream with a path for each counter of a verdict.
fn eventful() -> origin::Origin {
    let pause = std::time::Duration::from_millis(50);
    let half = move |_: &origin::Seen| origin::parts().part("half").pause(pause).breaks();
    let token = r#"{"access_token": "tok-9f8e7d6c5b4a3f2e"}"#;
    origin::new()
        .route("/half", half)
        .route("/login", move |_| origin::json(token))
        .route("/error", |_| origin::status(500))
        .route("/*", |seen| origin::text(&seen.target))
        .start()
}

#[test]
fn a_verdict_counts_what_happened() {
    let origin = eventful();
    let folder = gateway::echoed(|client| {
        for path in ["/one", "/two", "/three"] {
            assert_eq!(client.get(path).status, 200);
        }
    });
    let text = folder.text("default").replace("/three", "/edited");
    std::fs::write(folder.cassette("default"), format!("{text}no exchange")).unwrap();
    let url = origin.url();
    let config =
        "mode = \"auto\"\n[policy]\nskip_paths = [\"/health\"]\n[verdict]\nfail_on = \"unused\"\n";
    let set = format!("endpoint.upstream={url}");
    let arguments = ["--strict", "--report", "report.json", "--set", &set];
    let (process, client) = start(&folder, config, &arguments);
    for path in ["/one", "/health", "/login", "/error"] {
        client.get(path);
    }
    // The writer logs when it writes first.
    until("the first write", || {
        process.stderr().contains("the torn end").then_some(())
    });
    assert!(client.ask("GET", "/half").try_send().is_err());
    let ended = process.stop();
    let report = std::fs::read_to_string(folder.path().join("report.json")).unwrap();
    let report = normalized(&report, folder.path());
    let log = written(&ended, &folder);
    assert_snapshot("verdict", &format!("{log}\nreport.json:\n{report}"));
}

/// Compares the response of a gateway to one request.
fn assert_error(name: &str, builder: &Builder, ask: impl FnOnce(&Client) -> Ask) {
    let gateway = builder.start();
    let refused = ask(&client::http1(&gateway)).send();
    assert!(
        !refused.header("ouli-error").is_empty(),
        "{name}: {refused:?}"
    );
    let text = normalized(&answer(&refused), gateway.folder.path());
    assert_snapshot(&format!("error-{name}"), &text);
}

fn empty() -> Builder {
    gateway::replay(&Arc::new(Folder::new()))
}

#[test]
fn unusable_requests_get_the_reason() {
    let get = |client: &Client| client.ask("GET", "/hello");
    assert_error("session", &empty(), |client| {
        get(client).header("ouli-session", &"x".repeat(1025))
    });
    assert_error("request-host", &empty(), |client| {
        get(client).header("host", "other")
    });
    let limited = empty().section("[limits]\ndecompressed_body = 100");
    assert_error("coding", &limited, |client| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(&[b'x'; 101]).unwrap();
        let ask = client.ask("POST", "/hello").header("content-type", JSON);
        let ask = ask.header("content-encoding", "gzip");
        ask.body(encoder.finish().unwrap())
    });
    assert_error("forbidden", &empty(), |client| {
        let ask = client.ask("GET", "/__ouli/plugins");
        ask.header("origin", "https://elsewhere.example")
    });
    assert_error("handshake", &empty(), |client| {
        let ask = get(client).header("connection", "upgrade");
        ask.header("upgrade", "websocket")
            .header("sec-websocket-version", "12")
    });
}

#[test]
fn limits_are_named_in_the_answer() {
    let limited = |limit: &str| empty().section(&format!("[limits]\n{limit}"));
    assert_error("limit-uri", &limited("uri_bytes = 64"), |client| {
        client.ask("GET", &format!("/{}", "x".repeat(64)))
    });
    assert_error("limit-body", &limited("request_body = 10"), |client| {
        client.ask("POST", "/").body("eleven char")
    });
    let gateway = limited("http2_header_count = 5").start();
    let ask = client::http2(&gateway).ask("GET", "/");
    let many = (0..10).fold(ask, |ask, number| ask.header(&format!("x-{number}"), "1"));
    assert_snapshot("error-limit-fields", &answer(&many.send()));
}

#[test]
fn overload_answers_name_the_limit() {
    let gate = Gate::new();
    let held = gate.clone();
    let handler = move |_: &origin::Seen| origin::parts().part("first").wait(&held);
    let origin = origin::new().route("/slow", handler).start();
    let limits = "[limits]\nmax_concurrent_requests = 1\nmax_pending_requests = 0\nsessions = 1";
    let gateway = gateway::record(&origin).section(limits).start();
    let client = client::http1(&gateway);
    let mut opened = client.ask("GET", "/slow").open();
    assert_eq!(opened.next().unwrap().unwrap(), "first");
    assert_snapshot("error-limit-requests", &answer(&client.get("/slow")));
    gate.open();
    assert_eq!(opened.count().unwrap(), 0);
    until("the request to end", || {
        let other = client
            .ask("GET", "/slow")
            .header("ouli-session", "other")
            .send();
        let full = other.text().contains("limits.sessions");
        full.then(|| assert_snapshot("error-limit-sessions", &answer(&other)))
    });
}

#[test]
fn faults_of_upstreams_plugins_and_cassettes_are_reported() {
    let get = |client: &Client| client.ask("GET", "/hello");
    let origin = origin::simple();
    let down = gateway::passthrough(&origin);
    origin.stop();
    assert_error("upstream-refused", &down, get);
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let late = gateway::over(&Arc::new(Folder::new()), "passthrough").upstream(&url);
    let late = late.section("[limits]\nresponse_header_timeout = \"200ms\"");
    assert_error("upstream-late", &late, get);
    let broken = origin::raw(b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n");
    let broken = gateway::over(&Arc::new(Folder::new()), "passthrough").upstream(&broken.url());
    assert_error("upstream-broken", &broken, get);
    let panics = empty()
        .plugin("own.wasm", &fixture("trapper"))
        .section("[[plugin]]\nfile = \"own.wasm\"\non_error = \"fail\"")
        .section("settings = { panic = [\"identify\"] }");
    assert_error("plugin", &panics, get);
    let folder = Arc::new(Folder::new());
    std::fs::create_dir_all(folder.cassette("damaged")).unwrap();
    assert_error("cassette", &gateway::replay(&folder), |client| {
        get(client).header("ouli-session", "damaged")
    });
}

#[test]
fn a_stream_above_the_limit_gets_its_name() {
    let origin = websocket::socket_origin();
    let gateway = gateway::over(&Arc::new(Folder::new()), "passthrough")
        .upstream(&origin.url())
        .section("[limits]\nstreams = 1")
        .start();
    let way = websocket::Way::Upgrade;
    let _open = websocket::Peer::open(gateway.address, &way, "/echo");
    let refused = client::http1(&gateway)
        .ask("GET", "/echo")
        .header("connection", "upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
        .send();
    assert_snapshot("error-limit-streams", &answer(&refused));
}
