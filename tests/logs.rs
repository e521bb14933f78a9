//! Log lines of connections.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use http::Version;
use serde_json::Value;

use crate::support::binary::{Process, program};
use crate::support::client;
use crate::support::folder::Folder;

/// Starts a program with the endpoint `api` that logs connections at debug level.
fn start(folder: &Folder, tls: &str, format: &str) -> Process {
    folder.write_config(&format!(
        "mode = \"replay\"\n[[endpoint]]\nname = \"api\"\nlisten = \"127.0.0.1:0\"\n\
         tls = \"{tls}\"\n"
    ));
    let program = program(folder, &["--log-format", format]);
    program.env("RUST_LOG", "info,ouli_net=debug").start()
}

/// Sends plain text to a TLS listener. Returns the client's address.
fn fail_tls_handshake(address: SocketAddr) -> String {
    let mut socket = TcpStream::connect(address).unwrap();
    let peer = socket.local_addr().unwrap();
    socket.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    // The listener sends an alert, or resets the connection.
    let _ = socket.read_to_end(&mut Vec::new());
    peer.to_string()
}

/// The fields of the connection span in the JSON line whose message begins with `message`.
fn connection_span_of(stderr: &str, message: &str) -> Value {
    let lines = stderr.lines().filter(|line| line.starts_with('{'));
    let mut lines = lines.map(|line| serde_json::from_str::<Value>(line).unwrap());
    let begins = |line: &Value| {
        let logged = line["fields"]["message"].as_str();
        logged.is_some_and(|logged| logged.starts_with(message))
    };
    let line = lines.find(begins);
    let line = line.unwrap_or_else(|| panic!("no {message:?} in {stderr}"));
    let mut spans = line["spans"].as_array().unwrap().iter();
    let connection = spans.find(|span| span["name"] == "connection");
    connection
        .unwrap_or_else(|| panic!("no connection in {line}"))
        .clone()
}

#[test]
fn a_failed_tls_handshake_is_logged_with_the_client_address_as_text() {
    let folder = Folder::new();
    let mut process = start(&folder, "self-signed", "text");
    let peer = fail_tls_handshake(process.address());
    let stderr = process.stop().stderr;
    let span = format!("connection{{peer={peer} endpoint=\"api\"}}: TLS handshake failed: ");
    assert!(stderr.lines().any(|line| line.contains(&span)), "{stderr}");
}

#[test]
fn a_failed_tls_handshake_is_logged_with_the_client_address_as_json() {
    let folder = Folder::new();
    let mut process = start(&folder, "self-signed", "json");
    let peer = fail_tls_handshake(process.address());
    let stderr = process.stop().stderr;
    let span = connection_span_of(&stderr, "TLS handshake failed: ");
    assert_eq!(span["peer"], peer);
    assert_eq!(span["endpoint"], "api");
}

#[test]
fn what_a_request_logs_has_the_connection_of_the_request() {
    for (version, protocol) in [(Version::HTTP_11, "http/1.1"), (Version::HTTP_2, "h2")] {
        let folder = Folder::new();
        let mut process = start(&folder, "off", "json");
        client::at(process.address(), version).get("/unknown");
        let stderr = process.stop().stderr;
        let span = connection_span_of(&stderr, "miss ");
        assert_eq!(span["endpoint"], "api");
        assert_eq!(span["protocol"], protocol);
        let peer = span["peer"].as_str().unwrap();
        assert!(peer.starts_with("127.0.0.1:"), "{peer}");
    }
}

/// The line of the access log for a request to a gateway with this log format. The request span is
/// open, because `RUST_LOG` shows debug messages.
fn access_line(format: &str) -> String {
    let folder = Folder::new();
    let arguments = ["replay", "--listen", "127.0.0.1:0", "--access-log"];
    let program = program(
        &folder,
        &[&arguments, &["--log-format", format][..]].concat(),
    );
    let mut process = program.env("RUST_LOG", "debug").start();
    client::at(process.address(), Version::HTTP_11).get("/unknown");
    let stderr = process.stop().stderr;
    let is_access = |line: &&str| line.contains(" access ") || line.contains("\"access\"");
    let mut lines = stderr.lines().filter(is_access);
    let line = lines.next().unwrap_or_else(|| panic!("{stderr}"));
    line.to_owned()
}

#[test]
fn an_access_line_has_the_same_fields_as_text_and_as_json() {
    let text = access_line("text");
    let (head, fields) = text.split_once(" INFO access ").unwrap();
    assert!(
        !head.trim_end().contains(' '),
        "only the time precedes the level: {text}"
    );
    let names = fields
        .split(' ')
        .map(|field| field.split_once('=').unwrap().0);
    let mut text_names: Vec<_> = names.collect();
    text_names.sort_unstable();

    let json = access_line("json");
    let line: Value = serde_json::from_str(&json).unwrap();
    let mut members: Vec<_> = line.as_object().unwrap().keys().collect();
    members.sort_unstable();
    assert_eq!(members, ["fields", "level", "timestamp"], "{json}");
    let fields = line["fields"].as_object().unwrap();
    let mut json_names: Vec<_> = fields.keys().filter(|name| *name != "message").collect();
    json_names.sort_unstable();
    assert_eq!(json_names, text_names);
}
