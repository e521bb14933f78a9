//! Pooled upstream connections: closed ones are not reused, and a request whose connection is
//! closed as it goes out is sent again only if that is safe.

use std::sync::Arc;

use super::peers::{Do, Origin, origins};
use crate::support::folder::Folder;
use crate::support::{client, gateway, until};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

fn passthrough(url: &str) -> gateway::Running {
    let gateway = gateway::over(&Arc::new(Folder::new()), "passthrough");
    gateway.upstream(url).start_with(1)
}

#[test]
fn a_connection_closed_by_the_upstream_is_not_reused() {
    let origin = origins(vec![
        &[Do::Read, Do::Send(OK)],
        &[Do::Read, Do::Send(OK), Do::Stall],
    ]);
    let gateway = passthrough(&origin.url());
    assert_eq!(client::http1(&gateway).get("/a").text(), "ok");
    until("the close", || (origin.done() == 1).then_some(()));
    let posted = client::http1(&gateway).post("/b", "text/plain", "once");
    assert_eq!(posted.text(), "ok");
    assert_eq!(origin.heads().len(), 2);
}

/// A kept connection that the upstream closes just as the second request arrives, having sent
/// `answer`, and one that works.
fn closing(answer: &'static [u8]) -> Origin {
    let steps = vec![Do::Read, Do::Send(OK), Do::Read, Do::Send(answer)];
    origins(vec![
        Box::leak(steps.into_boxed_slice()),
        &[Do::Read, Do::Send(OK), Do::Stall],
    ])
}

/// The status of the second request, and its requests and connections so far.
fn second(origin: &Origin, method: &str, body: &str) -> (u16, usize, usize) {
    let gateway = passthrough(&origin.url());
    assert_eq!(client::http1(&gateway).get("/a").text(), "ok");
    let ask = client::http1(&gateway).ask(method, "/b").body(body);
    let answer = ask.send();
    if answer.status != 200 {
        assert_eq!(answer.header("ouli-error"), "upstream");
    }
    // The first one has sent one request.
    let heads = origin.heads();
    (answer.status, heads.len() - 1, origin.connections())
}

#[test]
fn an_idempotent_request_whose_idle_connection_is_closed_is_sent_again() {
    for (method, body) in [("GET", ""), ("HEAD", ""), ("DELETE", ""), ("PUT", "body")] {
        let seen = second(&closing(b""), method, body);
        assert_eq!(seen, (200, 2, 2), "{method}");
    }
}

#[test]
fn a_request_that_the_upstream_may_have_processed_is_not_sent_again() {
    // Not idempotent.
    for (method, body) in [("POST", "once"), ("POST", ""), ("PATCH", "once")] {
        let seen = second(&closing(b""), method, body);
        assert_eq!(seen, (502, 1, 1), "{method}");
    }
    // Part of an answer has come.
    let early = b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n";
    for answer in [&b"HTTP"[..], b"HTTP/1.1 200 OK\r\ncontent-", early] {
        let seen = second(&closing(answer), "GET", "");
        assert_eq!(seen, (502, 1, 1), "{}", answer.escape_ascii());
    }
}

#[test]
fn a_request_is_sent_again_once() {
    let origin = origins(vec![&[Do::Read, Do::Send(OK), Do::Read], &[Do::Read]]);
    assert_eq!(second(&origin, "GET", ""), (502, 2, 2));
    // A new connection was not idle.
    let origin = origins(vec![&[Do::Read]]);
    let gateway = passthrough(&origin.url());
    assert_eq!(client::http1(&gateway).get("/").status, 502);
    assert_eq!((origin.heads().len(), origin.connections()), (1, 1));
}

#[test]
fn a_body_that_was_not_kept_is_not_sent_again() {
    let origin = closing(b"");
    let gateway = gateway::over(&Arc::new(Folder::new()), "passthrough")
        .upstream(&origin.url())
        .section("[limits]\nupstream_retry_buffer = \"3 B\"")
        .start_with(1);
    assert_eq!(client::http1(&gateway).get("/a").text(), "ok");
    let put = client::http1(&gateway).ask("PUT", "/b").body("four").send();
    assert_eq!((put.status, origin.connections()), (502, 1));
}

#[test]
fn bytes_after_a_response_are_not_the_next_response() {
    const MORE: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok\
        HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil";
    let origin = origins(vec![
        &[Do::Read, Do::Send(MORE), Do::Stall],
        &[Do::Read, Do::Send(OK), Do::Stall],
    ]);
    let gateway = passthrough(&origin.url());
    assert_eq!(client::http1(&gateway).get("/a").text(), "ok");
    assert_eq!(client::http1(&gateway).get("/b").text(), "ok");
    assert_eq!(origin.connections(), 2);
}

#[test]
fn a_broken_connection_is_not_reused() {
    let origin = origins(vec![
        &[
            Do::Read,
            Do::Send(super::body::CHUNKED),
            Do::Send(b"no size\r\n"),
            Do::Stall,
        ],
        &[Do::Read, Do::Send(OK), Do::Stall],
    ]);
    let gateway = passthrough(&origin.url());
    assert!(client::http1(&gateway).ask("GET", "/a").try_send().is_err());
    assert_eq!(client::http1(&gateway).get("/b").text(), "ok");
    assert_eq!(origin.connections(), 2);
}
