//! Faults before the head of a response: 502 or 504 with a reason, and nothing recorded.

use std::sync::Arc;

use ouli_config::Defect;

use super::peers::{Do, origin};
use crate::support::client::{self, Answer};
use crate::support::folder::Folder;
use crate::support::gateway;

/// Only for upstreams that do not respond in time: all other faults end without a timeout.
const LATE: &str = "[limits]\nresponse_header_timeout = \"400ms\"";
const LIMITS: &str = "[limits]\ninterim_responses = 8";

/// A fault: its name, the steps of the origin, the status and a word of the reason.
type Fault = (&'static str, &'static [Do], u16, &'static str);

const FAULTS: &[Fault] = &[
    ("reset", &[Do::Read, Do::Reset], 502, "reset"),
    ("close", &[Do::Read], 502, "before message completed"),
    (
        "reset within the head",
        &[Do::Read, Do::Send(b"HTTP/1.1 200 OK\r\nx-a: "), Do::Reset],
        502,
        "reset",
    ),
    (
        "close within the head",
        &[Do::Read, Do::Send(b"HTTP/1.1 200 OK\r\nx-a: ")],
        502,
        "before message completed",
    ),
    (
        "half a head, then half a close",
        &[Do::Read, Do::Send(b"HTTP/1.1 200"), Do::HalfClose],
        502,
        "before message completed",
    ),
    (
        "garbage",
        &[
            Do::Read,
            Do::Send(b"\x16\x03 no HTTP at all\r\n\r\n"),
            Do::Stall,
        ],
        502,
        "does not answer in HTTP",
    ),
    (
        "two lengths",
        &[
            Do::Read,
            Do::Send(b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab"),
        ],
        502,
        "content-length",
    ),
    (
        "endless fields",
        &[
            Do::Read,
            Do::Send(b"HTTP/1.1 200 OK\r\n"),
            Do::Forever(b"x-a: b\r\n"),
        ],
        502,
        "too large",
    ),
    (
        "an endless field",
        &[
            Do::Read,
            Do::Send(b"HTTP/1.1 200 OK\r\nx-a: "),
            Do::Forever(&[b'a'; 512]),
        ],
        502,
        "too large",
    ),
    (
        "interim responses without end",
        &[
            Do::Read,
            Do::Forever(b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n"),
        ],
        502,
        "limits.interim_responses",
    ),
    (
        "one hundred that continue",
        &[Do::Read, Do::Forever(b"HTTP/1.1 100 Continue\r\n\r\n")],
        502,
        "limits.interim_responses",
    ),
    (
        "stall",
        &[Do::Read, Do::Stall],
        504,
        "limits.response_header_timeout",
    ),
    (
        "stall within the head",
        &[Do::Read, Do::Send(b"HTTP/1.1 200 OK\r\nx-a"), Do::Stall],
        504,
        "limits.response_header_timeout",
    ),
];

fn assert_fault(answer: &Answer, name: &str, status: u16, word: &str) {
    let seen = (answer.status, answer.header("ouli-error"));
    assert_eq!(seen, (status, "upstream"), "{name}: {}", answer.text());
    let text = answer.text().to_lowercase();
    assert!(text.contains(&word.to_lowercase()), "{name}: {text}");
}

/// The responses of a mode over HTTP/1.1 and HTTP/2.
fn asked(url: &str, mode: &'static str, limits: &str) -> (Answer, Answer) {
    let gateway = gateway::over(&Arc::new(Folder::new()), mode).upstream(url);
    let gateway = gateway.section(limits).start();
    let answers = (
        client::http1(&gateway).get("/a"),
        client::http2(&gateway).get("/b"),
    );
    let folder = Arc::clone(&gateway.folder);
    let verdict = gateway.stop();
    if mode == "passthrough" {
        assert!(verdict.sessions.is_empty(), "{verdict:?}");
    } else {
        let report = gateway::pick(verdict, "default");
        assert_eq!(report.recorded + report.recorded_failures, 0, "{url}");
        assert_eq!(
            report.counted(Defect::UpstreamError).values().sum::<u64>(),
            2,
            "{report:?}"
        );
    }
    assert!(folder.exchanges("default").is_empty());
    answers
}

#[test]
fn a_fault_before_the_response_head_is_reported_and_not_recorded() {
    for (name, steps, status, word) in FAULTS {
        let origin = origin(steps);
        let limits = if *status == 504 { LATE } else { LIMITS };
        for mode in ["record", "auto", "passthrough"] {
            let (one, two) = asked(&origin.url(), mode, limits);
            assert_fault(&one, name, *status, word);
            assert_fault(&two, name, *status, word);
        }
        // Each request was sent once: the gateway never resends a request.
        assert_eq!(origin.heads().len(), 6, "{name}");
    }
}

#[test]
fn a_refused_connection_is_reported() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    for scheme in ["http", "h2c", "https"] {
        for mode in ["record", "auto", "passthrough"] {
            let (one, two) = asked(&format!("{scheme}://{address}"), mode, LIMITS);
            assert_fault(&one, scheme, 502, "refused");
            assert_fault(&two, scheme, 502, "refused");
        }
    }
}

#[test]
fn an_unresolvable_name_is_reported() {
    let (one, two) = asked("http://nowhere.invalid:1", "record", LIMITS);
    assert_fault(&one, "dns", 502, "nowhere.invalid has no address");
    assert_fault(&two, "dns", 502, "nowhere.invalid has no address");
}

#[test]
fn interim_responses_are_limited() {
    let origin = origin(&[
        Do::Read,
        Do::Send(b"HTTP/1.1 103 Early Hints\r\n\r\n"),
        Do::Send(b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"),
        Do::Send(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"),
    ]);
    let gateway = gateway::over(&Arc::new(Folder::new()), "record").upstream(&origin.url());
    let exact = gateway
        .clone()
        .section("[limits]\ninterim_responses = 3")
        .start();
    assert_eq!(client::http1(&exact).get("/").text(), "ok");
    let fewer = gateway.section("[limits]\ninterim_responses = 2").start();
    let answer = client::http1(&fewer).get("/");
    assert_fault(&answer, "one more", 502, "limits.interim_responses");
}
