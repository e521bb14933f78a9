//! Pooled upstream connections: closed ones are not reused, and no request is sent twice.

use std::sync::Arc;

use super::peers::{Do, origins};
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

#[test]
fn a_sent_request_is_never_retried() {
    // The upstream closes the pooled connection when the second request arrives.
    let origin = origins(vec![
        &[Do::Read, Do::Send(OK), Do::Read],
        &[Do::Read, Do::Send(OK), Do::Stall],
    ]);
    let gateway = passthrough(&origin.url());
    assert_eq!(client::http1(&gateway).get("/a").text(), "ok");
    let lost = client::http1(&gateway).get("/b");
    assert_eq!((lost.status, lost.header("ouli-error")), (502, "upstream"));
    assert_eq!((origin.heads().len(), origin.connections()), (2, 1));
    // The next request gets a new connection.
    assert_eq!(client::http1(&gateway).get("/c").text(), "ok");
    assert_eq!(origin.connections(), 2);
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
