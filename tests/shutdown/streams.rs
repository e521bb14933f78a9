//! Long-lived streams are served until shortly before the end of the grace period, then end
//! cleanly.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ouli_codec::websocket;

use crate::support::client;
use crate::support::folder::Folder;
use crate::support::gateway::{self, Running};
use crate::support::origin::{self, Gate, Origin};
use crate::support::websocket::{CLOSE, Peer, TEXT, Way, close, frame, socket_origin};
use crate::support::{at_least, until, without_hanging};

const GRACE: &str = "[limits]\nshutdown_timeout = \"9600ms\"\nstream_drain_lead = \"6s\"\n\
                     keepalive_drain_timeout = \"100ms\"";

/// The time from the start of the shutdown until the gateway ends its streams, minus a margin.
const BEFORE_DRAIN: Duration = Duration::from_millis(3500);

/// Stops a gateway in another thread; returns the duration.
fn stop(gateway: Running) -> JoinHandle<Duration> {
    std::thread::spawn(move || {
        let start = Instant::now();
        without_hanging("the stop", || gateway.stop());
        start.elapsed()
    })
}

/// Asserts that the shutdown waited for streams.
fn waited(stopped: JoinHandle<Duration>) {
    let time = stopped.join().unwrap();
    assert!(time >= BEFORE_DRAIN, "stopped after {time:?}");
}

#[test]
fn a_websocket_is_closed_with_1001_on_both_sides() {
    for way in [Way::Upgrade, Way::Connect] {
        let origin = socket_origin();
        let folder = Arc::new(Folder::new());
        let gateway = gateway::over(&folder, "record").upstream(&origin.url());
        let gateway = gateway.section(GRACE).start();
        let mut peer = Peer::open(gateway.address, &way, "/echo");
        assert_eq!(peer.asks(frame(TEXT, "before")).text(), "before");
        let stopped = stop(gateway);
        let mut echoes = 0;
        let last = loop {
            // The gateway may have closed the tunnel already; its close frame can still be read.
            let _ = peer.try_send(frame(TEXT, "during"));
            let answer = peer.next().expect("a frame");
            if answer.first == CLOSE {
                break answer;
            }
            assert_eq!(answer.text(), "during");
            echoes += 1;
            std::thread::sleep(Duration::from_millis(100));
        };
        assert!(echoes > 0);
        assert_eq!(
            (last.code(), &last.payload[2..]),
            (Some(1001), &b"the gateway stops"[..])
        );
        peer.send(close(1001, ""));
        assert_eq!(peer.next(), None);
        waited(stopped);
        let exchanges = folder.exchanges("default");
        let text = exchanges[exchanges.len() - 1].to_string();
        assert!(text.contains("before") && text.contains("during"), "{text}");
        assert!(!text.contains("the gateway stops"), "{text}");
        assert_eq!(exchanges[exchanges.len() - 1]["stream"]["ended"], "client");
    }
}

#[test]
fn a_close_waits_for_the_frame_in_flight() {
    let (heard, address) = raw_origin();
    let gateway = gateway::over(&Arc::new(Folder::new()), "passthrough")
        .upstream(&format!("http://{address}"))
        .section(GRACE)
        .start();
    let mut peer = Peer::open(gateway.address, &Way::Upgrade, "/");
    let whole = frame(TEXT, "half and half");
    peer.send(&whole[..9]);
    let stopped = stop(gateway);
    // The client is notified at once, because nothing was in transit to it.
    assert_eq!(peer.next().unwrap().code(), Some(1001));
    peer.send(&whole[9..]);
    peer.send(close(1001, ""));
    let bytes = heard.join().unwrap();
    assert_eq!(&bytes[..whole.len()], &whole[..]);
    let last = &bytes[whole.len()..];
    assert_eq!((last[0], last[1]), (CLOSE, 0x80 | 19), "{last:?}");
    let code = [last[6] ^ last[2], last[7] ^ last[3]];
    assert_eq!(u16::from_be_bytes(code), 1001);
    assert_eq!(last.len(), 6 + 19, "nothing follows the close");
    drop(peer);
    stopped.join().unwrap();
}

/// An origin that sends nothing; returns the bytes that it receives until the peer closes.
fn raw_origin() -> (JoinHandle<Vec<u8>>, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let heard = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap();
        let start = head.find("sec-websocket-key: ").unwrap() + "sec-websocket-key: ".len();
        let accept = websocket::accept_key(&head[start..start + 24]);
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\n\
             upgrade: websocket\r\nsec-websocket-accept: {accept}\r\n\r\n"
        );
        stream.write_all(answer.as_bytes()).unwrap();
        let mut heard = Vec::new();
        stream.read_to_end(&mut heard).unwrap();
        heard
    });
    (heard, address)
}

/// Messages to a replayed WebSocket whose recording has not ended.
#[test]
fn a_replayed_websocket_is_served_until_the_drain() {
    let origin = socket_origin();
    let folder = Arc::new(Folder::new());
    let gateway = gateway::over(&folder, "record")
        .upstream(&origin.url())
        .start();
    let mut peer = Peer::open(gateway.address, &Way::Upgrade, "/echo");
    for word in ["a", "b", "c"] {
        peer.asks(frame(TEXT, word));
    }
    drop(peer);
    gateway.stop();
    let gateway = gateway::replay(&folder).section(GRACE).start();
    let mut peer = Peer::open(gateway.address, &Way::Upgrade, "/echo");
    assert_eq!(peer.asks(frame(TEXT, "a")).text(), "a");
    let stopped = stop(gateway);
    assert!(peer.is_silent_for(Duration::from_millis(500)));
    assert_eq!(peer.asks(frame(TEXT, "b")).text(), "b");
    assert_eq!(peer.next().unwrap().code(), Some(1001));
    peer.send(close(1001, ""));
    waited(stopped);
}

/// An origin of one endless stream.
fn endless(content_type: &'static str, first: &'static str) -> (Origin, Gate) {
    let gate = Gate::new();
    let held = gate.clone();
    let stream = move |_: &origin::Seen| {
        let parts = origin::parts().header("content-type", content_type);
        parts.part(first).wait(&held)
    };
    (origin::new().route("/*", stream).start(), gate)
}

#[test]
fn event_streams_end_cleanly() {
    let (origin, gate) = endless("text/event-stream", "data: one\n\n");
    for mode in ["record", "passthrough"] {
        let folder = Arc::new(Folder::new());
        let builder = gateway::over(&folder, mode).upstream(&origin.url());
        let builder = builder.section(GRACE);
        let gateway = builder.start();
        let mut opened = client::http1(&gateway).ask("GET", "/events").open();
        assert_eq!(opened.next().unwrap().unwrap(), "data: one\n\n");
        let stopped = at_least(BEFORE_DRAIN, || {
            let stopped = stop(gateway);
            assert!(opened.next().is_none(), "the stream has its end");
            stopped
        });
        waited(stopped);
        if mode == "record" {
            let exchanges = folder.exchanges("default");
            assert_eq!(exchanges[0]["stream"]["ended"], "client", "{exchanges:?}");
        }
        let next = builder.start();
        let mut opened = client::http1(&next).ask("GET", "/events").open();
        assert_eq!(opened.next().unwrap().unwrap(), "data: one\n\n");
    }
    gate.open();
}

#[test]
fn a_call_ends_as_unavailable() {
    let (origin, gate) = endless("application/grpc", "\0\0\0\0\u{1}x");
    let folder = Arc::new(Folder::new());
    for mode in ["record", "replay"] {
        let gateway = gateway::over(&folder, mode).upstream(&origin.h2c());
        // At replay the shutdown does not wait: everything recorded was sent.
        let grace = if mode == "record" {
            GRACE
        } else {
            "[limits]\nshutdown_timeout = \"1h\""
        };
        let gateway = gateway.section(grace).start();
        let ask = client::http2(&gateway).ask("POST", "/test.Door/Watch");
        let ask = ask
            .header("content-type", "application/grpc")
            .header("te", "trailers");
        let frames = vec![hyper::body::Frame::data(bytes::Bytes::from("\0\0\0\0\0"))];
        let mut opened = ask.frames(frames).open();
        assert_eq!(opened.next().unwrap().unwrap(), "\0\0\0\0\u{1}x");
        let stopped = stop(gateway);
        assert_eq!(opened.trailers().unwrap()["grpc-status"], "14");
        if mode == "record" {
            waited(stopped);
        } else {
            until("the stop", || stopped.is_finished().then_some(()));
        }
    }
    gate.open();
}

#[test]
fn a_replayed_stream_is_sent_whole() {
    let events = |_: &origin::Seen| {
        let parts = origin::parts().header("content-type", "text/event-stream");
        (0..3).fold(parts, |parts, number| {
            parts.part(format!("data: {number}\n\n"))
        })
    };
    let origin = origin::new().route("/*", events).start();
    let recording = gateway::record(&origin).start();
    assert_eq!(client::http1(&recording).get("/events").status, 200);
    let folder = Arc::clone(&recording.folder);
    recording.stop();
    // Each event has its own time in microseconds.
    let text = folder.text("default");
    let slow = regex::Regex::new("\"at\": ?\\[[0-9, ]+\\]").unwrap();
    let slow = slow.replace_all(&text, "\"at\":[60000000,60000000,60000000]");
    std::fs::write(folder.cassette("default"), &*slow).unwrap();
    let gateway = gateway::replay(&folder)
        .set("timing = \"recorded\"")
        .section(GRACE)
        .start();
    let asked = client::http1(&gateway).ask("GET", "/events");
    let opened = asked.open();
    let stopped = stop(gateway);
    assert_eq!(opened.count().unwrap(), 3 * "data: 0\n\n".len());
    waited(stopped);
}

#[test]
fn an_http2_client_that_reads_nothing_does_not_delay_the_stop() {
    let origin = origin::simple();
    let folder = Arc::new(Folder::new());
    let gateway = gateway::over(&folder, "passthrough").upstream(&origin.url());
    let gateway = gateway
        .section("[limits]\nshutdown_timeout = \"1h\"")
        .start();
    // Fields as literals without an index (RFC 7541, section 6.2.2).
    let field = |name: &str, value: &str| {
        let length = |text: &str| u8::try_from(text.len()).unwrap();
        let mut bytes = vec![0, length(name)];
        bytes.extend(name.as_bytes());
        bytes.push(length(value));
        bytes.extend(value.as_bytes());
        bytes
    };
    let fields = [
        field(":method", "GET"),
        field(":scheme", "http"),
        field(":path", "/hello"),
        field(":authority", "x"),
    ]
    .concat();
    let mut client = std::net::TcpStream::connect(gateway.address).unwrap();
    client
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        .unwrap();
    client.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).unwrap();
    let size = u8::try_from(fields.len()).unwrap();
    client.write_all(&[0, 0, size, 1, 5, 0, 0, 0, 1]).unwrap();
    client.write_all(&fields).unwrap();
    let mut seen = Vec::<u8>::new();
    while !seen.windows(7).any(|part| part == b"morning") {
        let mut bytes = [0; 1024];
        let read = client.read(&mut bytes).unwrap();
        assert!(read > 0, "the connection ended before its response");
        seen.extend(&bytes[..read]);
    }
    // From here on the client reads nothing, so it acknowledges no PING.
    stop(gateway).join().unwrap();
}
