//! Repeated requests: polling, paging, retries, logins, and what happens after the last recorded
//! response.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use crate::support::binary::program;
use crate::support::client::{self, Client};
use crate::support::folder::Folder;
use crate::support::gateway::{self, Running};
use crate::support::origin::{self, Origin, Reply, Seen};

/// An origin with a state that each request changes.
fn origin() -> Origin {
    let (polls, tries, value) = (
        AtomicUsize::new(0),
        AtomicUsize::new(0),
        AtomicUsize::new(1),
    );
    let answer = move |seen: &Seen| -> Reply {
        match (seen.method.as_str(), &*seen.target) {
            (_, "/status") => match polls.fetch_add(1, Ordering::SeqCst) % 3 {
                2 => origin::text("done"),
                _ => origin::text("pending"),
            },
            (_, "/busy") => match tries.fetch_add(1, Ordering::SeqCst) % 3 {
                0 => origin::status(429).header("retry-after", "1"),
                1 => origin::status(503),
                _ => origin::text("at last"),
            },
            ("POST", "/login") => match &*seen.body {
                b"user=a&pin=1234" => origin::text("token"),
                _ => origin::status(401),
            },
            ("PUT", "/value") => {
                value.fetch_add(1, Ordering::SeqCst);
                origin::status(204)
            }
            (_, "/value") => origin::text(&value.load(Ordering::SeqCst).to_string()),
            (_, target) => origin::text(target),
        }
    };
    origin::new().route("/*", answer).start()
}

const FORM: &str = "application/x-www-form-urlencoded";

/// Method, target and body of each request of a program, and its answers.
const PROGRAM: [(&str, &str, &str, u16, &str); 15] = [
    ("GET", "/status", "", 200, "pending"),
    ("GET", "/status", "", 200, "pending"),
    ("GET", "/status", "", 200, "done"),
    ("GET", "/items?page=1", "", 200, "/items?page=1"),
    ("GET", "/items?page=2", "", 200, "/items?page=2"),
    ("GET", "/busy", "", 429, ""),
    ("GET", "/busy", "", 503, ""),
    ("GET", "/busy", "", 200, "at last"),
    ("POST", "/login", "user=a&pin=0000", 401, ""),
    ("POST", "/login", "user=a&pin=1234", 200, "token"),
    ("GET", "/value", "", 200, "1"),
    ("PUT", "/value", "x", 204, ""),
    ("GET", "/value", "", 200, "2"),
    ("POST", "/items", "a=1", 200, "/items"),
    ("POST", "/items", "a=1", 200, "/items"),
];

fn run(gateway: &Running) {
    let client = client::http1(gateway);
    for (method, target, body, status, text) in PROGRAM {
        let ask = client.ask(method, target);
        let ask = match body {
            "" => ask,
            _ => ask.header("content-type", FORM).body(body),
        };
        let answer = ask.send();
        assert_eq!(
            (answer.status, answer.text()),
            (status, text),
            "{method} {target} {body}"
        );
    }
}

#[test]
fn a_program_gets_its_answers_in_every_mode() {
    for first in ["record", "auto"] {
        let (origin, folder) = (origin(), Arc::new(Folder::new()));
        let over = |mode| gateway::over(&folder, mode).upstream(&origin.url());
        let gateway = over(first).start();
        run(&gateway);
        let report = gateway.finish();
        assert!(report.passed && report.recorded == 15, "{report:?}");
        assert_eq!(origin.seen().len(), 15, "each request is sent");
        for mode in ["auto", "replay"] {
            let gateway = match mode {
                "auto" => over(mode).start(),
                _ => gateway::replay(&folder).start(),
            };
            run(&gateway);
            let report = gateway.finish();
            assert_eq!((report.hits, report.repeated), (15, 0), "{mode}");
            assert!(report.passed && report.unused.is_empty(), "{report:?}");
        }
        assert_eq!(origin.seen().len(), 15, "nothing is sent again");
    }
}

/// A cassette of these requests.
fn recorded(targets: &[&str]) -> (Origin, Arc<Folder>) {
    let (origin, folder) = (origin(), Arc::new(Folder::new()));
    let gateway = gateway::over(&folder, "record")
        .upstream(&origin.url())
        .start();
    answers(&client::http1(&gateway), targets);
    gateway.stop();
    (origin, folder)
}

fn answers(client: &Client, targets: &[&str]) -> Vec<(u16, String)> {
    let answer = |target: &&str| {
        let answer = client.get(target);
        let text = if answer.status == 200 {
            answer.text()
        } else {
            ""
        };
        (answer.status, text.to_owned())
    };
    targets.iter().map(answer).collect()
}

#[test]
fn after_the_last_response_the_setting_decides() {
    let polls = ["/status"; 4];
    let busy = ["/busy"; 2];
    let recorded_targets = ["/status", "/status", "/status", "/busy"];
    let done = (200, "done".to_owned());
    let miss = (404, String::new());
    let busy_again = (429, String::new());
    for (setting, after_done, after_busy, repeated) in [
        ("", &done, &miss, 1),
        ("on_exhausted = \"repeat\"", &done, &busy_again, 2),
        ("on_exhausted = \"miss\"", &miss, &miss, 0),
        ("on_exhausted = \"ask\"", &miss, &miss, 0),
    ] {
        let (_origin, folder) = recorded(&recorded_targets);
        // It is set for this endpoint, and decides over the top level.
        let gateway = gateway::replay(&folder)
            .set("on_exhausted = \"miss\"")
            .endpoint(setting)
            .start();
        let gateway = match setting {
            "" => {
                drop(gateway);
                gateway::replay(&folder).start()
            }
            _ => gateway,
        };
        let client = client::http1(&gateway);
        assert_eq!(&answers(&client, &polls)[3], after_done, "{setting}");
        assert_eq!(&answers(&client, &busy)[1], after_busy, "{setting}");
        let report = gateway.finish();
        assert_eq!(report.repeated, repeated, "{setting}");
        assert_eq!(report.hits, 4 + repeated, "{setting}");
    }
}

#[test]
fn in_auto_the_upstream_is_asked_after_the_last_response() {
    let (origin, folder) = recorded(&["/status"; 3]);
    let auto = |setting: &str| {
        let over = gateway::over(&folder, "auto").upstream(&origin.url());
        over.endpoint(setting).start()
    };
    let gateway = auto("on_exhausted = \"repeat\"");
    let polls = answers(&client::http1(&gateway), &["/status"; 5]);
    assert_eq!(polls[4].1, "done");
    assert_eq!((gateway.finish().repeated, origin.seen().len()), (2, 3));
    let gateway = auto("");
    let polls = answers(&client::http1(&gateway), &["/status"; 5]);
    let texts: Vec<_> = polls.iter().map(|(_, text)| text.as_str()).collect();
    assert_eq!(texts, ["pending", "pending", "done", "pending", "pending"]);
    let report = gateway.finish();
    assert_eq!((report.hits, report.recorded, report.repeated), (3, 2, 0));
    assert_eq!(folder.exchanges("default").len(), 5);
}

#[test]
fn repeated_responses_are_counted_apart_and_can_fail_the_verdict() {
    let (_origin, folder) = recorded(&["/status"; 3]);
    for (arguments, status) in [(&[][..], 0), (&["--fail-on", "repeat,-miss"][..], 1)] {
        let base = [
            "replay",
            "--listen",
            "127.0.0.1:0",
            "--report",
            "out.json",
            "--access-log",
        ];
        let mut process = program(&folder, &[&base, arguments].concat()).start();
        let client = client::at(process.address(), http::Version::HTTP_11);
        answers(&client, &["/status"; 5]);
        let ended = process.stop();
        assert_eq!(ended.status, Some(status), "{}", ended.stderr);
        let label = if status == 0 {
            "repeated: 2 ("
        } else {
            "REPEATED: 2 ("
        };
        assert!(ended.stderr.contains(label), "{}", ended.stderr);
        assert!(ended.stderr.contains("[repeat]"), "{}", ended.stderr);
        let logged = ended.stderr.matches("outcome=repeated").count();
        assert_eq!(logged, 2, "{}", ended.stderr);
        let report = std::fs::read_to_string(folder.path().join("out.json")).unwrap();
        let report: Value = serde_json::from_str(&report).unwrap();
        let session = &report["sessions"][0];
        assert_eq!(
            (&session["hits"], &session["repeated"]),
            (&5.into(), &2.into())
        );
        assert_eq!(session["passed"], status == 0);
    }
}

#[test]
fn hits_without_an_equal_key_are_counted_by_kind() {
    let (_origin, folder) = recorded(&["/whole", "/whole"]);
    let gateway = gateway::replay(&folder).start();
    let client = client::http1(&gateway);
    assert_eq!(client.ask("HEAD", "/whole").send().status, 200);
    assert_eq!(client.get("/whole").status, 200);
    let report = gateway.finish();
    assert_eq!(report.hits, 2);
    assert_eq!(report.inexact.get("whole-resource"), Some(&1), "{report:?}");
    assert_eq!(report.inexact.len(), 1, "{report:?}");
}
