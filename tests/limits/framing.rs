//! Ambiguous requests are rejected before any part is forwarded.

use crate::support::client;
use crate::support::gateway;
use crate::support::origin;

/// All bytes of the response.
fn answers(gateway: &gateway::Running, bytes: &str) -> String {
    let mut raw = client::raw(gateway.address, &bytes[..1]);
    raw.try_write(&bytes[1..]);
    raw.rest()
}

#[test]
fn a_head_that_is_ambiguous_is_a_400() {
    let origin = origin::simple();
    let gateway = gateway::passthrough(&origin).start();
    let heads = [
        "content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "transfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n",
        "content-length: 5\r\ncontent-length: 6\r\n\r\nhello",
        "transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n\r\n0\r\n\r\n",
        "transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "x: 1\n\r\n",
        "host: y\r\n\r\n",
    ];
    for rest in heads {
        let answer = answers(
            &gateway,
            &format!("POST /echo HTTP/1.1\r\nhost: x\r\n{rest}"),
        );
        assert!(answer.starts_with("HTTP/1.1 400 "), "{rest:?}: {answer}");
        assert!(answer.contains("ouli-error: request"), "{rest:?}: {answer}");
        assert!(answer.contains("connection: close"), "{rest:?}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{rest:?}: {answer}");
    }
    for head in [
        "GET /hello HTTP/1.1\r\n\r\n",
        "POST /echo HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    ] {
        assert!(
            answers(&gateway, head).starts_with("HTTP/1.1 400 "),
            "{head:?}"
        );
    }
    assert_eq!(origin.seen().len(), 0);
}

#[test]
fn chunks_that_are_ambiguous_end_the_request() {
    let origin = origin::simple();
    let gateway = gateway::passthrough(&origin).start();
    let bodies = [
        "5\nhello\r\n0\r\n\r\n",
        "5;a\n\r\nhello\r\n0\r\n\r\n",
        "5 \r\nhello\r\n0\r\n\r\n",
    ];
    for body in bodies {
        let head = "POST /echo HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n";
        let follows = "GET /hello HTTP/1.1\r\nhost: x\r\n\r\n";
        let answer = answers(&gateway, &format!("{head}{body}{follows}"));
        let refused = answer.is_empty() || answer.starts_with("HTTP/1.1 400 ");
        assert!(refused, "{body:?}: {answer}");
    }
    assert_eq!(origin.seen().len(), 0);
}

#[test]
fn requests_before_it_are_answered() {
    let origin = origin::simple();
    let gateway = gateway::passthrough(&origin).start();
    let good = "GET /hello HTTP/1.1\r\nhost: x\r\n\r\n";
    let mut raw = client::raw(gateway.address, good);
    raw.write("GET /hello HTTP/1.1\n\n");
    assert!(raw.head().starts_with("HTTP/1.1 200 "));
    raw.read_until("morning\n");
    let answer = raw.rest();
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(answer.contains("more than one way"), "{answer}");
    assert_eq!(origin.seen().len(), 1);
}
