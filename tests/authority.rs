//! The authority and the fields of a request as the upstream is sent them, and requests for other
//! servers.

use std::sync::Arc;

use http::{HeaderMap, Version};

use crate::support::client::{self, Answer, Client, raw};
use crate::support::folder::Folder;
use crate::support::gateway::{self, Running};
use crate::support::origin::{self, Origin};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

/// A gateway in front of this upstream.
fn passthrough(upstream: &str, endpoint: &str) -> Running {
    gateway::over(&Arc::new(Folder::new()), "passthrough")
        .upstream(upstream)
        .endpoint(endpoint)
        .start()
}

fn lines(head: &str) -> Vec<&str> {
    head.split("\r\n").filter(|line| !line.is_empty()).collect()
}

#[test]
fn split_cookies_become_one_field() {
    let origin = origin::raw(OK);
    let gateway = passthrough(&origin.url(), "");
    let ask = client::http2(&gateway).ask("GET", "/");
    let ask = ask.header("cookie", "one=1").header("a", "b");
    ask.header("cookie", "two=2").send();
    let heads = origin.heads();
    let cookies: Vec<_> = lines(&heads[0])
        .into_iter()
        .filter(|line| line.starts_with("cookie"))
        .collect();
    assert_eq!(cookies, ["cookie: one=1; two=2"]);
}

#[test]
fn split_and_joined_cookies_match() {
    let origin = origin::simple();
    let matcher = "[matcher]\nheaders = [\"cookie\"]";
    let recording = gateway::record(&origin).section(matcher).start();
    let folder = Arc::clone(&recording.folder);
    let split = |client: Client| -> Answer {
        let ask = client.ask("GET", "/hello").header("cookie", "one=1111111");
        ask.header("cookie", "two=2222222").send()
    };
    assert_eq!(split(client::http2(&recording)).status, 200);
    recording.stop();
    let replay = gateway::replay(&folder).section(matcher).start();
    let joined = client::http1(&replay).ask("GET", "/hello");
    let joined = joined.header("cookie", "one=1111111; two=2222222").send();
    assert_eq!((joined.status, joined.text()), (200, "good morning\n"));
    assert_eq!(split(client::http2(&replay)).status, 200);
    let other = client::http1(&replay).ask("GET", "/hello");
    assert_eq!(other.header("cookie", "one=1111111").send().status, 404);
}

#[test]
fn host_comes_first_and_the_order_of_fields_is_kept() {
    let origin = origin::raw(OK);
    let gateway = passthrough(&origin.url(), "");
    let request = "POST /x HTTP/1.1\r\nuser-agent: t\r\nhost: gateway.test\r\nx-b: 1\r\n\
                   content-length: 0\r\nx-a: 2\r\nx-b: 3\r\nconnection: close\r\n\r\n";
    raw(gateway.address, request).rest();
    let host = format!("host: {}", origin.address);
    let expected = [
        "POST /x HTTP/1.1",
        &host,
        "user-agent: t",
        "x-b: 1",
        "x-b: 3",
        "content-length: 0",
        "x-a: 2",
    ];
    assert_eq!(lines(&origin.heads()[0]), expected);
}

#[test]
fn the_authority_of_the_client_is_preserved_between_protocols() {
    let origin: Origin = origin::new()
        .route("/*", |_| origin::text("ok").header("x-a", "1"))
        .start();
    for upstream in [origin.url(), origin.h2c()] {
        for preserve_host in [true, false] {
            let gateway = passthrough(&upstream, &format!("preserve_host = {preserve_host}"));
            for version in [Version::HTTP_11, Version::HTTP_2] {
                let client = client::at(gateway.address, version);
                assert_eq!(client.get("/x").status, 200);
                let seen = origin.seen().pop().unwrap();
                let expected = match preserve_host {
                    true => gateway.address,
                    false => origin.address,
                };
                let case = format!("{upstream} {preserve_host} {version:?}");
                assert_eq!(seen.authority, expected.to_string(), "{case}");
                let host: Option<&http::HeaderValue> = HeaderMap::get(&seen.headers, "host");
                assert_eq!(host.is_some(), upstream.starts_with("http:"), "{case}");
            }
        }
    }
}

#[test]
fn options_for_the_whole_server_is_forwarded() {
    let origin = origin::raw(OK);
    let gateway = passthrough(&format!("{}/base", origin.url()), "");
    let upstream = origin.address;
    for (target, expected) in [
        ("*".to_owned(), "OPTIONS * HTTP/1.1"),
        (format!("http://{upstream}"), "OPTIONS * HTTP/1.1"),
        (format!("http://{upstream}/"), "OPTIONS /base/ HTTP/1.1"),
        (format!("http://{upstream}?q"), "OPTIONS /base/?q HTTP/1.1"),
    ] {
        let head = format!("OPTIONS {target} HTTP/1.1\r\nhost: {upstream}\r\n");
        let answer = raw(gateway.address, format!("{head}connection: close\r\n\r\n")).rest();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{target}: {answer}");
        assert_eq!(lines(origin.heads().last().unwrap())[0], expected);
    }
}

#[test]
fn a_target_of_a_form_for_another_method_is_rejected() {
    let origin = origin::raw(OK);
    let gateway = passthrough(&origin.url(), "");
    let forms = [
        ("GET *", "only OPTIONS may have"),
        ("POST *", "only OPTIONS may have"),
        ("GET a", "neither a path that begins with `/` nor a URL"),
        (
            "GET a.test:80",
            "neither a path that begins with `/` nor a URL",
        ),
        ("OPTIONS a", "neither a path that begins with `/` nor a URL"),
    ];
    for (line, reason) in forms {
        let head = format!("{line} HTTP/1.1\r\nhost: x\r\n\r\n");
        let answer = raw(gateway.address, head).rest();
        assert!(answer.starts_with("HTTP/1.1 400 "), "{line}: {answer}");
        assert!(answer.contains(reason), "{line}: {answer}");
    }
    assert!(origin.heads().is_empty(), "{:?}", origin.heads());
}

#[test]
fn a_target_of_another_server_is_misdirected() {
    let origin = origin::raw(OK);
    let gateway = passthrough(&origin.url(), "");
    let ask = |authority: &str, scheme: &str| {
        let line = format!("GET {scheme}://{authority}/x HTTP/1.1\r\nhost: {authority}\r\n");
        raw(gateway.address, format!("{line}connection: close\r\n\r\n")).rest()
    };
    let own_port = gateway.address.port();
    for authority in [
        origin.address.to_string(),
        gateway.address.to_string(),
        format!("localhost:{own_port}"),
        format!("gateway:{own_port}"),
    ] {
        let answer = ask(&authority, "http");
        assert!(answer.starts_with("HTTP/1.1 200 "), "{authority}: {answer}");
    }
    let count = origin.heads().len();
    for (authority, scheme) in [
        ("api.example.com", "http"),
        ("api.example.com", "https"),
        ("127.0.0.1:1", "http"),
        ("localhost", "http"),
    ] {
        let answer = ask(authority, scheme);
        assert!(answer.starts_with("HTTP/1.1 421 "), "{authority}: {answer}");
        assert!(
            answer.contains(&format!("the request is for {scheme}://{authority}"))
                && answer.contains("HTTP_PROXY")
                && answer.contains("ouli-error: request"),
            "{answer}"
        );
    }
    assert_eq!(origin.heads().len(), count, "none was forwarded");
}

#[test]
fn a_replay_without_an_upstream_answers_for_the_recorded_server_alone() {
    let origin = origin::simple();
    let recording = gateway::record(&origin).start();
    assert_eq!(client::http1(&recording).get("/hello").status, 200);
    let folder = Arc::clone(&recording.folder);
    recording.stop();
    let gateway = gateway::replay(&folder).start();
    let ask = |authority: &str, session: &str| {
        let head = format!("GET http://{authority}/hello HTTP/1.1\r\nhost: {authority}\r\n");
        let head = format!("{head}ouli-session: {session}\r\nconnection: close\r\n\r\n");
        raw(gateway.address, head).rest()
    };
    let (recorded, own) = (origin.address.to_string(), gateway.address.to_string());
    for authority in ["example.com", "127.0.0.1:1", "localhost"] {
        let answer = ask(authority, "default");
        assert!(answer.starts_with("HTTP/1.1 421 "), "{authority}: {answer}");
        let reason = format!("the upstream of the session default ({recorded})");
        assert!(answer.contains(&reason), "{answer}");
    }
    for authority in [&recorded, &own] {
        let answer = ask(authority, "default");
        assert!(answer.starts_with("HTTP/1.1 200 "), "{authority}: {answer}");
    }
    // Nothing of the session can be a wrong answer.
    let answer = ask("example.com", "empty");
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
    let report = gateway.finish();
    assert_eq!((report.hits, report.misses), (2, 0));
    assert!(!report.passed);
}

#[test]
fn any_host_of_a_path_is_answered() {
    let origin = origin::raw(OK);
    let gateway = passthrough(&origin.url(), "");
    for host in ["api.example.com", "gateway", "127.0.0.1:1"] {
        let head = format!("GET /x HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        let answer = raw(gateway.address, head).rest();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{host}: {answer}");
    }
}
