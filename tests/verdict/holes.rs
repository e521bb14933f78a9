//! Ways to a hole in a recording that look harmless, and endings that are none.

use std::net::SocketAddr;

use super::{Trial, at, get};
use crate::support::binary::program;
use crate::support::client;
use crate::support::folder::Folder;
use crate::support::origin::{self, Gate};

/// An origin whose response to `/held` waits for the gate.
fn held() -> (Gate, origin::Origin) {
    let gate = Gate::new();
    let held = gate.clone();
    let slow = move |_: &origin::Seen| origin::parts().part("first").wait(&held).part("last");
    let origin = origin::new()
        .route("/held", slow)
        .route("/*", |_| origin::text("hello"))
        .start();
    (gate, origin)
}

#[test]
fn a_stop_within_an_exchange() {
    let (gate, origin) = held();
    let config = "[limits]\nshutdown_timeout = \"200ms\"";
    for (mode, status) in [("record", 1), ("auto", 1), ("passthrough", 0)] {
        let folder = Folder::new();
        folder.write_config(config);
        let url = origin.url();
        let arguments = [
            mode,
            "--strict",
            "--upstream",
            &url,
            "--listen",
            "127.0.0.1:0",
        ];
        let mut process = program(&folder, &arguments).start();
        let mut opened = at(process.address()).ask("GET", "/held").open();
        assert_eq!(opened.next().unwrap().unwrap(), "first");
        let ended = process.stop();
        assert_eq!(ended.status, Some(status), "{mode}: {}", ended.stderr);
        let told = ended.stderr.contains("[partial]");
        assert_eq!(told, status == 1, "{mode}: {}", ended.stderr);
    }
    gate.open();
}

#[test]
fn an_upload_that_breaks_off() {
    let origin = origin::simple();
    let act = |address| {
        get(address);
        let head = "POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nhalf";
        drop(client::raw(address, head));
        // The gateway has seen the end of the connection before it answers a later one.
        get(address);
    };
    let config = "[limits]\nhalf_close_timeout = \"1ms\"";
    for mode in ["record", "auto"] {
        let given = Trial::new(mode, &origin.url(), &act)
            .config(config)
            .run(&["--strict"]);
        assert_eq!(given.status, Some(1), "{mode}: {given:#?}");
    }
}

#[test]
fn two_gateways_with_one_cassette() {
    let origin = origin::simple();
    let folder = Folder::new();
    let url = origin.url();
    let arguments = [
        "record",
        "--strict",
        "--upstream",
        &url,
        "--listen",
        "127.0.0.1:0",
    ];
    let start = || program(&folder, &arguments).start();
    let (mut first, mut second) = (start(), start());
    get(first.address());
    get(second.address());
    // The one that has the lock is asked to stop last.
    let both = [second.stop(), first.stop()];
    let failed: Vec<_> = both
        .iter()
        .filter(|ended| ended.status == Some(1))
        .collect();
    assert_eq!(failed.len(), 1, "{both:#?}");
    assert!(failed[0].stderr.contains("[not-written]"), "{both:#?}");
}

#[test]
fn connections_over_the_limit() {
    let origin = origin::simple();
    let act = |address: SocketAddr| {
        let mut first = client::raw(address, "GET /hello HTTP/1.1\r\nhost: x\r\n\r\n");
        assert!(first.head().contains(" 200 "));
        let mut second = client::raw(address, "GET /hello HTTP/1.1\r\nhost: x\r\n\r\n");
        assert!(second.head().contains(" 503 "));
    };
    let config = "[limits]\nconnections = 1\naccept_queue_timeout = \"1ms\"";
    for mode in ["record", "auto"] {
        let trial = Trial::new(mode, &origin.url(), &act).config(config);
        trial.fails_with("refused-request", "limits.connections");
    }
}

#[test]
fn http2_that_is_not_valid() {
    let origin = origin::simple();
    let act = |address| {
        get(address);
        // The frame of a stream that does not exist.
        let mut raw = client::raw(address, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        raw.write([0, 0, 0, 4, 0, 0, 0, 0, 0]);
        raw.write([0, 0, 4, 0, 0, 0, 0, 0, 9, 1, 2, 3, 4]);
        raw.rest();
    };
    for mode in ["record", "auto"] {
        let trial = Trial::new(mode, &origin.url(), &act);
        trial.fails_with("refused-request", "");
    }
}

#[test]
fn a_cassette_that_cannot_be_read() {
    let folder = |folder: &Folder| std::fs::create_dir_all(folder.cassette("other")).unwrap();
    let act = |address| {
        at(address)
            .ask("GET", "/")
            .header("ouli-session", "other")
            .send();
    };
    let given = Trial::new("replay", "", &act)
        .prepare(&folder)
        .run(&["--strict"]);
    assert_eq!(given.status, Some(1), "{given:#?}");
    assert_eq!(given.kinds(), ["miss", "damage"], "{given:#?}");
}

#[test]
fn a_body_that_is_gone() {
    let origin = origin::new()
        .route("/*", |_| origin::text(&"x".repeat(200_000)))
        .start();
    let folder = Folder::new();
    let url = origin.url();
    let arguments = ["record", "--upstream", &url, "--listen", "127.0.0.1:0"];
    let mut process = program(&folder, &arguments).start();
    get(process.address());
    assert_eq!(process.stop().status, Some(0));
    std::fs::remove_dir_all(folder.cassettes().join("default.bodies")).unwrap();
    let mut process = program(&folder, &["replay", "--strict", "--listen", "127.0.0.1:0"]).start();
    get(process.address());
    let ended = process.stop();
    assert_eq!(ended.status, Some(1), "{}", ended.stderr);
    let told = "a stored body cannot be read: default.bodies/";
    assert!(ended.stderr.contains(told), "{}", ended.stderr);
    assert!(ended.stderr.contains("[damage]"), "{}", ended.stderr);
}

#[test]
fn a_report_that_cannot_be_written_is_no_success() {
    let folder = Folder::new();
    let arguments = [
        "replay",
        "--listen",
        "127.0.0.1:0",
        "--report",
        "no/such/folder.json",
    ];
    assert_eq!(program(&folder, &arguments).run().status, Some(2));
}

#[test]
fn responses_without_a_body_are_whole() {
    let origin = origin::new()
        .route("/204", |_| origin::status(204))
        .route("/304", |_| origin::status(304))
        .route("/*", |_| origin::text("hello"))
        .start();
    let act = |address| {
        let client = at(address);
        for (method, target) in [("GET", "/204"), ("GET", "/304"), ("HEAD", "/hello")] {
            client.ask(method, target).send();
        }
    };
    for mode in ["record", "auto"] {
        let trial = Trial::new(mode, &origin.url(), &act);
        trial.passes();
        assert_eq!(trial.run(&[]).report["sessions"][0]["recorded"], 3);
    }
}

#[test]
fn an_event_stream_that_its_client_leaves_is_whole() {
    let gate = Gate::new();
    let held = gate.clone();
    let origin = origin::new()
        .route("/*", move |_| {
            let events = origin::parts().header("content-type", "text/event-stream");
            events.part("data: 1\n\n").wait(&held)
        })
        .start();
    let act = |address| {
        let mut opened = at(address).ask("GET", "/events").open();
        assert_eq!(opened.next().unwrap().unwrap(), "data: 1\n\n");
    };
    for mode in ["record", "auto"] {
        Trial::new(mode, &origin.url(), &act).passes();
    }
    gate.open();
}

#[test]
fn a_probe_without_a_request_is_no_defect() {
    let origin = origin::simple();
    let act = |address| {
        for _ in 0..3 {
            drop(std::net::TcpStream::connect(address).unwrap());
        }
        get(address);
    };
    for mode in ["record", "auto"] {
        Trial::new(mode, &origin.url(), &act).passes();
    }
}
