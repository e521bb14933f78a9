//! HTTP/2 connections to nginx and Node.js: no request is lost when they end connections or refuse
//! streams, and clients that do not read do not block others.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;

use http::Version;

use crate::process::{Gateway, Upstream};
use crate::support::{client, wait_for};
use crate::tools;

const CLIENTS: usize = 64;

/// nginx with HTTP/2 by prior knowledge. A connection ends after 50 requests.
fn nginx(folder: &Path) -> Upstream {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap().to_string();
    drop(free);
    fs::write(folder.join("big"), vec![0; 8 << 20]).unwrap();
    // Its workers run as another user.
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
    let config = format!(
        "daemon off;
worker_processes 1;
pid nginx.pid;
error_log stderr notice;
events {{ worker_connections 1024; }}
http {{
    client_body_temp_path client_body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    access_log off;
    server {{
        listen {address} http2;
        keepalive_requests 50;
        location = /big {{ root .; }}
        location / {{ return 200 'ok'; }}
    }}
}}
"
    );
    fs::write(folder.join("nginx.conf"), config).unwrap();
    let mut command = tools::command("nginx", "-v");
    command.arg("-p").arg(folder);
    command.arg("-c").arg(folder.join("nginx.conf"));
    command.stdout(Stdio::null());
    let log = folder.join("nginx.log");
    Upstream::run(command, "start worker process ", Some(address), log)
}

fn node(folder: &Path, behavior: &str) -> Upstream {
    let mut command = tools::script("pool/node_http2.mjs");
    command.arg(behavior).stdout(Stdio::null());
    let log = folder.join("node.log");
    Upstream::run(command, "listening at h2c://", None, log)
}

fn start(upstream: &Upstream, folder: &Path) -> (Gateway, SocketAddr) {
    let url = format!("h2c://{}", upstream.address);
    let gateway = Gateway::start(
        &["passthrough", "--upstream", &url],
        &folder.join("cassettes"),
        folder.join("gateway.log"),
    );
    let address = gateway.url.strip_prefix("http://").unwrap();
    let address = address.parse().unwrap();
    (gateway, address)
}

/// Sends requests on `CLIENTS` connections, every third with a body. Returns those that failed.
fn send(address: SocketAddr, each: usize) -> Vec<String> {
    let client = client::at(address, Version::HTTP_11);
    let one = || {
        let mut connection = wait_for("a connection", client.connect()).unwrap();
        let mut failed = Vec::new();
        for number in 0..each {
            let request = if number % 3 == 0 {
                client.ask("POST", "/").body("x".repeat(number * 100))
            } else {
                client.ask("GET", "/")
            };
            let answer = wait_for("a response", connection.send(request.into_request()));
            let answer = answer.unwrap();
            if answer.status != 200 {
                failed.push(format!("{} {}", answer.status, answer.text()));
            }
        }
        failed
    };
    std::thread::scope(|scope| {
        let sent: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(one)).collect();
        let sent = sent.into_iter().map(|sent| sent.join().unwrap());
        sent.flatten().collect()
    })
}

#[test]
#[ignore = "needs nginx: .ci/run"]
fn no_request_is_lost_when_nginx_ends_connections() {
    let folder = tempfile::tempdir().unwrap();
    let upstream = nginx(folder.path());
    let (gateway, address) = start(&upstream, folder.path());
    let failed = send(address, 6016 / CLIENTS);
    assert!(failed.is_empty(), "{} of 6016: {failed:#?}", failed.len());
    drop(gateway);
}

#[test]
#[ignore = "needs Node: .ci/run"]
fn no_request_is_lost_when_node_refuses_streams_and_ends_connections() {
    let folder = tempfile::tempdir().unwrap();
    let upstream = node(folder.path(), "refusing");
    let (gateway, address) = start(&upstream, folder.path());
    let failed = send(address, 20);
    assert!(failed.is_empty(), "{} failed: {failed:#?}", failed.len());
    drop(gateway);
}

/// A client that has begun to receive a large response, and does not read on.
fn stalled(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .write_all(b"GET /big HTTP/1.1\r\nhost: gateway\r\n\r\n")
        .unwrap();
    let mut start = [0; 12];
    stream.read_exact(&mut start).unwrap();
    assert_eq!(&start, b"HTTP/1.1 200");
    stream
}

#[test]
#[ignore = "needs nginx and Node: .ci/run"]
fn clients_that_do_not_read_do_not_block_others() {
    for upstream in [nginx as fn(&Path) -> Upstream, |folder| {
        node(folder, "plain")
    }] {
        let folder = tempfile::tempdir().unwrap();
        let upstream = upstream(folder.path());
        let (gateway, address) = start(&upstream, folder.path());
        let stalled: Vec<_> = (0..12).map(|_| stalled(address)).collect();
        let failed = send(address, 10);
        assert!(failed.is_empty(), "{failed:#?}");
        drop((stalled, gateway));
    }
}
