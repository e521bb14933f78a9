//! An origin that sends exactly the bytes of the test, and a client that reads them.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use ouli_codec::websocket::accept_key;

use crate::support::folder::Folder;
use crate::support::gateway::{self, Running};
use crate::support::websocket::{TEXT, close, frame};
use crate::support::{PATIENCE, client};

/// What an origin does after the handshake.
pub(super) type Act = Arc<dyn Fn(&mut TcpStream) + Send + Sync>;

/// Starts an origin that accepts every handshake and then runs `act`; returns its URL.
pub(super) fn origin(act: Act) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, act) = (stream.unwrap(), Arc::clone(&act));
            std::thread::spawn(move || {
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                let head = String::from_utf8(read_until(&mut stream, b"\r\n\r\n")).unwrap();
                let key = head
                    .lines()
                    .find_map(|line| line.strip_prefix("sec-websocket-key: "));
                let accept = accept_key(key.unwrap());
                let answer = format!(
                    "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\n\
                     upgrade: websocket\r\nsec-websocket-accept: {accept}\r\n\r\n"
                );
                stream.write_all(answer.as_bytes()).unwrap();
                act(&mut stream);
            });
        }
    });
    url
}

/// Reads up to and including `end`, or to the end of the connection.
pub(super) fn read_until(stream: &mut TcpStream, end: &[u8]) -> Vec<u8> {
    let mut read = Vec::new();
    let mut byte = [0];
    while !read.ends_with(end) && stream.read(&mut byte).unwrap_or(0) == 1 {
        read.extend(byte);
    }
    read
}

/// An origin that sends these bytes after the message `go` and waits until the peer closes.
pub(super) fn says(bytes: Vec<u8>) -> String {
    origin(Arc::new(move |stream| {
        read_until(stream, &frame(TEXT, "go"));
        stream.write_all(&bytes).unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
    }))
}

pub(super) fn record(url: &str) -> Running {
    gateway::over(&Arc::new(Folder::new()), "record")
        .upstream(url)
        .start()
}

pub(super) fn replay(folder: &Arc<Folder>) -> Running {
    gateway::replay(folder).start()
}

pub(super) const ASK: &str = "GET /x HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\n\
    upgrade: websocket\r\nsec-websocket-version: 13\r\n\
    sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// A client that sends `go`, reads `count` bytes and fails the connection (RFC 6455, section
/// 7.1.7). None if the gateway responds to the handshake with an error.
pub(super) fn hears(gateway: &Running, count: usize) -> Option<Vec<u8>> {
    let mut raw = client::raw(gateway.address, ASK);
    if !raw.head().starts_with("HTTP/1.1 101 ") {
        return None;
    }
    raw.write(frame(TEXT, "go"));
    let bytes = raw.exactly(count).expect("the bytes of the server");
    raw.write(close(1002, ""));
    Some(bytes)
}
