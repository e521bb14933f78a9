//! The gateway connects to the configured upstream only, and never to itself.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use http::{Request, Version};

use crate::support::binary::program;
use crate::support::client::{self, raw};
use crate::support::folder::Folder;
use crate::support::gateway::{self, Builder, Running};
use crate::support::origin::{self, Origin};
use crate::support::wait_for;

/// A listener that must get no connection.
struct Canary(TcpListener);

impl Canary {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        Self(listener)
    }

    fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }

    /// A connection is in the backlog when the peer's `connect` returns, so a single check is
    /// enough.
    fn is_alone(&self) -> bool {
        self.0.accept().is_err()
    }
}

fn origin() -> Origin {
    origin::new().route("*", |_| origin::text("origin")).start()
}

/// A gateway in each mode.
fn gateways(origin: &Origin) -> Vec<(&'static str, Builder)> {
    let replay = gateway::over(&Arc::new(Folder::new()), "replay");
    vec![
        ("record", gateway::record(origin)),
        ("auto", gateway::auto(origin)),
        ("passthrough", gateway::passthrough(origin)),
        ("replay", replay.upstream(&origin.url())),
        (
            "record with the client's host",
            gateway::record(origin).endpoint("preserve_host = true"),
        ),
    ]
}

/// Request heads that name another server in every possible place; `HOST` and `PORT` are replaced.
const HEADS: &[&str] = &[
    "GET http://HOST:PORT/x HTTP/1.1\r\nhost: HOST:PORT\r\n",
    "GET http://HOST:PORT/x HTTP/1.1\r\nhost: 127.0.0.1\r\n",
    "GET http://user:word@HOST:PORT/x HTTP/1.1\r\nhost: HOST:PORT\r\n",
    "GET http://127.0.0.1@HOST:PORT/x HTTP/1.1\r\nhost: x\r\n",
    "GET https://HOST:PORT/x HTTP/1.1\r\nhost: HOST:PORT\r\n",
    "GET h2c://HOST:PORT/x HTTP/1.1\r\nhost: HOST:PORT\r\n",
    "GET http://[::ffff:HOST]:PORT/x HTTP/1.1\r\nhost: [::ffff:HOST]:PORT\r\n",
    "GET http://2130706433:PORT/x HTTP/1.1\r\nhost: 2130706433:PORT\r\n",
    "GET http://0177.0.0.1:PORT/x HTTP/1.1\r\nhost: 0177.0.0.1:PORT\r\n",
    "GET http://0x7f.1:PORT/x HTTP/1.1\r\nhost: 0x7f.1:PORT\r\n",
    "GET http:\\\\HOST:PORT/x HTTP/1.1\r\nhost: HOST:PORT\r\n",
    "GET HOST:PORT HTTP/1.1\r\nhost: HOST:PORT\r\n",
    "GET //HOST:PORT/x HTTP/1.1\r\nhost: x\r\n",
    "GET ///HOST:PORT/x HTTP/1.1\r\nhost: x\r\n",
    "GET /\\HOST:PORT/x HTTP/1.1\r\nhost: x\r\n",
    "GET /@HOST:PORT/x HTTP/1.1\r\nhost: x\r\n",
    "GET @HOST:PORT/x HTTP/1.1\r\nhost: x\r\n",
    "GET :PORT/x HTTP/1.1\r\nhost: x\r\n",
    "GET /x?@HOST:PORT/ HTTP/1.1\r\nhost: x\r\n",
    "GET /x#@HOST:PORT/ HTTP/1.1\r\nhost: x\r\n",
    "GET /..//HOST:PORT/x HTTP/1.1\r\nhost: x\r\n",
    "GET /%2f%2fHOST:PORT/x HTTP/1.1\r\nhost: x\r\n",
    "GET /http://HOST:PORT/x HTTP/1.1\r\nhost: x\r\n",
    "GET /__ouli/session/s//HOST:PORT/x HTTP/1.1\r\nhost: x\r\n",
    "GET /__ouli/session/s@HOST:PORT/x HTTP/1.1\r\nhost: x\r\n",
    "GET /__ouli/session/s?http://HOST:PORT/ HTTP/1.1\r\nhost: x\r\n",
    "GET /x HTTP/1.1\r\nhost: HOST:PORT\r\n",
    "GET /x HTTP/1.1\r\nhost: x\r\nhost: HOST:PORT\r\n",
    "GET /x HTTP/1.1\r\nhost: HOST:PORT@x\r\n",
    "GET /x HTTP/1.1\r\nhost: x\r\nx-forwarded-host: HOST:PORT\r\n\
     x-original-url: http://HOST:PORT/\r\n",
    "GET /x HTTP/1.1\r\nhost: x\r\nforwarded: host=\"HOST:PORT\"\r\nvia: 1.1 HOST:PORT\r\n",
    "GET /x HTTP/1.1\r\nhost: x\r\nalt-svc: h2=\"HOST:PORT\"\r\nlocation: http://HOST:PORT/\r\n",
    "GET /x HTTP/1.0\r\nhost: HOST:PORT\r\n",
    "OPTIONS * HTTP/1.1\r\nhost: HOST:PORT\r\n",
    "OPTIONS http://HOST:PORT HTTP/1.1\r\nhost: HOST:PORT\r\n",
    "TRACE http://HOST:PORT/ HTTP/1.1\r\nhost: HOST:PORT\r\nmax-forwards: 5\r\n",
    "CONNECT HOST:PORT HTTP/1.1\r\nhost: HOST:PORT\r\n",
    "CONNECT [::ffff:HOST]:PORT HTTP/1.1\r\nhost: x\r\n",
    "GET http://HOST:PORT/x HTTP/1.1\r\nhost: HOST:PORT\r\nupgrade: websocket\r\n\
     sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
    "GET /x HTTP/1.1\r\nhost: HOST:PORT\r\nupgrade: h2c\r\n\
     http2-settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n",
];

#[test]
fn no_http1_request_reaches_another_server() {
    let canary = Canary::new();
    let (host, port) = (canary.address().ip(), canary.address().port());
    let origin = origin();
    for (mode, builder) in gateways(&origin) {
        let gateway = builder.start();
        for head in HEADS {
            let head = head.replace("HOST", &host.to_string());
            let head = head.replace("PORT", &port.to_string());
            let connection = match head.contains("upgrade") {
                true => "connection: upgrade, close",
                false => "connection: close",
            };
            let answer = raw(gateway.address, format!("{head}{connection}\r\n\r\n")).rest();
            let status = answer.split(' ').nth(1).unwrap_or_default();
            let known = ["200", "400", "404", "405", "414", "421", "502"].contains(&status);
            assert!(known, "{mode}: {head}\n{answer}");
            assert!(canary.is_alone(), "{mode}: {head}\n{answer}");
        }
        if mode == "replay" {
            assert_eq!(gateway.finish().hits, 0);
        }
    }
    let own = origin.address.to_string();
    let seen = origin.seen();
    assert!(seen.iter().any(|seen| seen.target.starts_with("//")));
    for seen in seen.iter().filter(|seen| seen.authority == own) {
        assert!(
            seen.target == "*" || seen.target.starts_with('/'),
            "{seen:?}"
        );
    }
}

#[test]
fn no_http2_request_reaches_another_server() {
    let canary = Canary::new();
    let origin = origin();
    for (mode, builder) in gateways(&origin) {
        let gateway = builder.start();
        for (method, target) in [
            ("GET", "http://CANARY/x"),
            ("GET", "https://CANARY/x"),
            ("GET", "http://CANARY//CANARY/x"),
            ("GET", "http://user@CANARY/x"),
            ("CONNECT", "CANARY"),
        ] {
            let target = target.replace("CANARY", &canary.address().to_string());
            let request = Request::builder().method(method).uri(&target);
            let request = request.version(Version::HTTP_2);
            let request = request.body(client::whole(Default::default())).unwrap();
            let client = client::http2(&gateway);
            let answer = wait_for("an answer", async {
                client.connect().await.unwrap().send(request).await
            });
            if let Ok(answer) = answer {
                assert!(
                    [200, 400, 404, 405].contains(&answer.status),
                    "{mode}: {target}"
                );
            }
            assert!(canary.is_alone(), "{mode}: {method} {target}");
        }
    }
}

/// A gateway whose upstream is changed to this URL; `PORT` is the gateway's own port.
fn asking_itself(builder: Builder, upstream: &str) -> Running {
    let gateway = builder.start();
    let port = gateway.address.port().to_string();
    let upstream = upstream.replace("PORT", &port);
    builder.upstream(&upstream).options();
    assert!(gateway.reload(), "{upstream}");
    gateway
}

#[test]
fn own_listeners_are_never_dialled() {
    let origin = origin();
    let every = "listen = \"0.0.0.0:0\"";
    let both = "listen = \"[::]:0\"";
    let one = "listen = \"127.0.0.1:0\"";
    let cases = [
        (one, "http://127.0.0.1:PORT"),
        (one, "http://localhost:PORT/base"),
        (one, "http://0.0.0.0:PORT"),
        (one, "http://[::ffff:127.0.0.1]:PORT"),
        (one, "http://[::ffff:7f00:1]:PORT"),
        (one, "h2c://localhost:PORT"),
        (one, "https://localhost:PORT"),
        (every, "http://127.0.0.1:PORT"),
        (every, "http://127.8.9.1:PORT"),
        (every, "http://localhost:PORT"),
        (both, "http://127.0.0.1:PORT"),
        (both, "http://[::1]:PORT"),
        (both, "http://[::]:PORT"),
    ];
    for (listen, upstream) in cases {
        let builder = gateway::passthrough(&origin).listen(listen);
        let gateway = asking_itself(builder, upstream);
        let port = gateway.address.port();
        let client = client::at(([127, 0, 0, 1], port).into(), Version::HTTP_11);
        let answer = client.get("/x");
        let told = answer.text();
        assert_eq!(
            (answer.status, answer.header("ouli-error")),
            (502, "upstream"),
            "{told}"
        );
        assert!(
            told.contains("is the endpoint `api` of this gateway"),
            "{upstream}: {told}"
        );
    }
    assert_eq!(origin.connections(), 0);
}

#[test]
fn upgrades_and_other_endpoints_cannot_reach_own_listeners() {
    let origin = origin();
    let gateway = asking_itself(gateway::passthrough(&origin), "http://localhost:PORT");
    let upgrade = "GET /x HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
                   sec-websocket-version: 13\r\n\
                   sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    let head = raw(gateway.address, upgrade).head();
    assert!(head.starts_with("HTTP/1.1 502 "), "{head}");
    drop(gateway);
    let second = "[[endpoint]]\nname = \"second\"\nlisten = \"127.0.0.1:0\"\n";
    let second = format!("{second}upstream = \"{}\"", origin.url());
    let builder = gateway::passthrough(&origin).section(&second);
    let gateway = builder.start();
    let other = gateway.listening().pop().unwrap();
    assert_eq!(other.endpoint, "second");
    let upstream = format!("http://localhost:{}", other.address.port());
    builder.upstream(&upstream).options();
    assert!(gateway.reload());
    let told = client::http1(&gateway).get("/x");
    assert_eq!(told.status, 502);
    assert!(
        told.text().contains("is the endpoint `second`"),
        "{}",
        told.text()
    );
    let second = client::at(other.address, Version::HTTP_11).get("/x");
    assert_eq!(second.text(), "origin", "the other endpoint is unchanged");
}

#[test]
fn an_upstream_that_is_the_gateway_is_refused() {
    let folder = Folder::new();
    for (listen, upstream) in [
        ("127.0.0.1:18080", "http://127.0.0.1:18080"),
        ("127.0.0.1:18080", "http://localhost:18080/base"),
        ("localhost:18080", "https://LOCALHOST:18080"),
        ("127.0.0.1:18080", "http://0.0.0.0:18080"),
        ("127.0.0.1:18080", "http://[::ffff:127.0.0.1]:18080"),
        ("0.0.0.0:18080", "h2c://127.0.0.9:18080"),
        ("[::]:18080", "http://127.0.0.1:18080"),
        ("[::1]:18080", "http://[::]:18080"),
    ] {
        let arguments = ["record", "--listen", listen, "--upstream", upstream];
        let ended = program(&folder, &arguments).run();
        assert_eq!(ended.status, Some(2), "{upstream}");
        let told = ended.stderr;
        assert!(
            told.contains("the upstream is the endpoint `default`"),
            "{upstream}: {told}"
        );
    }
    for upstream in [
        "http://2130706433:18080",
        "http://0x7f.0.0.1",
        "http://127.1",
    ] {
        let ended = program(&folder, &["record", "--upstream", upstream]).run();
        assert_eq!(ended.status, Some(2), "{upstream}");
        assert!(ended.stderr.contains("four numbers"), "{}", ended.stderr);
    }
}

#[test]
fn the_plugin_status_page_is_for_loopback_only() {
    let origin = origin();
    for (mode, builder) in gateways(&origin) {
        let gateway = builder.start();
        let own = gateway.address.to_string();
        let ask = |method: &str, headers: &str| {
            let head = format!("{method} /__ouli/plugins HTTP/1.1\r\n{headers}connection: close");
            raw(gateway.address, format!("{head}\r\n\r\n")).rest()
        };
        let answer = ask("GET", &format!("host: {own}\r\n"));
        assert!(
            answer.starts_with("HTTP/1.1 200 ") && answer.contains("generation"),
            "{answer}"
        );
        for headers in [
            "host: evil.example\r\n".to_owned(),
            "host: 192.0.2.1\r\n".to_owned(),
            format!("host: {own}.evil.example\r\n"),
            format!("host: {own}\r\norigin: http://evil.example\r\n"),
            format!("host: {own}\r\norigin: null\r\n"),
            format!("host: {own}\r\nsec-fetch-site: cross-site\r\n"),
        ] {
            let answer = ask("GET", &headers);
            assert!(
                answer.starts_with("HTTP/1.1 403 "),
                "{mode}: {headers}{answer}"
            );
            assert!(answer.contains("ouli-error: forbidden\r\n"), "{answer}");
            assert!(!answer.contains("generation"), "{answer}");
        }
        let answer = ask("POST", &format!("host: {own}\r\ncontent-length: 0\r\n"));
        assert!(answer.starts_with("HTTP/1.1 405 "), "{mode}: {answer}");
    }
    assert_eq!(origin.seen().len(), 0, "the path belongs to the gateway");
}
