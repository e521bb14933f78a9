//! Tunnels: no bytes are forwarded before both sides accept, and no tunnel is opened without a
//! request.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use ouli_codec::websocket;

use crate::support::folder::Folder;
use crate::support::gateway::{self, Running};
use crate::support::{PATIENCE, client};

const UPGRADE: &str = "host: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
    sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// Bytes that a client sends before the response.
const EARLY: &[u8] = b"\x81\x85\x01\x02\x03\x04iggnn";

/// An origin for one connection; it reports the request head.
struct Once {
    heads: Receiver<String>,
    thread: JoinHandle<()>,
}

/// A gateway with an origin that responds to one head with `answer`.
fn before(answer: fn(&mut TcpStream, &str)) -> (Running, Once) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (tell, heads) = sync_channel(1);
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte).unwrap();
            head.extend(byte);
        }
        let head = String::from_utf8(head).unwrap();
        tell.send(head.clone()).unwrap();
        answer(&mut stream, &head);
    });
    let folder = std::sync::Arc::new(Folder::new());
    let gateway = gateway::over(&folder, "record").upstream(&url).start();
    (gateway, Once { heads, thread })
}

#[test]
fn early_bytes_wait_for_the_upgrade() {
    let (gateway, origin) = before(|stream, head| {
        stream
            .set_read_timeout(Some(Duration::from_millis(200)))
            .unwrap();
        let came = stream.peek(&mut [0]);
        assert!(came.is_err(), "bytes of a tunnel that was not opened");
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let key = head
            .lines()
            .find_map(|line| line.strip_prefix("sec-websocket-key: "));
        let accept = websocket::accept_key(key.unwrap());
        let agreed = format!(
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
             sec-websocket-accept: {accept}\r\n\r\n"
        );
        stream.write_all(agreed.as_bytes()).unwrap();
        let mut bytes = vec![0; EARLY.len()];
        stream.read_exact(&mut bytes).unwrap();
        assert_eq!(bytes, EARLY);
    });
    let handshake = format!("GET /socket HTTP/1.1\r\n{UPGRADE}");
    let mut raw = client::raw(gateway.address, [handshake.as_bytes(), EARLY].concat());
    assert!(raw.head().starts_with("HTTP/1.1 101 "));
    origin.thread.join().unwrap();
}

#[test]
fn an_upgrade_without_request_is_an_error() {
    for fields in [UPGRADE, "host: x\r\n\r\n"] {
        let (gateway, origin) = before(|stream, _| {
            let switch = b"HTTP/1.1 101 Switching Protocols\r\n\r\n";
            stream.write_all(switch).unwrap();
        });
        let request = format!("GET /socket HTTP/1.1\r\n{fields}");
        let answer = client::raw(gateway.address, request).head();
        assert!(answer.starts_with("HTTP/1.1 502 "), "{answer}");
        origin.thread.join().unwrap();
        assert!(gateway.folder.exchanges("default").is_empty());
    }
}

#[test]
fn an_h2c_upgrade_is_not_forwarded() {
    let (gateway, origin) = before(|stream, _| {
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
        stream.write_all(answer).unwrap();
    });
    let request = "GET /x HTTP/1.1\r\nhost: x\r\nconnection: upgrade, http2-settings\r\n\
                   upgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__\r\n\r\n\
                   PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let mut raw = client::raw(gateway.address, request);
    let answers = raw.rest();
    assert!(answers.starts_with("HTTP/1.1 200 "), "{answers}");
    assert_eq!(answers.matches("HTTP/1.1 200 ").count(), 1, "{answers}");
    let head = origin.heads.recv().unwrap().to_ascii_lowercase();
    for field in ["upgrade", "http2-settings", "connection"] {
        assert!(!head.contains(&format!("\r\n{field}:")), "{head}");
    }
    origin.thread.join().unwrap();
}
