//! Trailer fields (RFC 9110, section 6.5): forwarded, recorded and replayed, announced or not.

use std::sync::Arc;

use crate::support::client;
use crate::support::folder::Folder;
use crate::support::gateway;
use crate::support::origin::{self, peer};

const REQUEST: &str = "GET /sum HTTP/1.1\r\nhost: x\r\n\r\n";

/// What a client without `te` gets of a response: everything up to the end of the trailers.
fn ask(gateway: &gateway::Running) -> String {
    let mut raw = client::raw(gateway.address, REQUEST);
    let mut all = raw.head();
    all += &raw.read_until("\r\n0\r\n");
    loop {
        let line = raw.read_until("\r\n");
        all += &line;
        if line == "\r\n" || line.is_empty() {
            return all;
        }
    }
}

#[test]
fn trailers_reach_an_http1_client_that_did_not_ask_for_them() {
    let upstream = peer(|peer| {
        while !peer.head().is_empty() {
            peer.send(
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\ndata\r\n0\r\n\
                 x-sum: 1\r\nx-sum: 2\r\ncontent-length: 9\r\nx-last: a b\r\n\r\n",
            );
        }
    });
    let url = format!("http://{upstream}");
    let end = "4\r\ndata\r\n0\r\nx-sum: 1\r\nx-sum: 2\r\nx-last: a b\r\n\r\n";
    let folder = Arc::new(Folder::new());
    for mode in ["passthrough", "record", "replay"] {
        let gateway = gateway::over(&folder, mode).upstream(&url).start();
        for _ in 0..2 {
            let all = ask(&gateway);
            assert!(all.starts_with("HTTP/1.1 200 OK\r\n"), "{mode}: {all}");
            assert!(all.ends_with(end), "{mode}: {all}");
        }
        gateway.stop();
    }
}

#[test]
fn a_response_follows_the_trailers_of_the_one_before() {
    let upstream = origin::new()
        .route("/sum", |_| {
            origin::parts()
                .header("trailer", "x-sum")
                .part("data")
                .trailer("x-sum", "1")
        })
        .start();
    let gateway = gateway::passthrough(&upstream).start();
    let te = "GET /sum HTTP/1.1\r\nhost: x\r\nte: trailers\r\nconnection: te\r\n\r\n";
    let mut raw = client::raw(gateway.address, te.repeat(3));
    for _ in 0..3 {
        assert!(raw.head().starts_with("HTTP/1.1 200 OK\r\n"));
        let body = raw.read_until("\r\n\r\n");
        assert_eq!(body, "4\r\ndata\r\n0\r\nx-sum: 1\r\n\r\n");
    }
}

#[test]
fn an_http10_client_gets_the_body_without_trailers() {
    let upstream = origin::new()
        .route("/sum", |_| {
            origin::parts().part("data").trailer("x-sum", "1")
        })
        .start();
    let folder = Arc::new(Folder::new());
    let gateway = gateway::over(&folder, "passthrough")
        .upstream(&upstream.h2c())
        .start();
    let all = client::raw(gateway.address, "GET /sum HTTP/1.0\r\nhost: x\r\n\r\n").rest();
    assert!(all.ends_with("\r\n\r\ndata"), "{all}");
}
