//! Failed exchanges, recorded and replayed as failures.

use std::sync::Arc;

use ouli_config::Defect;
use serde_json::Value;

use super::body::{CHUNKED, SIZED};
use super::peers::{Do, End, Origin, after_head, ask, origin, origins};
use crate::support::binary::program;
use crate::support::folder::Folder;
use crate::support::gateway::{self, Builder, Running};
use crate::support::{PATIENCE, client, until};

/// A short limit, for upstreams that do not respond in time.
pub(super) const LATE: &str = "[limits]\nresponse_header_timeout = \"300ms\"";

pub(super) fn over(origin: &Origin, mode: &'static str) -> Builder {
    let builder = gateway::over(&Arc::new(Folder::new()), mode).upstream(&origin.url());
    builder.set("record_failures = true")
}

/// Stops a gateway that has recorded a failure; returns its folder and the failed exchange.
pub(super) fn recorded(gateway: Running) -> (Arc<Folder>, Value) {
    until("the recording", || {
        (gateway.session("default").recorded_failures == 1).then_some(())
    });
    let folder = Arc::clone(&gateway.folder);
    let report = gateway.finish();
    assert!(report.passed, "{report:?}");
    assert_eq!((report.recorded, report.recorded_failures), (0, 1));
    assert!(report.counted(Defect::Partial).is_empty(), "{report:?}");
    let mut exchanges = folder.exchanges("default");
    assert_eq!(exchanges.len(), 1);
    (folder, exchanges.remove(0))
}

pub(super) fn failure(exchange: &Value) -> String {
    let member = |name| exchange["failure"][name].as_str().unwrap();
    format!("{} {}", member("phase"), member("what"))
}

#[test]
fn a_truncated_body_is_replayed_truncated() {
    let cases: [(&[Do], &str, End); 4] = [
        (&[Do::Read, Do::Send(SIZED)], "body closed", End::Closed),
        (&[Do::Read, Do::Send(CHUNKED)], "body closed", End::Closed),
        (
            &[
                Do::Read,
                Do::Send(CHUNKED),
                Do::Send(b"no size\r\n"),
                Do::Stall,
            ],
            "body malformed",
            End::Closed,
        ),
        (
            &[Do::Read, Do::Send(SIZED), Do::HalfClose],
            "body closed",
            End::Closed,
        ),
    ];
    for (steps, expected, end) in cases {
        let steps: &'static [Do] = Box::leak(steps.into());
        let origin = origin(steps);
        for mode in ["record", "auto"] {
            let gateway = over(&origin, mode).start();
            let (live, live_end) = ask(gateway.address, "/", PATIENCE);
            assert_eq!(live_end, End::Closed);
            let (folder, exchange) = recorded(gateway);
            assert_eq!(failure(&exchange), expected);
            assert_eq!(exchange["response"]["body"]["text"], "half.");
            let replay = gateway::replay_repeating(&folder)
                .set("strict = true")
                .start();
            for _ in 0..2 {
                assert_eq!(
                    ask(replay.address, "/", PATIENCE),
                    (live.clone(), end),
                    "{expected}"
                );
            }
            let broken = client::http2(&replay).ask("GET", "/").try_send();
            assert!(broken.is_err(), "{broken:?}");
            let report = replay.finish();
            assert!(report.passed && report.hits == 3, "{report:?}");
        }
    }
}

#[test]
fn a_reset_is_replayed_after_all_bytes_before_it() {
    // More bytes than the socket buffers hold.
    const MEGABYTES: usize = 8 << 20;
    let origin = crate::support::origin::new()
        .route("/", |_| {
            crate::support::origin::bytes("x".repeat(MEGABYTES))
        })
        .start();
    let gateway = gateway::record(&origin)
        .section("[limits]\ninline_body = \"16MiB\"")
        .start();
    assert_eq!(client::http1(&gateway).get("/").body.len(), MEGABYTES);
    let folder = Arc::clone(&gateway.folder);
    gateway.stop();
    edit(&folder, r#""failure": {"phase": "body", "what": "reset"}"#);
    let replay = gateway::replay_repeating(&folder).start();
    let (answer, end) = ask(replay.address, "/", PATIENCE);
    assert_eq!((after_head(&answer).len(), end), (MEGABYTES, End::Reset));
    assert!(answer.contains(&format!("content-length: {}\r\n", MEGABYTES + 1)));
    let mut opened = client::http2(&replay).ask("GET", "/").open();
    let mut came = 0;
    let broken = loop {
        match opened.next() {
            Some(Ok(part)) => came += part.len(),
            Some(Err(error)) => break error,
            None => panic!("the response is complete"),
        }
    };
    assert_eq!(came, MEGABYTES, "{broken}");
    assert_eq!(replay.finish().edited, [1]);
    let refused = gateway::replay_repeating(&folder)
        .set("strict = true")
        .start();
    assert_eq!(
        client::http1(&refused).get("/").header("ouli-error"),
        "cassette"
    );
}

/// Adds a member to the first exchange of a cassette.
fn edit(folder: &Folder, member: &str) {
    let text = folder.text("default");
    let edited = text.replacen("  \"digest\"", &format!("  {member},\n  \"digest\""), 1);
    assert_ne!(text, edited);
    std::fs::write(folder.cassette("default"), edited).unwrap();
}

#[test]
fn a_reset_within_a_body_is_recorded() {
    for start in [SIZED, CHUNKED] {
        let steps: &'static [Do] = match start {
            SIZED => &[Do::Read, Do::Send(SIZED), Do::Reset],
            _ => &[Do::Read, Do::Send(CHUNKED), Do::Reset],
        };
        let origin = origin(steps);
        let gateway = over(&origin, "record").start();
        ask(gateway.address, "/", PATIENCE);
        let (folder, exchange) = recorded(gateway);
        assert_eq!(failure(&exchange), "body reset");
        let part = exchange["response"]["body"]["text"]
            .as_str()
            .unwrap_or_default();
        assert!("half.".starts_with(part));
        let replay = gateway::replay_repeating(&folder).start();
        let (answer, end) = ask(replay.address, "/", PATIENCE);
        assert_eq!(end, End::Reset);
        assert!(
            answer.starts_with("HTTP/1.1 200") && answer.contains(part),
            "{answer}"
        );
    }
}

#[test]
fn a_failure_before_the_response_head_is_replayed() {
    let cases: [(&'static [Do], &str, u16); 4] = [
        (&[Do::Read, Do::Reset], "head reset", 502),
        (&[Do::Read], "head closed", 502),
        (
            &[Do::Read, Do::Send(b"nonsense\r\n\r\n"), Do::Stall],
            "head malformed",
            502,
        ),
        (&[Do::Read, Do::Stall], "head timeout", 504),
    ];
    for (steps, expected, status) in cases {
        let limits = if status == 504 { LATE } else { "" };
        let origin = origin(steps);
        let gateway = over(&origin, "record").section(limits).start();
        let live = client::http1(&gateway).get("/a");
        let (folder, exchange) = recorded(gateway);
        assert_eq!(
            (live.status, live.header("ouli-error")),
            (status, "upstream")
        );
        assert_eq!(failure(&exchange), expected);
        assert!(exchange.get("response").is_none());
        let replay = gateway::replay_repeating(&folder)
            .set("strict = true")
            .start();
        for client in [client::http1(&replay), client::http2(&replay)] {
            let again = client.get("/a");
            assert_eq!(
                (again.status, again.header("ouli-error")),
                (status, "upstream")
            );
            assert!(again.text().contains(expected), "{}", again.text());
            let other = client.get("/b");
            assert_eq!(other.header("ouli-error"), "miss");
        }
        assert_eq!(replay.finish().hits, 2);
    }
}

#[test]
fn a_request_is_recorded_in_full_when_the_upstream_read_part_of_it() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let refused = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    let early = origin(&[Do::Read, Do::Reset]);
    let body = "0123456789".repeat(300_000);
    for url in [refused, early.url()] {
        for chunked in [false, true] {
            let gateway = gateway::over(&Arc::new(Folder::new()), "record").upstream(&url);
            let gateway = gateway.set("record_failures = true").start();
            let send = |gateway: &Running, body: &str| {
                let ask = client::http1(gateway).ask("POST", "/up");
                let ask = ask.header("content-type", "text/plain");
                match chunked {
                    false => ask.body(body),
                    true => {
                        let frame = bytes::Bytes::copy_from_slice(body.as_bytes());
                        ask.frames(vec![hyper::body::Frame::data(frame)])
                    }
                }
                .send()
            };
            assert_eq!(send(&gateway, &body).status, 502);
            let (folder, exchange) = recorded(gateway);
            assert_eq!(exchange["request"]["body"]["size"], body.len());
            let replay = gateway::replay_repeating(&folder).start();
            assert_eq!(send(&replay, &body).status, 502);
            assert_eq!(send(&replay, &body[1..]).header("ouli-error"), "miss");
        }
    }
}

#[test]
fn failures_keep_their_order_among_successes() {
    const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    let scripts = || {
        let fails: &'static [Do] = &[Do::Read];
        origins(vec![fails, fails, &[Do::Read, Do::Send(OK)]])
    };
    // A client that retries in auto mode reaches the upstream again: failures of the current run
    // are not replayed.
    let origin = scripts();
    let gateway = over(&origin, "auto").start();
    let statuses = |gateway: &Running, count: usize| -> Vec<u16> {
        let client = client::http1(gateway);
        (0..count).map(|_| client.get("/").status).collect()
    };
    assert_eq!(statuses(&gateway, 3), [502, 502, 200]);
    assert_eq!(origin.heads().len(), 3);
    let folder = Arc::clone(&gateway.folder);
    let report = gateway.finish();
    assert_eq!(
        (report.recorded, report.recorded_failures, report.hits),
        (1, 2, 0)
    );
    let replay = gateway::replay_repeating(&folder).start();
    assert_eq!(statuses(&replay, 4), [502, 502, 200, 200]);
    replay.stop();
    // The next auto run replays the recorded exchanges in their order, and asks again then.
    let again = gateway::over(&folder, "auto")
        .upstream(&origin.url())
        .start();
    assert_eq!(statuses(&again, 4), [502, 502, 200, 200]);
    assert_eq!(origin.heads().len(), 4);
    // If only a failure is recorded, replay repeats it.
    let gateway = over(&scripts(), "record").start();
    client::http1(&gateway).get("/");
    let (folder, _) = recorded(gateway);
    assert_eq!(
        statuses(&gateway::replay_repeating(&folder).start(), 3),
        [502, 502, 502]
    );
}

#[test]
fn record_failures_is_set_per_endpoint_and_off_by_default() {
    let origin = origin(&[Do::Read]);
    let failures = |top: &str, endpoint: &str| {
        let gateway = gateway::over(&Arc::new(Folder::new()), "record").upstream(&origin.url());
        let gateway = gateway.set(top).endpoint(endpoint).start();
        client::http1(&gateway).get("/");
        gateway.finish().recorded_failures
    };
    assert_eq!(failures("", ""), 0);
    assert_eq!(failures("record_failures = true", ""), 1);
    assert_eq!(failures("", "record_failures = true"), 1);
    assert_eq!(
        failures("record_failures = true", "record_failures = false"),
        0
    );
}

#[test]
fn failures_are_listed_and_shown() {
    let gateway = over(&origin(&[Do::Read, Do::Send(SIZED)]), "record").start();
    ask(gateway.address, "/half", PATIENCE);
    let (folder, _) = recorded(gateway);
    folder.write_config("cassettes = \"cassettes\"\n");
    let run = |arguments: &[&str]| program(&folder, arguments).run().stdout;
    let listed = run(&["cassette", "list"]);
    assert!(
        listed.starts_with("default  1 exchanges (1 failed), "),
        "{listed}"
    );
    let shown = run(&["cassette", "show", "default"]);
    assert!(
        shown.contains("GET /half  200  failed: body closed  0 B -> 5 B"),
        "{shown}"
    );
    let gateway = over(&origin(&[Do::Read]), "record").start();
    ask(gateway.address, "/none", PATIENCE);
    let (folder, _) = recorded(gateway);
    folder.write_config("cassettes = \"cassettes\"\n");
    let shown = program(&folder, &["cassette", "show", "default"])
        .run()
        .stdout;
    assert!(
        shown.contains("GET /none  failed: head closed  0 B -> 0 B"),
        "{shown}"
    );
}
