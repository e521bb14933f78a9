//! One side speaks TLS, and the other does not.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
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

/// What a client is told at its last request to an upstream, which has these answers, one on each
/// connection, the last of them again and again. None resets the connection.
fn told_by(scheme: &str, answers: &'static [Option<&'static [u8]>]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("{scheme}://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for number in 0.. {
            let answer = answers[usize::min(number, answers.len() - 1)];
            let (mut socket, _) = listener.accept().unwrap();
            // Closing a socket with unread data resets the connection.
            socket.peek(&mut [0]).unwrap();
            if let Some(answer) = answer {
                socket.write_all(answer).unwrap();
                socket.shutdown(std::net::Shutdown::Write).unwrap();
                let _ = socket.read_to_end(&mut Vec::new());
            }
        }
    });
    let gateway = gateway::over(&Arc::new(Folder::new()), "passthrough");
    let gateway = gateway.upstream(&url).start();
    let mut told = String::new();
    for _ in answers {
        let answer = client::http1(&gateway).ask("POST", "/").send();
        answer.text().clone_into(&mut told);
    }
    told
}

#[test]
fn an_upstream_that_speaks_the_other_version_of_http_is_told_apart() {
    const HTTP1: &[u8] = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n";
    const SETTINGS: &[u8] = b"\0\0\0\x04\0\0\0\0\0";

    let text = told_by("h2c", &[Some(HTTP1)]);
    assert!(text.contains("write `http://`"), "{text}");
    let text = told_by("http", &[Some(SETTINGS)]);
    assert!(text.contains("write `h2c://`"), "{text}");
}

#[test]
fn a_reset_without_any_answer_may_come_from_tls() {
    for scheme in ["http", "h2c"] {
        let text = told_by(scheme, &[None]);
        assert!(
            text.contains("if it speaks TLS, write `https://`"),
            "{text}"
        );
    }
}

#[test]
fn an_http2_upstream_that_sends_its_settings_first_is_told_apart() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let upstream = std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        socket.write_all(b"\0\0\0\x04\0\0\0\0\0").unwrap();
        let _ = socket.read_to_end(&mut Vec::new());
    });
    let gateway = gateway::over(&Arc::new(Folder::new()), "passthrough");
    let gateway = gateway.upstream(&url).start();
    let answer = client::http1(&gateway).ask("POST", "/").send();
    assert!(
        answer.text().contains("write `h2c://`"),
        "{}",
        answer.text()
    );
    upstream.join().unwrap();
}
