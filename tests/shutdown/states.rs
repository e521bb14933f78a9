//! A stop ends in time in every state, also where something never ends by itself.

use std::any::Any;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use http::Version;

use crate::support::binary::{Process, program};
use crate::support::client::{self, raw};
use crate::support::folder::Folder;
use crate::support::gateway;
use crate::support::origin::{self, peer};
use crate::support::plugins::fixture;
use crate::support::websocket::{Peer, Way, socket_origin};
use crate::support::without_hanging;

/// Nothing ends soon but the stop. An exchange takes half a second if its redactor loops.
const LIMITS: &str = "[limits]\nshutdown_timeout = \"1s\"\nredactor_cpu_time = \"500ms\"\n\
                      plugin_failure_threshold = 1_000_000\nmatcher_cpu_time = \"1h\"\n\
                      stream_idle_timeout = \"1h\"\nkeepalive_drain_timeout = \"1h\"";

/// A gateway that is in a state, and what keeps it there.
struct Busy {
    process: Process,
    held: Vec<Box<dyn Any>>,
}

struct State {
    name: &'static str,
    enter: fn() -> Busy,
    /// A part of what is printed at the end.
    reason: &'static str,
}

const STATES: [State; 7] = [
    State {
        name: "the recorder is busy and its queue is long",
        enter: busy_recorder,
        reason: "not written when the gateway stopped",
    },
    State {
        name: "a serving thread is busy",
        enter: busy_thread,
        reason: "in progress at the end of limits.shutdown_timeout",
    },
    State {
        name: "an index is derived",
        enter: derived_index,
        reason: "the gateway stopped before its request was looked up",
    },
    State {
        name: "the upstream does not answer",
        enter: silent_upstream,
        reason: "the gateway stopped before the response began",
    },
    State {
        name: "a client does not read its events",
        enter: || unread(Version::HTTP_11),
        reason: "in progress at the end of limits.shutdown_timeout",
    },
    State {
        name: "a client does not read its HTTP/2 stream",
        enter: || unread(Version::HTTP_2),
        reason: "in progress at the end of limits.shutdown_timeout",
    },
    State {
        name: "a tunnel is open",
        enter: open_tunnel,
        reason: "verdict:",
    },
];

fn start(folder: &Arc<Folder>, mode: &'static str, url: &str) -> (Process, SocketAddr) {
    let builder = gateway::over(folder, mode).upstream(url).section(LIMITS);
    folder.write_config(&builder.config());
    let mut process = program(folder, &["--strict"]).start();
    let address = process.address();
    (process, address)
}

fn get(address: SocketAddr, target: &str, fields: &str) -> Box<dyn Any> {
    let head = format!("GET {target} HTTP/1.1\r\nhost: a\r\n{fields}\r\n");
    Box::new(raw(address, head))
}

fn busy_recorder() -> Busy {
    let (folder, origin) = (Arc::new(Folder::new()), origin::simple());
    folder.put_plugin("loop.wasm", &fixture("looping-redactor"));
    let (process, address) = start(&folder, "record", &origin.url());
    let client = client::at(address, Version::HTTP_11);
    for _ in 0..60 {
        assert_eq!(client.get("/hello").status, 200);
    }
    Busy {
        process,
        held: vec![Box::new(folder), Box::new(origin)],
    }
}

/// The matcher loops at a request with a member `loop`.
fn busy_thread() -> Busy {
    let folder = Arc::new(Folder::new());
    folder.put_plugin("own.wasm", &fixture("asked-matcher"));
    let (process, address) = start(&folder, "replay", "http://127.0.0.1:9");
    let head = "POST / HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n";
    let client = raw(
        address,
        format!("{head}content-length: 11\r\n\r\n{{\"loop\": 1}}"),
    );
    Busy {
        process,
        held: vec![Box::new(folder), Box::new(client)],
    }
}

fn derived_index() -> Busy {
    let folder = gateway::echoed(|client| {
        let ask = client.ask("POST", "/echo").header("ouli-session", "other");
        let ask = ask.header("content-type", "application/json");
        assert_eq!(ask.body("{\"loop\": 1}").send().status, 200);
    });
    folder.put_plugin("own.wasm", &fixture("asked-matcher"));
    let (process, address) = start(&folder, "replay", "http://127.0.0.1:9");
    let client = get(address, "/", "ouli-session: other\r\n");
    Busy {
        process,
        held: vec![Box::new(folder), client],
    }
}

fn silent_upstream() -> Busy {
    let folder = Arc::new(Folder::new());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (process, address) = start(&folder, "record", &url);
    let client = get(address, "/", "");
    let (stream, _) = listener.accept().unwrap();
    Busy {
        process,
        held: vec![
            Box::new(folder),
            Box::new(listener),
            Box::new(stream),
            client,
        ],
    }
}

/// A client that takes the head of an endless event stream, and no more.
fn unread(version: Version) -> Busy {
    let folder = Arc::new(Folder::new());
    let upstream = peer(|peer| {
        peer.head();
        peer.send("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n");
        loop {
            peer.send("data: an event that nobody reads\n\n".repeat(1000));
        }
    });
    let (process, address) = start(&folder, "record", &format!("http://{upstream}"));
    let opened = client::at(address, version).ask("GET", "/events").open();
    Busy {
        process,
        held: vec![Box::new(folder), Box::new(opened)],
    }
}

fn open_tunnel() -> Busy {
    let (folder, origin) = (Arc::new(Folder::new()), socket_origin());
    let (process, address) = start(&folder, "record", &origin.url());
    let peer = Peer::open(address, &Way::Upgrade, "/echo");
    Busy {
        process,
        held: vec![Box::new(folder), Box::new(origin), Box::new(peer)],
    }
}

#[test]
fn a_stop_ends_in_every_state_and_says_what_is_lost() {
    for state in &STATES {
        let Busy { process, held } = (state.enter)();
        let ended = without_hanging(state.name, || process.stop());
        assert_eq!(ended.status, Some(1), "{}: {}", state.name, ended.stderr);
        let is_told = ended.stderr.contains(state.reason);
        assert!(is_told, "{}: {}", state.name, ended.stderr);
        drop(held);
    }
}

/// The secret is looked for in all its encodings, since the rest of the body may contain it.
#[test]
fn a_stop_while_a_long_secret_is_looked_for_has_a_verdict() {
    let folder = Arc::new(Folder::new());
    let key = "-----BEGIN PRIVATE KEY-----".repeat(1 << 19);
    let body = format!("{key}!{}", "other text ".repeat(2 << 20));
    let origin = origin::new()
        .route("/*", move |_| origin::text(&body))
        .start();
    let (process, address) = start(&folder, "record", &origin.url());
    let client = client::at(address, Version::HTTP_11);
    assert_eq!(client.get("/keys").status, 200);
    let stderr = without_hanging("the stop", || process.stop()).stderr;
    // A fast machine has recorded it by then.
    let is_recorded = stderr.contains("1 recorded");
    let is_counted = stderr.contains("not written when the gateway stopped");
    assert!(is_recorded != is_counted, "{stderr}");
}
