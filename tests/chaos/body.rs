//! Faults in a response body: the client sees the fault and the exchange is not recorded as
//! complete.

use std::sync::Arc;

use ouli_config::Defect;

use super::peers::{Do, End, after_head, ask, origin, send_until};
use crate::support::client;
use crate::support::folder::Folder;
use crate::support::gateway;
use crate::support::{PATIENCE, until};

/// The head of a response of ten bytes and the first half of the body.
pub(super) const SIZED: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf.";

/// The same with chunked coding.
pub(super) const CHUNKED: &[u8] =
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhalf.\r\n";

const FAULTS: &[(&str, &[Do])] = &[
    ("reset", &[Do::Read, Do::Send(SIZED), Do::Reset]),
    ("short", &[Do::Read, Do::Send(SIZED)]),
    (
        "short, half closed",
        &[Do::Read, Do::Send(SIZED), Do::HalfClose],
    ),
    ("chunks, reset", &[Do::Read, Do::Send(CHUNKED), Do::Reset]),
    ("chunks, closed", &[Do::Read, Do::Send(CHUNKED)]),
    (
        "chunks, half closed",
        &[Do::Read, Do::Send(CHUNKED), Do::HalfClose],
    ),
    (
        "chunks of garbage",
        &[
            Do::Read,
            Do::Send(CHUNKED),
            Do::Send(b"no size\r\n"),
            Do::Stall,
        ],
    ),
    (
        "trailers, reset",
        &[
            Do::Read,
            Do::Send(CHUNKED),
            Do::Send(b"0\r\nx-sum: 1"),
            Do::Reset,
        ],
    ),
    (
        "trailers, closed",
        &[Do::Read, Do::Send(CHUNKED), Do::Send(b"0\r\nx-sum: 1\r\n")],
    ),
];

#[test]
fn a_body_with_an_error_is_not_recorded() {
    for (name, steps) in FAULTS {
        let origin = origin(steps);
        for mode in ["record", "auto", "passthrough"] {
            let gateway = gateway::over(&Arc::new(Folder::new()), mode);
            let gateway = gateway.upstream(&origin.url()).start();
            let (answer, end) = ask(gateway.address, "/a", PATIENCE);
            assert_eq!(end, End::Closed, "{name} {mode}");
            assert!(
                answer.starts_with("HTTP/1.1 200"),
                "{name} {mode}: {answer}"
            );
            let body = after_head(&answer);
            // A reset may discard bytes that arrived just before it; a close does not.
            let all = body == "half." || body == "5\r\nhalf.\r\n";
            let lost = name.contains("reset") && body.is_empty();
            assert!(all || lost, "{name} {mode}: {body:?}");
            assert!(!body.ends_with("0\r\n\r\n"), "{name} {mode}: {body:?}");
            let broken = client::http2(&gateway).ask("GET", "/b").try_send();
            assert!(broken.is_err(), "{name} {mode}: {broken:?}");
            let folder = Arc::clone(&gateway.folder);
            let verdict = gateway.stop();
            assert_eq!(verdict.passed, mode == "passthrough", "{verdict:?}");
            // A passthrough opens no session.
            for report in verdict.sessions {
                assert_eq!(report.recorded, 0, "{name} {mode}");
                let lost: u64 = report.counted(Defect::Partial).values().sum();
                assert_eq!(lost, 2, "{name} {mode}: {report:?}");
            }
            assert!(folder.exchanges("default").is_empty());
        }
    }
}

#[test]
fn a_body_ended_by_close_is_complete_and_by_reset_is_not() {
    const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\nall of it";
    let recorded = |steps| {
        let origin = origin(steps);
        let gateway = gateway::over(&Arc::new(Folder::new()), "record");
        let gateway = gateway.upstream(&origin.url()).start();
        let answer = client::http1(&gateway).ask("GET", "/").try_send();
        let whole = answer.is_ok_and(|answer| answer.text() == "all of it");
        (whole, gateway.finish().recorded)
    };
    assert_eq!(recorded(&[Do::Read, Do::Send(HEAD)]), (true, 1));
    assert_eq!(recorded(&[Do::Read, Do::Send(HEAD), Do::Reset]), (false, 0));
}

#[test]
fn a_client_half_close_aborts_the_upstream_request() {
    let origin = origin(&[Do::Read, Do::Send(SIZED), Do::Stall]);
    let gateway = gateway::over(&Arc::new(Folder::new()), "record").upstream(&origin.url());
    let gateway = gateway.start();
    let stream = std::net::TcpStream::connect(gateway.address).unwrap();
    let mut client = &stream;
    std::io::Write::write_all(&mut client, b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
    until("the request", || (origin.heads().len() == 1).then_some(()));
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = String::new();
    std::io::Read::read_to_string(&mut client, &mut answer).unwrap();
    assert!(
        !answer.contains("half.") || after_head(&answer) == "half.",
        "{answer}"
    );
    until("the end of the upstream's connection", || {
        (origin.done() == 1).then_some(())
    });
    assert_eq!(gateway.finish().recorded, 0);
}

#[test]
fn an_early_response_leaves_no_reusable_connection() {
    const REFUSED: &[u8] = b"HTTP/1.1 413 Content Too Large\r\ncontent-length: 3\r\n\r\nbig";
    let origin = super::peers::origins(vec![
        &[Do::Read, Do::Send(REFUSED), Do::Stall],
        &[
            Do::Read,
            Do::Send(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"),
            Do::Stall,
        ],
    ]);
    let gateway = gateway::over(&Arc::new(Folder::new()), "record").upstream(&origin.url());
    let gateway = gateway.start_with(1);
    // The request body is shorter than its content-length.
    let early = "POST /a HTTP/1.1\r\nhost: a\r\ncontent-length: 1000\r\n\r\nhalf of it";
    let answer = send_until(gateway.address, early, "big");
    assert!(
        answer.starts_with("HTTP/1.1 413") && answer.ends_with("big"),
        "{answer}"
    );
    assert_eq!(client::http1(&gateway).get("/b").text(), "ok");
    // The first request was incomplete when the second one was sent, so each had its own
    // connection.
    assert_eq!(origin.connections(), 2);
    assert!(
        origin.heads()[1].starts_with("GET /b "),
        "{:?}",
        origin.heads()
    );
    // The first exchange has a truncated request.
    assert_eq!(gateway.finish().recorded, 2);
}
