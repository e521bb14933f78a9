//! The memory limit for all requests together.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use bytes::{BufMut as _, BytesMut};
use http::Version;
use ouli_config::Defect;

use crate::support::binary::program;
use crate::support::client;
use crate::support::folder::Folder;
use crate::support::gateway::{self, Builder};
use crate::support::origin;
use crate::support::websocket::{BINARY, Peer, TEXT, Way, close, frame, socket_origin};
use crate::support::{PATIENCE, until};

/// An origin that delays its responses to `/wait` until it is opened.
struct Slow {
    url: String,
    asked: Arc<AtomicUsize>,
    told: Arc<(Mutex<bool>, Condvar)>,
}

fn slow() -> Slow {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let slow = Slow {
        url: format!("http://{}", listener.local_addr().unwrap()),
        asked: Arc::default(),
        told: Arc::default(),
    };
    let (asked, told) = (Arc::clone(&slow.asked), Arc::clone(&slow.told));
    std::thread::spawn(move || {
        // The thread runs until the process exits; after the test nothing connects.
        for stream in listener.incoming() {
            let (asked, told) = (Arc::clone(&asked), Arc::clone(&told));
            std::thread::spawn(move || answer(stream.unwrap(), &asked, &told));
        }
    });
    slow
}

fn answer(stream: TcpStream, asked: &AtomicUsize, (told, tell): &(Mutex<bool>, Condvar)) {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).unwrap_or(0) == 0 {
            return;
        }
    }
    let length = head.split_once("content-length: ");
    let length = length.map_or(0, |(_, rest)| rest.lines().next().unwrap().parse().unwrap());
    reader.read_exact(&mut vec![0; length]).unwrap();
    if head.contains(" /wait ") {
        asked.fetch_add(1, Ordering::SeqCst);
        let opened = told.lock().unwrap();
        let opened = tell.wait_timeout_while(opened, PATIENCE, |opened| !*opened);
        drop(opened.unwrap());
    }
    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello";
    // The write fails if the client disconnected.
    let _ = reader.into_inner().write_all(answer.as_bytes());
}

impl Slow {
    fn wait_for(&self, count: usize) {
        until("requests at the origin", || {
            (self.asked.load(Ordering::SeqCst) == count).then_some(())
        });
    }

    fn open(&self) {
        *self.told.0.lock().unwrap() = true;
        self.told.1.notify_all();
    }
}

fn auto(origin: &Slow, limits: &str) -> Builder {
    gateway::over(&Arc::new(Folder::new()), "auto")
        .upstream(&origin.url)
        .set("on_recorder_full = \"drop\"")
        .section(&format!(
            "[limits]\nmemory = \"1 MiB\"\noffload_size = \"1 MiB\"\n{limits}"
        ))
}

fn post(target: &str, size: usize) -> String {
    let body = "x".repeat(size);
    format!("POST {target} HTTP/1.1\r\nhost: x\r\ncontent-length: {size}\r\n\r\n{body}")
}

#[test]
fn request_bodies_wait_above_the_soft_memory_limit() {
    let origin = slow();
    let gateway = auto(&origin, "memory_wait_timeout = \"60s\"").start();
    // Together more than 90 % of the limit.
    let mut held: Vec<_> = [500_000, 450_000]
        .map(|size| client::raw(gateway.address, post("/wait", size)))
        .into();
    origin.wait_for(2);
    let mut waiting = client::raw(gateway.address, post("/small", 10));
    assert!(waiting.is_silent_for(Duration::from_millis(300)));
    // A request without a body does not wait.
    assert_eq!(client::http1(&gateway).get("/hello").status, 200);
    origin.open();
    for raw in held.iter_mut().chain([&mut waiting]) {
        let head = raw.head();
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    }
}

#[test]
fn a_client_that_leaves_while_its_request_waits_is_counted() {
    let origin = slow();
    let gateway = auto(&origin, "memory_wait_timeout = \"60s\"").start();
    let held = [500_000, 450_000].map(|size| client::raw(gateway.address, post("/wait", size)));
    origin.wait_for(2);
    let waiting = client::raw(gateway.address, post("/small", 10));
    assert!(waiting.is_silent_for(Duration::from_millis(300)));
    drop(waiting);
    let left = "the client left before its request was looked up";
    until("the count", || {
        let report = gateway.session("default");
        report
            .counted(Defect::Partial)
            .contains_key(left)
            .then_some(())
    });
    origin.open();
    for mut raw in held {
        let head = raw.head();
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    }
}

#[test]
fn a_large_body_is_compared_within_the_memory_limit() {
    let folder = gateway::echoed(|client| drop(client.get("/hello")));
    for (offload_size, status) in [("256 KiB", 503), ("1 MiB", 404)] {
        let limits = format!("[limits]\nmemory = \"1 MiB\"\noffload_size = \"{offload_size}\"");
        let gateway = gateway::replay(&folder).section(&limits).start();
        let body = "x".repeat(600_000);
        let answer = client::http1(&gateway).post("/x", "text/plain", &body);
        assert_eq!(answer.status, status, "{}", answer.text());
        assert_eq!(answer.text().contains("limits.memory"), status == 503);
        // Nothing stays reserved.
        assert_eq!(client::http1(&gateway).get("/hello").status, 200);
    }
}

#[test]
fn a_request_body_waits_for_memory_wait_timeout_only() {
    let origin = slow();
    let gateway = auto(&origin, "memory_wait_timeout = \"200ms\"").start();
    let _held = [500_000, 450_000].map(|size| client::raw(gateway.address, post("/wait", size)));
    origin.wait_for(2);
    let refused = client::http1(&gateway).post("/small", "text/plain", "x");
    assert_eq!(
        (refused.status, refused.header("ouli-error")),
        (503, "limit")
    );
    assert!(refused.text().contains("limits.memory"));
    origin.open();
    until("memory for a body", || {
        let answer = client::http1(&gateway).post("/small", "text/plain", "x");
        (answer.status == 200).then_some(())
    });
}

#[test]
fn requests_are_rejected_above_the_hard_memory_limit() {
    let origin = slow();
    let gateway = auto(&origin, "decompression_ratio = 100000").start();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(&vec![b'x'; 1_040_000]).unwrap();
    let body = encoder.finish().unwrap();
    let client = client::http1(&gateway);
    let asking = client.clone();
    let held = std::thread::spawn(move || {
        let ask = asking.ask("POST", "/wait");
        ask.header("content-encoding", "gzip").body(body).send()
    });
    origin.wait_for(1);
    let refused = client.get("/hello");
    assert_eq!(
        (refused.status, refused.header("ouli-error")),
        (503, "limit")
    );
    assert_eq!(refused.header("retry-after"), "1");
    assert!(refused.text().contains("limits.memory"));
    origin.open();
    assert_eq!(held.join().unwrap().status, 200);
    until("memory to be free", || {
        (client.get("/hello").status == 200).then_some(())
    });
}

/// The head of a frame of this size and its first bytes.
fn begun(size: u64, first: usize) -> Vec<u8> {
    let mut bytes = vec![0x80 | BINARY, 0x80 | 127];
    bytes.extend(size.to_be_bytes());
    // A mask of zeros.
    bytes.extend([0; 4]);
    bytes.extend(vec![7; first]);
    bytes
}

#[test]
fn a_websocket_message_waits_for_memory_then_the_socket_closes() {
    let origin = socket_origin();
    let gateway = gateway::record(&origin::simple())
        .upstream(&origin.url())
        .start();
    let mut peer = Peer::open(gateway.address, &Way::Upgrade, "/echo");
    peer.asks(frame(TEXT, "a"));
    peer.asks(close(1000, ""));
    drop(peer);
    let folder = Arc::clone(&gateway.folder);
    gateway.stop();
    let limits = "[limits]\nmemory = \"1 MiB\"\nmemory_wait_timeout = \"200ms\"";
    let gateway = gateway::replay(&folder).section(limits).start();
    let mut idle = Peer::open(gateway.address, &Way::Upgrade, "/echo");
    let mut peer = Peer::open(gateway.address, &Way::Upgrade, "/echo");
    // The gateway may close the connection before all of it is sent.
    let _ = peer.try_send(begun(4 << 20, 1_500_000));
    assert_eq!(peer.next().unwrap().code(), Some(1013));
    drop(peer);
    // A tunnel that holds no memory is not closed.
    idle.send(frame(TEXT, "a"));
    assert_eq!(idle.next().unwrap().text(), "a");
}

#[test]
fn a_grpc_message_waits_for_memory_then_the_call_ends() {
    let origin = origin::new()
        .route("/test.Door/*", |seen| {
            let reply = origin::parts().header("content-type", "application/grpc");
            reply
                .part(seen.body.clone())
                .trailers(&[("grpc-status", "0")])
        })
        .start();
    let ask = |gateway: &gateway::Running, body: &[u8]| {
        let ask = client::http2(gateway).ask("POST", "/test.Door/Open");
        ask.header("content-type", "application/grpc")
            .body(body)
            .send()
    };
    let gateway = gateway::over(&Arc::new(Folder::new()), "record")
        .upstream(&origin.h2c())
        .start();
    ask(&gateway, &[0, 0, 0, 0, 1, 7]);
    let folder = Arc::clone(&gateway.folder);
    gateway.stop();
    let limits = "[limits]\nmemory = \"1 MiB\"\nmemory_wait_timeout = \"200ms\"";
    let gateway = gateway::replay(&folder).section(limits).start();
    let mut body = BytesMut::new();
    body.put_u8(0);
    body.put_u32(3 << 20);
    body.put_bytes(7, 1_500_000);
    let answer = ask(&gateway, &body);
    let status = answer.trailers.as_ref().unwrap_or(&answer.headers);
    assert_eq!(status["grpc-status"], "8", "{answer:?}");
}

#[test]
fn memory_of_a_burst_is_released() {
    const CLIENTS: u64 = 64;
    let body = [b'x'; 900 << 10];
    let all = CLIENTS * body.len() as u64;
    let folder = Folder::new();
    let upstream = "http://127.0.0.1:1";
    let arguments = ["replay", "--listen", "127.0.0.1:0", "--upstream", upstream];
    let mut process = program(&folder, &arguments).start();
    let address = process.address();
    client::at(address, Version::HTTP_11).get("/");
    // What the start took is released while nothing happens.
    let (mut last, mut equal) = (0, 0);
    let before = until("the memory of an idle gateway", || {
        let now = process.memory();
        equal = if now == last { equal + 1 } else { 0 };
        last = now;
        (equal == 20).then_some(now)
    });
    let begun = || {
        let mut raw = client::raw(address, "POST / HTTP/1.1\r\nhost: x\r\n");
        raw.write("content-length: 1000000\r\n\r\n");
        raw.write(body);
        raw
    };
    let clients: Vec<_> = (0..CLIENTS).map(|_| begun()).collect();
    let more = || process.memory().saturating_sub(before);
    // Some of them are in pages that the start has left.
    let most = until("most of the bodies", || {
        Some(more()).filter(|it| *it >= all / 4 * 3)
    });
    drop(clients);
    // No further request makes the allocator check its clock. The heaps of threads keep some pages:
    // the more, the more was taken.
    until("the release of memory", || {
        (more() < most / 2).then_some(())
    });
}
