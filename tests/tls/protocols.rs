//! One side speaks TLS, and the other does not.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;

use super::secured;
use crate::support::client::{self, raw};
use crate::support::folder::Folder;
use crate::support::{gateway, origin, tls};

#[test]
fn plain_http_to_a_listener_with_tls_is_answered() {
    let origin = origin::simple();
    let folder = Arc::new(Folder::new());
    tls::identity().write(&folder, "server");
    let gateway = secured(&folder, &origin.url(), "");
    let head = "GET /hello HTTP/1.1\r\nhost: x\r\n\r\n";
    let answer = raw(gateway.address, head).rest();
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(
        answer.contains("this is plain HTTP") && answer.contains("https://"),
        "{answer}"
    );
    assert!(origin.seen().is_empty());
}

#[test]
fn tls_to_a_listener_without_it_is_answered() {
    let origin = origin::simple();
    let gateway = gateway::passthrough(&origin).start();
    // The begin of a ClientHello, with the byte of a line end in it.
    for hello in [
        &b"\x16\x03\x01\x00\x05\x01"[..],
        b"\x16\x03\x01\x00\x0a\x01",
    ] {
        let mut socket = TcpStream::connect(gateway.address).unwrap();
        socket.write_all(hello).unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
        assert!(answer.contains("this is TLS"), "{answer}");
    }
}

#[test]
fn an_upstream_that_speaks_the_other_protocol_is_told_apart() {
    let plain = origin::simple();
    let ask = |upstream: &str| {
        let gateway = gateway::over(&Arc::new(Folder::new()), "passthrough");
        let gateway = gateway.upstream(upstream).start();
        let answer = client::http1(&gateway).get("/hello");
        assert_eq!(answer.status, 502);
        answer.text().to_owned()
    };
    let text = ask(&format!("https://{}", plain.address));
    assert!(text.contains("write `http://`"), "{text}");
    let secure = origin::new().tls(tls::identity().server(&["http/1.1"]));
    let secure = secure.start();
    let text = ask(&format!("http://{}", secure.address));
    assert!(text.contains("write `https://`"), "{text}");
}
