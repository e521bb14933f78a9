//! Methods, statuses and header fields: which are forwarded, and in which order.

use std::sync::Arc;

use super::{both_ways, record};
use crate::support::client::{self, Client};
use crate::support::folder::Folder;
use crate::support::gateway;
use crate::support::origin::{self, Origin, status, text};

#[test]
fn head_has_the_headers_of_get_and_no_body() {
    let origin = || {
        origin::new()
            .route("/page", |_| text("twelve bytes"))
            .start()
    };
    let (answer, _) = both_ways(origin(), |client| client.ask("HEAD", "/page").send());
    assert_eq!(
        (answer.status, answer.header("content-length")),
        (200, "12")
    );
    assert!(answer.body.is_empty());
}

#[test]
fn statuses_without_a_body_stay_without_one() {
    for code in [204, 304] {
        let origin = origin::new()
            .route("/nothing", move |_| status(code).header("etag", "\"1\""))
            .start();
        let (answer, _) = both_ways(origin, |client| client.get("/nothing"));
        assert_eq!((answer.status, answer.header("etag")), (code, "\"1\""));
        assert_eq!(answer.header("content-length"), "", "{code}");
        assert!(answer.body.is_empty());
    }
}

#[test]
fn an_empty_body_stays_empty_and_keeps_its_length() {
    let origin = origin::new().route("/empty", |_| text("")).start();
    let (answer, _) = both_ways(origin, |client| client.get("/empty"));
    assert_eq!((answer.status, answer.header("content-length")), (200, "0"));
}

#[test]
fn a_redirect_is_not_followed() {
    let origin = origin::new()
        .route("/moved", |_| status(302).header("location", "/hello"))
        .route("/hello", |_| text("never asked for"))
        .start();
    let gateway = gateway::record(&origin).start();
    let answer = client::http1(&gateway).get("/moved");
    assert_eq!((answer.status, answer.header("location")), (302, "/hello"));
    assert_eq!(origin.seen().len(), 1);
}

#[test]
fn a_field_may_repeat() {
    let origin = origin::new()
        .route("/login", |_| {
            let reply = text("welcome").header("set-cookie", "theme=dark; Path=/");
            let reply = reply.header("x-between", "1");
            reply.header("set-cookie", "lang=en, or so; Path=/")
        })
        .start();
    let gateway = gateway::record(&origin).start();
    let recorded = client::http1(&gateway).get("/login");
    let cookies = ["theme=dark; Path=/", "lang=en, or so; Path=/"];
    assert_eq!(recorded.all("set-cookie"), cookies);
    let folder = Arc::clone(&gateway.folder);
    gateway.stop();
    origin.stop();
    let gateway = gateway::replay(&folder).start();
    let replayed = client::http1(&gateway).get("/login");
    // The cookie values are secrets, so the replay has placeholders. There are still two cookies
    // with their attributes.
    let replayed = replayed.all("set-cookie");
    assert_eq!(replayed.len(), 2);
    let fits = |name: &str, cookie: &str| cookie.starts_with(name) && cookie.ends_with("; Path=/");
    assert!(
        fits("theme=", replayed[0]) && fits("lang=", replayed[1]),
        "{replayed:?}"
    );
}

#[test]
fn the_order_of_fields_is_kept_both_ways() {
    let raw = origin::raw(
        b"HTTP/1.1 200 OK\r\nX-Zulu: 1\r\nX-Alpha: 2\r\nContent-Length: 2\r\nX-Mike: 3\r\n\r\nok",
    );
    let folder = Arc::new(Folder::new());
    let gateway = gateway::over(&folder, "record")
        .upstream(&raw.url())
        .start();
    let ask = |client: &Client| {
        let ask = client.ask("GET", "/").header("x-zebra", "1");
        ask.header("x-ant", "2").header("x-mole", "3").send()
    };
    let recorded = ask(&client::http1(&gateway));
    assert_eq!(
        recorded.names(),
        ["x-zulu", "x-alpha", "content-length", "x-mike"]
    );
    let head = raw.heads().remove(0);
    let names: Vec<_> = head
        .lines()
        .filter_map(|line| line.split_once(": "))
        .collect();
    let own: Vec<_> = names
        .iter()
        .map(|(name, _)| *name)
        .filter(|name| name.starts_with("x-"))
        .collect();
    assert_eq!(own, ["x-zebra", "x-ant", "x-mole"]);
    gateway.stop();
    drop(raw);
    let gateway = gateway::replay(&folder).start();
    assert_eq!(ask(&client::http1(&gateway)), recorded);
}

#[test]
fn informational_responses_are_not_the_final_response() {
    let raw = origin::raw(
        b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n\
          HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    );
    let folder = Arc::new(Folder::new());
    let gateway = gateway::over(&folder, "record")
        .upstream(&raw.url())
        .start();
    let answer = client::http1(&gateway).get("/");
    assert_eq!((answer.status, answer.text()), (200, "ok"));
    gateway.stop();
    assert_eq!(folder.exchanges("default")[0]["response"]["status"], 200);
}

#[test]
fn hop_by_hop_headers_are_removed() {
    let origin = origin::new()
        .route("/hop", |_| {
            text("ok")
                .header("connection", "x-mine")
                .header("x-mine", "1")
        })
        .start();
    let gateway = gateway::record(&origin).start();
    let client = client::http1(&gateway);
    let ask = client
        .ask("GET", "/hop")
        .header("connection", "close, x-yours");
    let ask = ask
        .header("x-yours", "1")
        .header("keep-alive", "timeout=9")
        .header("x-kept", "1");
    let answer = ask.header("proxy-connection", "close").send();
    assert_eq!(answer.header("x-mine"), "");
    let headers = &origin.seen()[0].headers;
    for name in ["x-yours", "keep-alive", "proxy-connection"] {
        assert!(!headers.contains_key(name), "{name} was forwarded");
    }
    assert!(headers.contains_key("x-kept"));
}

#[test]
fn session_headers_are_not_forwarded() {
    let origin = origin::simple();
    let gateway = gateway::record(&origin).start();
    let client = client::http1(&gateway);
    client
        .ask("GET", "/hello")
        .header("ouli-session", "one")
        .send();
    client
        .ask("GET", "/hello")
        .header("test-name", "two")
        .send();
    client.get("/__ouli/session/three/hello");
    for seen in origin.seen() {
        assert_eq!(seen.target, "/hello");
        let names: Vec<_> = seen.headers.keys().map(|name| name.as_str()).collect();
        assert!(
            !names.contains(&"ouli-session") && !names.contains(&"test-name"),
            "{names:?}"
        );
    }
    let folder = Arc::clone(&gateway.folder);
    gateway.stop();
    for session in ["one", "two", "three"] {
        assert!(!folder.text(session).contains("ouli-session"), "{session}");
        assert!(!folder.text(session).contains("test-name"), "{session}");
    }
}

#[test]
fn the_host_header_names_the_upstream() {
    let origin = origin::simple();
    let gateway = gateway::record(&origin).start();
    client::http1(&gateway).get("/hello");
    assert_eq!(origin.seen()[0].authority, origin.address.to_string());
    let kept = gateway::record(&origin)
        .endpoint("preserve_host = true")
        .start();
    client::http1(&kept).get("/hello");
    assert_eq!(origin.seen()[1].authority, kept.address.to_string());
}

#[test]
fn the_base_path_prefixes_every_path() {
    let origin = origin::new()
        .route("/base/hello", |_| text("there"))
        .start();
    let folder = Arc::new(Folder::new());
    let upstream = format!("{}/base", origin.url());
    let gateway = gateway::over(&folder, "record").upstream(&upstream).start();
    assert_eq!(client::http1(&gateway).get("/hello?x=1").text(), "there");
    assert_eq!(origin.seen()[0].target, "/base/hello?x=1");
}

#[test]
fn expect_100_continue_is_answered_by_the_upstream() {
    let origin = origin::simple();
    let gateway = gateway::record(&origin).start();
    let head =
        "POST /echo HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\r\n";
    let mut raw = client::raw(gateway.address, head);
    assert_eq!(raw.head(), "HTTP/1.1 100 Continue\r\n\r\n");
    raw.write("tea!");
    assert!(raw.head().starts_with("HTTP/1.1 200 OK\r\n"));
    assert_eq!(raw.read_until("tea!"), "tea!");
    assert_eq!(origin.seen()[0].headers["expect"], "100-continue");
}

#[test]
fn custom_methods_are_forwarded() {
    let origin = || -> Origin { origin::new().route("/x", |_| text("done")).start() };
    for method in ["PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"] {
        let (answer, folder) = record(&origin(), |client| client.ask(method, "/x").send());
        assert_eq!(answer.status, 200, "{method}");
        assert_eq!(folder.exchanges("default")[0]["request"]["method"], method);
    }
}

/// Lines of one field may be grouped; their order is kept (RFC 9110, section 5.3).
#[test]
fn fields_keep_their_order_and_the_order_of_their_repeats() {
    let fields = "x-z: 1\r\nvia: 1.0 a\r\nlink: </1>\r\nx-a: 2\r\nvia: 1.1 b\r\nlink: </2>\r\n\
                  set-cookie: b=1\r\nx-m: 3\r\nset-cookie: a=2\r\n";
    let together = [
        "x-z: 1",
        "via: 1.0 a",
        "via: 1.1 b",
        "link: </1>",
        "link: </2>",
        "x-a: 2",
        "set-cookie: b=",
        "set-cookie: a=",
        "x-m: 3",
    ];
    let response = format!("HTTP/1.1 200 OK\r\n{fields}content-length: 0\r\n\r\n");
    let upstream = origin::peer(move |peer| {
        while !peer.head().is_empty() {
            peer.send(&response);
        }
    });
    let folder = Arc::new(Folder::new());
    let order = |lines: &[String]| -> Vec<usize> {
        let place = |start: &&str| lines.iter().position(|line| line.starts_with(*start));
        together
            .iter()
            .map(|start| place(start).expect(start))
            .collect()
    };
    for mode in ["passthrough", "record", "replay"] {
        let gateway = gateway::over(&folder, mode)
            .upstream(&format!("http://{upstream}"))
            .start();
        let raw = "GET / HTTP/1.1\r\nhost: x\r\n\r\n";
        let head = client::raw(gateway.address, raw).head();
        let one: Vec<_> = head.lines().map(str::to_owned).collect();
        let answer = client::http2(&gateway).get("/");
        let headers = answer.headers.iter();
        let two: Vec<_> = headers
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
            .collect();
        for lines in [one, two] {
            assert!(order(&lines).is_sorted(), "{mode}: {lines:?}");
        }
        gateway.stop();
    }
    let headers = folder.exchanges("default")[0]["response"]["headers"].clone();
    let recorded = headers.as_array().unwrap().iter();
    let recorded: Vec<_> = recorded
        .map(|pair| {
            format!(
                "{}: {}",
                pair[0].as_str().unwrap(),
                pair[1].as_str().unwrap()
            )
        })
        .collect();
    assert!(order(&recorded).is_sorted(), "{recorded:?}");
}
