//! Large bodies of all kinds at once, in a program of its own: what it takes of the memory is
//! bounded by `limits.memory`.

use std::net::SocketAddr;

use http::Version;

use crate::support::binary::{Process, program};
use crate::support::folder::Folder;
use crate::support::websocket::{Peer, TEXT, Way, close, frame, socket_origin};
use crate::support::{client, origin, until, within};

/// `limits.memory` of the program.
const MEMORY: u64 = 48 << 20;

/// Bytes of a large response.
const LARGE: usize = 8 << 20;

/// A fraction of that for what takes much processor time in a build for tests.
const SMALL: usize = LARGE / 8;

/// The most that the program may take beside what it has when it starts: what is held for requests,
/// and as much again for the one exchange that the recorder works on and for the allocator.
const MOST: u64 = 2 * MEMORY;

/// An array of zeros: more values for its size than any other JSON.
pub(super) fn zeros(size: usize) -> String {
    format!("[{}0]", "0,".repeat(size / 2 - 1))
}

fn configuration(origin: &str, sockets: &str) -> String {
    let endpoint = |name: &str, upstream: &str| {
        format!(
            "[[endpoint]]\nname = \"{name}\"\nmode = \"{}\"\nsession = \"{name}\"\n\
             listen = \"127.0.0.1:0\"\nupstream = \"{upstream}\"\n",
            if name == "replay" { "replay" } else { "record" }
        )
    };
    let endpoints = [
        endpoint("record", origin),
        endpoint("sockets", sockets),
        endpoint("replay", origin),
    ];
    let recording = MEMORY / 4 * 3;
    format!(
        "[limits]\nmemory = {MEMORY}\nrecording_memory = {recording}\n\
         recorder_queue_timeout = \"60s\"\nmemory_wait_timeout = \"60s\"\n{}",
        endpoints.concat()
    )
}

/// A cassette with a large response and a large request.
fn write_cassette(folder: &Folder) {
    let (large, small) = (zeros(LARGE), zeros(SMALL));
    let fields = "\"headers\": [[\"content-type\", \"application/json\"]]";
    let body = |json: &str| match json {
        "" => String::new(),
        json => format!(", \"body\": {{\"json\": {json}}}"),
    };
    let exchange = |ordinal: u64, method: &str, request: &str, response: &str| {
        let target = "\"authority\": \"x\", \"target\": \"/zeros\"";
        format!(
            "{{\n  \"exchange\": {ordinal},\n  \"endpoint\": \"replay\",\n  \"request\": \
             {{\"method\": \"{method}\", {target}, {fields}{}}},\n  \
             \"response\": {{\"status\": 200, {fields}{}}}\n}}\n",
            body(request),
            body(response)
        )
    };
    let text = [
        "{ \"ouli-cassette\": 1 }\n",
        &exchange(1, "GET", "", &large),
        &exchange(2, "POST", &small, "{}"),
    ];
    std::fs::create_dir_all(folder.cassettes()).unwrap();
    std::fs::write(folder.cassette("replay"), text.concat()).unwrap();
}

fn address(process: &Process, endpoint: &str) -> SocketAddr {
    until("the listeners", || {
        let text = process.stdout();
        let name = format!("endpoint={endpoint}");
        let line = text.lines().find(|line| line.contains(&name))?;
        line.split("://").nth(1)?.split(' ').next()?.parse().ok()
    })
}

/// Waits until so many exchanges of a session are recorded.
fn wait_for_recorded(address: SocketAddr, session: &str, count: u64) {
    let limit = crate::support::PATIENCE * 6;
    within(limit, "the recorded exchanges", || {
        let answer =
            client::at(address, Version::HTTP_11).get(&format!("/__ouli/sessions/{session}"));
        let report: serde_json::Value = serde_json::from_slice(&answer.body).ok()?;
        (report["verdict"]["recorded"] == count).then_some(())
    });
}

#[test]
fn memory_is_bounded_with_large_bodies_of_all_kinds_at_once() {
    let line_ends = "\n".repeat(LARGE / 2);
    let large = zeros(LARGE);
    let response = large.clone();
    let origin = origin::new()
        .route("/zeros", move |_| origin::json(&response))
        .route("/line-ends", move |_| {
            origin::bytes(line_ends.clone()).header("content-type", "text/event-stream")
        })
        .start();
    let sockets = socket_origin();
    let folder = Folder::new();
    write_cassette(&folder);
    folder.write_config(&configuration(&origin.url(), &sockets.url()));
    let process = program(&folder, &[]).start();
    let at = ["record", "sockets", "replay"].map(|endpoint| address(&process, endpoint));
    let [record, socket, replay] = at;
    let before = process.peak_memory();
    std::thread::scope(|scope| {
        for target in ["/zeros?1", "/zeros?2", "/line-ends"] {
            scope.spawn(move || {
                let answer = client::at(record, Version::HTTP_11).get(target);
                assert_eq!(answer.status, 200, "{target}");
            });
        }
        scope.spawn(|| {
            let client = client::at(replay, Version::HTTP_11);
            assert_eq!(client.get("/zeros").body.len(), large.len());
            let answer = client.post("/zeros", "application/json", &zeros(SMALL));
            assert_eq!(answer.status, 200, "{}", answer.text());
        });
        scope.spawn(|| {
            let mut peer = Peer::open(socket, &Way::Upgrade, "/echo");
            for _ in 0..3 {
                peer.send(frame(TEXT, "x".repeat(900_000)));
                peer.next().unwrap();
            }
            peer.asks(close(1000, ""));
        });
    });
    wait_for_recorded(record, "record", 3);
    wait_for_recorded(socket, "sockets", 1);
    let more = process.peak_memory() - before;
    assert!(more < MOST, "{} MiB more", more >> 20);
    assert_eq!(process.stop().status, Some(0));
}
