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

/// An upstream that answers the first connection, and closes all others without an answer.
fn answering_once(scheme: &str) -> (String, std::thread::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("{scheme}://{}", listener.local_addr().unwrap());
    let upstream = std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            socket.read_exact(&mut byte).unwrap();
            request.push(byte[0]);
        }
        let answer = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
        socket.write_all(answer).unwrap();
        drop(socket);
        let (socket, _) = listener.accept().unwrap();
        socket.peek(&mut [0]).unwrap();
    });
    (url, upstream)
}

#[test]
fn an_upstream_that_has_answered_speaks_its_protocol_on_every_connection() {
    // A request that may be upgraded has a connection of its own.
    for upgrade in [false, true] {
        let (url, upstream) = answering_once("http");
        let gateway = gateway::over(&Arc::new(Folder::new()), "passthrough");
        let gateway = gateway.upstream(&url).start();
        assert_eq!(client::http1(&gateway).get("/").status, 200);
        let mut ask = client::http1(&gateway).ask("POST", "/");
        if upgrade {
            ask = ask.header("connection", "upgrade").header("upgrade", "tcp");
        }
        let answer = ask.send();
        assert_eq!(answer.status, 502);
        let text = answer.text();
        assert!(!text.contains("if it speaks TLS"), "{upgrade}: {text}");
        upstream.join().unwrap();
    }
}

/// The first message of a TLS server, and what is no TLS after it.
fn broken_handshake(mut socket: TcpStream) {
    let config = tls::identity().server(&["http/1.1"]);
    let mut server = rustls::ServerConnection::new(config).unwrap();
    while !server.wants_write() {
        server.read_tls(&mut socket).unwrap();
        server.process_new_packets().unwrap();
    }
    let mut flight = Vec::new();
    server.write_tls(&mut flight).unwrap();
    let length = u16::from_be_bytes([flight[3], flight[4]]);
    flight.truncate(5 + usize::from(length));
    flight.extend_from_slice(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    socket.write_all(&flight).unwrap();
    let _ = socket.read_to_end(&mut Vec::new());
}

#[test]
fn an_upstream_that_began_a_tls_handshake_speaks_tls() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let upstream = std::thread::spawn(move || broken_handshake(listener.accept().unwrap().0));
    let gateway = gateway::over(&Arc::new(Folder::new()), "passthrough");
    let gateway = gateway.upstream(&url).start();
    let answer = client::http1(&gateway).get("/");
    assert_eq!(answer.status, 502);
    let text = answer.text();
    assert!(text.contains("it violates TLS"), "{text}");
    assert!(!text.contains("plain HTTP"), "{text}");
    upstream.join().unwrap();
}
