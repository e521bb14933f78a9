//! Upgrades to protocols other than WebSocket (RFC 9110, section 7.8): tunnelled and not recorded.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use ouli_config::Defect;

use crate::support::folder::Folder;
use crate::support::gateway::{self, Running};
use crate::support::{PATIENCE, client};

/// An origin that closes each connection after the first tunnel or response.
struct Origin {
    url: String,
    /// The head and the body of each request.
    requests: Receiver<(String, String)>,
}

/// Starts an origin that responds with these bytes. After a 101 it echoes what it reads in upper
/// case.
fn origin(answer: &'static str) -> Origin {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (tell, requests) = sync_channel(16);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, tell) = (stream.unwrap(), tell.clone());
            std::thread::spawn(move || {
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    let mut byte = [0];
                    if stream.read(&mut byte).unwrap_or(0) == 0 {
                        return;
                    }
                    head.extend(byte);
                }
                let head = String::from_utf8(head).unwrap();
                let length = head.lines().find_map(|line| {
                    line.to_ascii_lowercase()
                        .strip_prefix("content-length: ")?
                        .parse()
                        .ok()
                });
                let mut body = vec![0; length.unwrap_or(0)];
                stream.read_exact(&mut body).unwrap();
                assert!(
                    is_silent(&stream),
                    "bytes were forwarded before the upgrade"
                );
                tell.send((head, String::from_utf8(body).unwrap())).unwrap();
                stream.write_all(answer.as_bytes()).unwrap();
                let mut bytes = [0; 1024];
                while answer.starts_with("HTTP/1.1 101 ") {
                    match stream.read(&mut bytes).unwrap_or(0) {
                        0 => break,
                        read => stream
                            .write_all(&bytes[..read].to_ascii_uppercase())
                            .unwrap(),
                    }
                }
            });
        }
    });
    Origin { url, requests }
}

fn is_silent(stream: &TcpStream) -> bool {
    stream
        .set_read_timeout(Some(Duration::from_millis(50)))
        .unwrap();
    let silent = stream.peek(&mut [0]).is_err();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    silent
}

fn over(mode: &'static str, origin: &Origin) -> Running {
    gateway::over(&Arc::new(Folder::new()), mode)
        .upstream(&origin.url)
        .start()
}

fn ask(token: &str) -> String {
    format!(
        "POST /exec/1/start HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: {token}\r\n\
         x-stream-protocol-version: v4.channel.k8s.io\r\ncontent-type: application/json\r\n\
         content-length: 12\r\n\r\n{{\"tty\":true}}"
    )
}

const TCP: &str = "HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\n\
    Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n";
const SPDY: &str = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\n\
    upgrade: SPDY/3.1\r\nx-stream-protocol-version: v4.channel.k8s.io\r\n\r\nfirst ";

/// Sends bytes through a tunnel, some of them before the response, and half-closes it.
fn talk(gateway: &Running, token: &str, expected: &str) {
    let early = [ask(token).as_bytes(), b"early "].concat();
    let mut stream = TcpStream::connect(gateway.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(&early).unwrap();
    stream.write_all(b"\0\xffdocker\n\n").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|it| it == b"\r\n\r\n").unwrap() + 4;
    let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
    assert!(head.starts_with("http/1.1 101 "), "{head}");
    let token = token.to_ascii_lowercase();
    assert!(
        head.contains(&format!("\r\nupgrade: {token}\r\n")),
        "{head}"
    );
    assert!(head.contains("\r\nconnection: upgrade\r\n"), "{head}");
    assert_eq!(
        String::from_utf8_lossy(&answer[end..]),
        String::from_utf8_lossy(expected.as_bytes()).replace('!', "\0\u{fffd}")
    );
}

#[test]
fn an_upgrade_is_a_tunnel_in_passthrough() {
    for (token, answer, expected) in [
        ("tcp", TCP, "EARLY !DOCKER\n\n"),
        ("SPDY/3.1", SPDY, "first EARLY !DOCKER\n\n"),
    ] {
        let origin = origin(answer);
        let gateway = over("passthrough", &origin);
        talk(&gateway, token, expected);
        let (head, body) = origin.requests.recv().unwrap();
        let head = head.to_ascii_lowercase();
        let upgrade = format!("\r\nupgrade: {}\r\n", token.to_ascii_lowercase());
        assert!(head.contains(&upgrade), "{head}");
        assert!(head.contains("\r\nconnection: upgrade\r\n"), "{head}");
        assert!(head.contains("\r\nx-stream-protocol-version: v4"), "{head}");
        assert_eq!(body, "{\"tty\":true}");
    }
}

#[test]
fn an_upgrade_is_served_but_not_recorded() {
    for mode in ["record", "auto"] {
        let origin = origin(TCP);
        let gateway = over(mode, &origin);
        talk(&gateway, "tcp", "EARLY !DOCKER\n\n");
        let folder = Arc::clone(&gateway.folder);
        let report = gateway.finish();
        assert_eq!((report.recorded, report.passed), (0, false), "{mode}");
        let reason = report
            .counted(Defect::Undecodable)
            .into_keys()
            .next()
            .unwrap();
        assert!(reason.contains("upgrade to tcp"), "{reason}");
        assert!(folder.exchanges("default").is_empty());
    }
}

#[test]
fn an_upgrade_that_the_upstream_ignores_is_a_request_like_any_other() {
    for mode in ["passthrough", "record", "auto"] {
        let origin =
            origin("HTTP/1.1 409 Conflict\r\nconnection: close\r\ncontent-length: 3\r\n\r\nno!");
        let gateway = over(mode, &origin);
        // The bytes after the body are the next request, so the connection stays open.
        let two = format!(
            "{}GET /2 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
            ask("tcp")
        );
        let answers = client::raw(gateway.address, two).rest();
        assert_eq!(answers.matches("HTTP/1.1 409 ").count(), 2, "{answers}");
        let folder = Arc::clone(&gateway.folder);
        let verdict = gateway.stop();
        assert!(verdict.passed, "{verdict:?}");
        if mode == "passthrough" {
            continue;
        }
        let exchanges = folder.exchanges("default");
        assert_eq!(exchanges.len(), 2, "{mode}");
        assert_eq!(exchanges[0]["request"]["body"]["json"]["tty"], true);
        assert!(!folder.text("default").contains("upgrade"));
        // Replay returns the recorded response without an upgrade.
        let gateway = gateway::replay(&folder).start();
        let head = client::raw(gateway.address, ask("tcp")).head();
        assert!(head.starts_with("HTTP/1.1 409 "), "{head}");
    }
}

#[test]
fn http_is_never_tunnelled() {
    for (asked, forwarded) in [
        ("h2c", None),
        ("HTTP/2.0, h2c", None),
        ("H2C, tcp, http/3", Some("tcp")),
    ] {
        let origin = origin("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
        let gateway = over("passthrough", &origin);
        let head = client::raw(gateway.address, ask(asked)).head();
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        let (head, _) = origin.requests.recv().unwrap();
        let upgrade = head
            .to_ascii_lowercase()
            .lines()
            .find_map(|line| line.strip_prefix("upgrade: ").map(str::to_owned));
        assert_eq!(upgrade.as_deref(), forwarded, "{head}");
    }
}

#[test]
fn a_protocol_that_was_not_offered_is_an_error() {
    for answer in [
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: tls/1.2\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: tcp\r\n\r\n",
    ] {
        for mode in ["passthrough", "record"] {
            let origin = origin(answer);
            let gateway = over(mode, &origin);
            let head = client::raw(gateway.address, ask("tcp")).head();
            assert!(head.starts_with("HTTP/1.1 502 "), "{head}");
        }
    }
}

#[test]
fn a_tunnel_ends_with_the_gateway() {
    let origin = origin(TCP);
    let gateway = gateway::over(&Arc::new(Folder::new()), "passthrough")
        .upstream(&origin.url)
        .section("[limits]\nshutdown_timeout = \"2s\"\nstream_drain_lead = \"200ms\"")
        .start();
    let mut raw = client::raw(gateway.address, ask("tcp"));
    assert!(raw.head().starts_with("HTTP/1.1 101 "));
    raw.write("hello");
    assert_eq!(raw.exactly(5).unwrap(), b"HELLO");
    let stopping = std::thread::spawn(move || gateway.stop());
    assert_eq!(raw.rest(), "");
    drop(raw);
    assert!(stopping.join().unwrap().passed);
}

#[test]
fn tunnels_count_as_streams_and_may_be_idle_as_long_as_they() {
    let origin = origin(TCP);
    let gateway = gateway::over(&Arc::new(Folder::new()), "passthrough")
        .upstream(&origin.url)
        .section("[limits]\nstreams = 1\nstream_idle_timeout = \"300ms\"")
        .start();
    let mut one = client::raw(gateway.address, ask("tcp"));
    assert!(one.head().starts_with("HTTP/1.1 101 "));
    let two = client::raw(gateway.address, ask("tcp")).head();
    assert!(two.starts_with("HTTP/1.1 503 "), "{two}");
    assert_eq!(one.rest(), "");
}
