//! The gateway's own error responses in the formats whose messages clients show.

use std::sync::Arc;

use crate::support::client::{self, raw};
use crate::support::folder::Folder;
use crate::support::gateway;

const SENTENCE: &str = "GET /v1 is not recorded: session default has no cassette";

fn empty() -> gateway::Builder {
    gateway::replay(&Arc::new(Folder::new()))
}

#[test]
fn the_first_sentence_is_the_reason_phrase_and_a_header() {
    let gateway = empty().start();
    let head = raw(gateway.address, "GET /v1 HTTP/1.1\r\nhost: a\r\n\r\n").head();
    let status = head.lines().next().unwrap();
    assert_eq!(status, format!("HTTP/1.1 404 {SENTENCE}"));
    let line = format!("ouli-error-detail: {SENTENCE}\r\n");
    assert!(head.contains(&line), "{head}");
    let answer = client::http2(&gateway).get("/v1");
    assert_eq!(answer.header("ouli-error-detail"), SENTENCE);
}

#[test]
fn a_sentence_is_one_line_of_visible_ascii() {
    let gateway = empty().start();
    let target = format!("/{}?q=%0d%0ax:%20y%e9%00", "p".repeat(4000));
    let request = format!("GET {target} HTTP/1.1\r\nhost: a\r\n\r\n");
    let head = raw(gateway.address, request).head();
    let mut lines = head.lines();
    let status = lines.next().unwrap();
    assert!(status.len() < 300, "{status}");
    assert!(!lines.any(|line| line.starts_with("x:")), "{head}");
    assert!(
        head.bytes()
            .all(|byte| byte.is_ascii_graphic() || b" \r\n".contains(&byte))
    );
}

/// Asserts that clients with these headers get the message at this pointer of the response.
fn assert_message(builder: &gateway::Builder, headers: &[(&str, &str)], pointer: &str) {
    let gateway = builder.start();
    let ask = client::http1(&gateway).ask("GET", "/v1");
    let ask = headers
        .iter()
        .fold(ask, |ask, (name, value)| ask.header(name, value));
    let answer = ask.send();
    assert_eq!((answer.status, answer.header("ouli-error")), (404, "miss"));
    let body = answer.json();
    let message = body.pointer(pointer).and_then(|message| message.as_str());
    let message = message.unwrap_or_else(|| panic!("{headers:?}: no {pointer} in {body:#}"));
    assert!(
        message.starts_with(&format!("ouli-gateway: {SENTENCE}")),
        "{message}"
    );
}

#[test]
fn client_libraries_find_the_message() {
    let agent = |value| [("user-agent", value)];
    for (headers, pointer) in [
        (&agent("curl/8.0")[..], "/message"),
        (&agent("curl/8.0"), "/error/message"),
        (&agent("OpenAI/JS 6.1"), "/error/message"),
        (&agent("Anthropic/Python 1.0"), "/error/message"),
        (&agent("Stripe/v1 NodeBindings/20"), "/error/message"),
        (&agent("PyGithub/Python"), "/message"),
        (&[("accept", "application/vnd.github+json")], "/message"),
        (&[("x-goog-api-client", "gl-python/3.11")], "/error/message"),
        (
            &[
                ("user-agent", "Boto3/1.40"),
                ("content-type", "application/x-amz-json-1.0"),
            ],
            "/message",
        ),
        (
            &[("accept", "application/graphql-response+json")],
            "/errors/0/message",
        ),
    ] {
        assert_message(&empty(), headers, pointer);
    }
}

#[test]
fn a_setting_selects_the_form() {
    let stripe = empty().endpoint("error_format = \"stripe\"");
    assert_message(&stripe, &[("user-agent", "curl/8.0")], "/error/message");
    let graphql = empty().set("error_format = \"graphql\"");
    assert_message(&graphql, &[], "/errors/0/message");
    let text = empty().set("error_format = \"text\"").start();
    let answer = client::http1(&text).get("/v1");
    assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
    assert!(answer.text().starts_with("miss  GET /v1 "), "{answer:?}");
    let xml = empty().set("error_format = \"aws-xml\"").start();
    let answer = client::http1(&xml).get("/v1");
    assert_eq!(answer.header("content-type"), "application/xml");
    let start =
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>ouli-miss</Code><Message>";
    assert!(answer.text().starts_with(start), "{answer:?}");
    // A gRPC client understands no other format.
    let ask = client::http2(&text).ask("POST", "/test.Door/Open");
    let ask = ask.header("content-type", "application/grpc");
    let answer = ask.header("te", "trailers").body([0; 5]).send();
    assert_eq!((answer.status, answer.header("grpc-status")), (200, "5"));
    let message = answer.header("grpc-message");
    assert!(
        message.starts_with("ouli-gateway: POST /test.Door/Open is not recorded"),
        "{message}"
    );
}

#[test]
fn errors_other_than_a_miss_have_the_same_forms() {
    let limited = empty()
        .section("[limits]\nrequest_body = 10\nuri_bytes = 64")
        .start();
    let ask = client::http1(&limited).ask("POST", "/v1");
    let ask = ask.header("user-agent", "OpenAI/Python 3.54");
    let answer = ask.body("eleven char").send();
    let sentence = "the request body is larger than 10 bytes (limits.request_body)";
    assert_eq!(answer.status, 413);
    assert_eq!(answer.header("ouli-error-detail"), sentence);
    let message = &answer.json()["error"]["message"];
    assert_eq!(
        message.as_str().unwrap(),
        format!("ouli-gateway: {sentence}")
    );
    let ask = client::http1(&limited).ask("GET", &format!("/{}", "x".repeat(64)));
    let answer = ask.header("accept", "application/xml").send();
    assert_eq!((answer.status, answer.header("ouli-error")), (414, "limit"));
    assert_eq!(answer.header("content-type"), "application/problem+xml");
}
