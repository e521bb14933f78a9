//! HTTP/1.1 as nginx and other servers handle it: early errors, half-closed clients, repaired
//! responses.

use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::channel;

use ouli_config::Defect;

use crate::support::client;
use crate::support::folder::Folder;
use crate::support::gateway;
use crate::support::origin::{self, peer};
use crate::support::{PATIENCE, at_least};

const GET: &str = "GET /hello HTTP/1.1\r\nhost: x\r\n\r\n";

/// Bytes up to or including a rejected head, the status, the kind of the error, and a part of the
/// reason.
const REJECTED: &[(&[u8], u16, &str, &str)] = &[
    (b"GET /\x01 HTTP/1.1\r\n", 400, "request", "as %01"),
    (b"GET http:/x HTTP/1.1\r\n", 400, "request", "target"),
    (b"GET /two words HTTP/1.1\r\n", 400, "request", "first line"),
    (b"GE(T / HTTP/1.1\r\n", 400, "request", "first line"),
    (b"\x16\x03\x01 / HTTP/1.1\r\n", 400, "request", "TLS"),
    (b"GET / HTTP/1.1\r\nno colon\r\n", 400, "request", "field"),
    (b"GET / HTTP/1.1\r\nx : y\r\n", 400, "request", "field"),
    (b"GET / HTTP/1.1\r\nx: a\x00b\r\n", 400, "request", "field"),
    (
        b"GET / HTTP/1.1\r\nx: a\r\n folded\r\n",
        400,
        "request",
        "field",
    ),
    (
        b"POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n",
        400,
        "request",
        "ambiguous",
    ),
    (
        b"GET / HTTP/1.1\r\nhost: x\r\nhost: y\r\n\r\n",
        400,
        "request",
        "host",
    ),
    (b"GET / HTTP/1.1\r\n\r\n", 400, "request", "host"),
    (b"GET / HTTP/1.9\r\n", 505, "request", "version"),
    (
        b"PRI * HTTP/2.0\r\n\r\nno preface",
        505,
        "request",
        "version",
    ),
];

#[test]
fn every_early_error_says_why() {
    let origin = origin::simple();
    let gateway = gateway::passthrough(&origin).start();
    for (bytes, status, kind, reason) in REJECTED {
        for before in ["", GET] {
            let name = bytes.escape_ascii();
            let mut raw = client::raw(gateway.address, [before.as_bytes(), bytes].concat());
            if !before.is_empty() {
                assert!(raw.head().starts_with("HTTP/1.1 200 "), "{name}");
                assert_eq!(raw.exactly(13).unwrap(), b"good morning\n", "{name}");
            }
            let answer = raw.rest();
            let head = format!("HTTP/1.1 {status} ");
            assert!(answer.starts_with(&head), "{name}: {answer}");
            let (head, body) = answer.split_once("\r\n\r\n").unwrap();
            for field in [
                &format!("ouli-error: {kind}"),
                "content-type: application/problem+json",
                "connection: close",
            ] {
                assert!(head.contains(field), "{name}: {answer}");
            }
            let problem: serde_json::Value = serde_json::from_str(body).unwrap();
            assert_eq!(problem["status"], *status, "{name}");
            let detail = problem["detail"].as_str().unwrap();
            assert!(detail.contains(reason), "{name}: {detail}");
        }
    }
    let greeted = origin.seen().len();
    assert_eq!(
        greeted,
        REJECTED.len(),
        "only the valid requests are forwarded"
    );
}

#[test]
fn heads_above_a_limit_are_a_431_with_a_reason() {
    let origin = origin::simple();
    let limits = "[limits]\nheader_bytes = \"8 KiB\"\nheader_count = 20";
    let gateway = gateway::passthrough(&origin).section(limits).start();
    let head = "GET /hello HTTP/1.1\r\nhost: x\r\nconnection: close\r\n";
    let long = format!("{head}x-long: {}", "x".repeat(8 << 10));
    let many = format!("{head}{}", "x-many: 1\r\n".repeat(19));
    for (head, limit) in [(long, "limits.header_bytes"), (many, "limits.header_count")] {
        let answer = client::raw(gateway.address, head).rest();
        assert!(answer.starts_with("HTTP/1.1 431 "), "{limit}: {answer}");
        assert!(answer.contains("ouli-error: limit\r\n"), "{answer}");
        assert!(answer.contains(limit), "{limit}: {answer}");
    }
    let many = format!("{head}{}\r\n", "x-many: 1\r\n".repeat(18));
    let answer = client::raw(gateway.address, many).rest();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[test]
fn a_head_that_is_late_is_a_408() {
    let origin = origin::simple();
    let gateway = gateway::passthrough(&origin)
        .section("[limits]\nrequest_header_timeout = \"100ms\"")
        .start();
    for before in ["", GET] {
        let mut raw = client::raw(gateway.address, format!("{before}GET /hel"));
        if !before.is_empty() {
            raw.head();
            raw.exactly(13).unwrap();
        }
        let answer = raw.rest();
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
        assert!(answer.contains("ouli-error: limit\r\n"), "{answer}");
        assert!(answer.contains("limits.request_header_timeout"), "{answer}");
    }
}

/// The response to a client that half-closes its connection after these bytes.
fn half_closed(gateway: &gateway::Running, bytes: &str) -> String {
    use std::io::{Read as _, Write as _};
    let mut stream = TcpStream::connect(gateway.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(bytes.as_bytes()).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// An origin whose response has two parts, with a delay before each.
fn slow() -> origin::Origin {
    origin::new()
        .route("/slow", |_| {
            let pause = std::time::Duration::from_millis(50);
            origin::parts()
                .pause(pause)
                .part("one ")
                .pause(pause)
                .part("two")
        })
        .route("/late", |_| {
            std::thread::sleep(std::time::Duration::from_millis(50));
            origin::text("late")
        })
        .start()
}

#[test]
fn a_client_that_ends_its_stream_after_the_request_gets_its_response() {
    let origin = slow();
    let folder = Arc::new(Folder::new());
    for mode in ["record", "passthrough", "replay"] {
        let gateway = gateway::over(&folder, mode)
            .upstream(&origin.url())
            .section("[limits]\nhalf_close_timeout = \"20s\"")
            .start();
        for version in ["1.1", "1.0"] {
            let request = |path: &str| format!("GET {path} HTTP/{version}\r\nhost: x\r\n\r\n");
            let late = half_closed(&gateway, &request("/late"));
            assert!(late.ends_with("\r\n\r\nlate"), "{mode} {version}: {late}");
            let slow = half_closed(&gateway, &request("/slow"));
            let (one, two) = (slow.find("one"), slow.find("two"));
            assert!(one.is_some() && one < two, "{mode} {version}: {slow}");
        }
        let both = half_closed(&gateway, &"GET /late HTTP/1.1\r\nhost: x\r\n\r\n".repeat(2));
        assert_eq!(both.matches("\r\n\r\nlate").count(), 2, "{mode}: {both}");
        let sessions = gateway.stop().sessions;
        let is_whole = sessions
            .iter()
            .all(|report| report.counted(Defect::Partial).is_empty());
        assert!(is_whole, "{mode}: {sessions:?}");
    }
}

/// Until then it looks like a client that half-closed its connection and waits.
#[test]
fn a_client_that_leaves_counts_as_gone_after_half_close_timeout() {
    let (left, gone) = channel();
    let upstream = peer(move |peer| match &*peer.head() {
        "" => {}
        head if head.starts_with("GET /next ") => {
            peer.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
        }
        _ => {
            // Returns when the gateway closes the connection.
            peer.read_until(b"\0");
            left.send(()).unwrap();
        }
    });
    let gateway = gateway::over(&Arc::new(Folder::new()), "record")
        .upstream(&format!("http://{upstream}"))
        .endpoint("record_failures = true")
        .section("[limits]\nhalf_close_timeout = \"200ms\"")
        .start();
    let folder = Arc::clone(&gateway.folder);
    at_least(std::time::Duration::from_millis(200), || {
        assert_eq!(
            half_closed(&gateway, "GET / HTTP/1.1\r\nhost: x\r\n\r\n"),
            ""
        );
    });
    gone.recv_timeout(PATIENCE).unwrap();
    gateway.serves_again("/next");
    gateway.stop();
    assert_eq!(folder.exchanges("default")[0]["failure"]["what"], "left");
}

#[test]
fn a_client_that_ends_its_stream_within_the_request_gets_no_response() {
    let origin = origin::simple();
    let gateway = gateway::passthrough(&origin).start();
    let head = "POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\n";
    for bytes in ["GET /hello HTTP/1.1\r\nhost", &format!("{head}bo")] {
        let answer = half_closed(&gateway, bytes);
        assert!(!answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
}

/// RFC 9112, sections 5.1 and 5.2: a proxy repairs these in a response.
#[test]
fn white_space_in_the_field_lines_of_a_response_is_repaired() {
    let upstream = peer(|peer| {
        while !peer.head().is_empty() {
            peer.send(
                "HTTP/1.1 200 OK\r\nX-A : 1\r\nX-Fold: a\r\n\t b\r\nContent-Length  : 2\r\n\r\nok",
            );
        }
    });
    let folder = Arc::new(Folder::new());
    for mode in ["passthrough", "record", "replay"] {
        let gateway = gateway::over(&folder, mode)
            .upstream(&format!("http://{upstream}"))
            .start();
        let mut raw = client::raw(gateway.address, GET);
        let head = raw.head();
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{mode}: {head}");
        assert!(head.contains("\r\nx-a: 1\r\n"), "{mode}: {head}");
        let folded = head.lines().find_map(|line| line.strip_prefix("x-fold: "));
        let words: Vec<_> = folded.unwrap().split_whitespace().collect();
        assert_eq!(words, ["a", "b"], "{mode}: {head}");
        assert_eq!(raw.exactly(2).unwrap(), b"ok", "{mode}");
        gateway.stop();
    }
}

#[test]
fn a_reason_phrase_is_forwarded_recorded_and_replayed() {
    for (status_line, recorded) in [
        ("200 Fine, thanks", Some("Fine, thanks")),
        ("200 ", Some("")),
        ("404 Not Found", None),
        ("299 ", None),
        ("299 Own", Some("Own")),
    ] {
        let upstream = peer(move |peer| {
            while !peer.head().is_empty() {
                peer.send(format!(
                    "HTTP/1.1 {status_line}\r\ncontent-length: 0\r\n\r\n"
                ));
            }
        });
        let folder = Arc::new(Folder::new());
        for mode in ["passthrough", "record", "replay"] {
            let gateway = gateway::over(&folder, mode)
                .upstream(&format!("http://{upstream}"))
                .start();
            let head = client::raw(gateway.address, GET).head();
            let line = head.lines().next().unwrap();
            assert_eq!(line, format!("HTTP/1.1 {status_line}"), "{mode}");
            gateway.stop();
        }
        let exchange = &folder.exchanges("default")[0];
        assert_eq!(
            exchange["response"]["reason"].as_str(),
            recorded,
            "{status_line}"
        );
    }
}

/// A client such as curl sends them as they are, and servers accept them.
#[test]
fn bytes_that_a_uri_does_not_allow_are_percent_encoded() {
    let origin = peer(|peer| {
        loop {
            let head = peer.head();
            let Some(line) = head.split("\r\n").next().filter(|line| !line.is_empty()) else {
                return;
            };
            let length = line.len();
            peer.send(format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{line}"
            ));
        }
    });
    let gateway = gateway::over(&Arc::new(Folder::new()), "passthrough")
        .upstream(&format!("http://{origin}"))
        .start();
    for (target, expected) in [
        (&b"/<x>`\"?q=<\"`>"[..], "/%3Cx%3E%60\"?q=%3C%22`%3E"),
        (b"/\xff\xfe?\xff", "/%FF%FE?%FF"),
        (b"/caf\xc3\xa9", "/caf\u{e9}"),
    ] {
        let request = [b"GET ", target, b" HTTP/1.1\r\nhost: x\r\n\r\n"].concat();
        // Each byte in a segment of its own, then all at once, also behind another request.
        let mut raw = client::raw(gateway.address, "");
        for byte in &request {
            raw.write([*byte]);
        }
        raw.write(request.repeat(2));
        for _ in 0..3 {
            let length = format!("GET {expected} HTTP/1.1").len();
            assert!(raw.head().starts_with("HTTP/1.1 200 OK\r\n"));
            let line = String::from_utf8(raw.exactly(length).unwrap()).unwrap();
            assert_eq!(line, format!("GET {expected} HTTP/1.1"));
        }
    }
}
