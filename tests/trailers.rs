//! Trailer fields (RFC 9110, section 6.5): forwarded, recorded and replayed, announced or not.

use std::sync::Arc;

use crate::support::client;
use crate::support::folder::Folder;
use crate::support::gateway;
use crate::support::origin::{self, peer};

const REQUEST: &str = "GET /sum HTTP/1.1\r\nhost: x\r\n\r\n";

/// The response of a client without `te`, up to the end of the trailers.
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
fn the_bound_on_trailers_and_chunk_extensions_is_named() {
    let many = "x-t: 1\r\n".repeat(200);
    let cases = [
        (
            format!("4\r\ndata\r\n0\r\nx-sum: {}\r\n\r\n", "1".repeat(70_000)),
            "the trailers are larger than 16 KiB",
        ),
        (
            format!("4;{}\r\ndata\r\n0\r\n\r\n", "a".repeat(40_000)),
            "the chunk extensions are larger than 16 KiB",
        ),
        (
            format!("4\r\ndata\r\n0\r\n{many}\r\n"),
            "raise limits.upstream_header_count",
        ),
    ];
    for (body, told) in cases {
        let upstream = peer(move |peer| {
            while !peer.head().is_empty() {
                peer.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
                peer.send(&body);
            }
        });
        let folder = Arc::new(Folder::new());
        let builder = gateway::over(&folder, "record").upstream(&format!("http://{upstream}"));
        let gateway = builder.start();
        let mut raw = client::raw(gateway.address, REQUEST);
        assert!(raw.head().starts_with("HTTP/1.1 200 OK"));
        drop(raw.rest());
        let report = gateway.finish();
        let reasons: Vec<_> = report
            .counted(ouli_config::Defect::Partial)
            .into_keys()
            .collect();
        assert!(
            reasons.iter().any(|reason| reason.contains(told)),
            "{report:?}"
        );
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

/// In auto mode the whole body is read before it is forwarded.
#[test]
fn the_trailers_of_a_request_are_forwarded_and_recorded() {
    for mode in ["record", "auto"] {
        for is_h2c in [false, true] {
            let upstream = origin::simple();
            let url = if is_h2c {
                upstream.h2c()
            } else {
                upstream.url()
            };
            let gateway = gateway::over(&Arc::new(Folder::new()), mode)
                .upstream(&url)
                .start();
            let request = "POST /echo HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\
                           trailer: x-sum\r\n\r\n4\r\ndata\r\n0\r\nx-sum: 1\r\n\r\n";
            let head = client::raw(gateway.address, request).head();
            assert!(head.starts_with("HTTP/1.1 200 "), "{mode} {url}: {head}");
            let seen = &upstream.seen()[0];
            assert_eq!(&*seen.body, b"data", "{mode} {url}");
            let sum = seen.trailers.as_ref().and_then(|it| it.get("x-sum"));
            assert_eq!(sum.unwrap(), "1", "{mode} {url}");
            let folder = Arc::clone(&gateway.folder);
            gateway.stop();
            let trailers = &folder.exchanges("default")[0]["request"]["trailers"];
            assert_eq!(
                *trailers,
                serde_json::json!([["x-sum", "1"]]),
                "{mode} {url}"
            );
        }
    }
}

#[test]
fn more_trailers_than_a_request_may_have_name_the_limit() {
    let origin = origin::simple();
    let limits = "[limits]\nheader_count = 5";
    let gateway = gateway::passthrough(&origin).section(limits).start();
    let ask = |count: usize| {
        let trailers: String = (0..count).map(|at| format!("x-{at}: 1\r\n")).collect();
        let request = format!(
            "POST /echo HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\
             connection: close\r\n\r\n1\r\nx\r\n0\r\n{trailers}\r\n"
        );
        client::raw(gateway.address, request).rest()
    };
    assert!(ask(5).starts_with("HTTP/1.1 200 "), "{}", ask(5));
    let refused = ask(6);
    assert!(refused.starts_with("HTTP/1.1 400 "), "{refused}");
    assert!(refused.contains("limits.header_count"), "{refused}");
}
