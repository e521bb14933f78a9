//! Limits of a request and of the number of requests.

use std::sync::Arc;
use std::time::Duration;

use crate::support::client::{self, Answer};
use crate::support::folder::Folder;
use crate::support::gateway;
use crate::support::origin::{self, Gate};
use crate::support::{at_least, until};

const HEAD: &str = "GET /hello HTTP/1.1\r\nhost: x\r\nconnection: close\r\n";

#[test]
fn a_head_that_is_too_large_is_a_431() {
    let origin = origin::simple();
    let limits = "[limits]\nheader_bytes = \"8 KiB\"\nheader_count = 20";
    let gateway = gateway::passthrough(&origin).section(limits).start();
    let long = format!("{HEAD}x-long: {}\r\n\r\n", "x".repeat(32 << 10));
    let many = format!("{HEAD}{}\r\n", "x-many: 1\r\n".repeat(30));
    for head in [long, many] {
        let mut raw = client::raw(gateway.address, &head[..1000.min(head.len())]);
        // The gateway may respond and close the connection before all of it is sent.
        raw.try_write(&head[1000.min(head.len())..]);
        let answer = raw.head();
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer:?}");
    }
    let fits = format!("{HEAD}x-fits: {}\r\n\r\n", "x".repeat(4 << 10));
    assert!(
        client::raw(gateway.address, fits)
            .head()
            .starts_with("HTTP/1.1 200 ")
    );
    assert_eq!(origin.seen().len(), 1);
}

#[test]
fn the_http2_header_list_is_limited() {
    let origin = origin::simple();
    let limits = "[limits]\nhttp2_max_header_list_size = \"8 KiB\"";
    let gateway = gateway::passthrough(&origin).section(limits).start();
    let ask = |size: usize| {
        let ask = client::http2(&gateway).ask("GET", "/hello");
        ask.header("x-long", &"x".repeat(size)).try_send()
    };
    assert_eq!(ask(4 << 10).unwrap().status, 200);
    let refused = ask(8 << 10).unwrap();
    let seen = (refused.status, refused.header("ouli-error"));
    assert_eq!(seen, (431, "limit"), "{}", refused.text());
    assert!(refused.text().contains("limits.http2_max_header_list_size"));
    // h2 itself responds to a header list that is much larger.
    let refused = ask(32 << 10);
    assert!(
        refused.as_ref().is_err() || refused.as_ref().unwrap().status == 431,
        "{refused:?}"
    );
    assert_eq!(ask(4 << 10).unwrap().status, 200);
    assert_eq!(origin.seen().len(), 2);
}

#[test]
fn a_head_that_http1_accepts_is_accepted_over_http2() {
    let origin = origin::simple();
    let gateway = gateway::passthrough(&origin).start();
    for client in [client::http1(&gateway), client::http2(&gateway)] {
        let ask = client.ask("GET", "/hello");
        let fields = (0..95).fold(ask, |ask, number| {
            ask.header(&format!("x-{number}"), &"x".repeat(330))
        });
        assert_eq!(fields.send().status, 200);
    }
}

#[test]
fn a_long_target_is_a_414() {
    let origin = origin::simple();
    let gateway = gateway::passthrough(&origin)
        .section("[limits]\nuri_bytes = 1000")
        .start();
    for client in [client::http1(&gateway), client::http2(&gateway)] {
        let ask = |length: usize| client.get(&format!("/hello?{}", "x".repeat(length - 7)));
        assert_eq!(ask(1000).status, 200);
        let refused = ask(1001);
        assert_eq!(
            (refused.status, refused.header("ouli-error")),
            (414, "limit")
        );
        assert!(refused.text().contains("limits.uri_bytes"));
        assert_eq!(ask(1000).status, 200);
    }
    assert_eq!(origin.seen().len(), 4);
}

#[test]
fn http2_header_fields_are_limited() {
    let origin = origin::simple();
    let gateway = gateway::passthrough(&origin)
        .section("[limits]\nhttp2_header_count = 20")
        .start();
    let client = client::http2(&gateway);
    let ask = |count: usize| {
        let ask = client.ask("GET", "/hello");
        let many = (0..count).fold(ask, |ask, number| ask.header(&format!("x-{number}"), "1"));
        many.send()
    };
    assert_eq!(ask(15).status, 200);
    let refused = ask(25);
    assert_eq!(
        (refused.status, refused.header("ouli-error")),
        (431, "limit")
    );
    assert!(refused.text().contains("limits.http2_header_count"));
    assert_eq!(ask(15).status, 200);
    assert_eq!(origin.seen().len(), 2);
}

#[test]
fn a_buffered_request_body_above_the_limit_is_a_413() {
    let origin = origin::simple();
    let limits = "[limits]\nrequest_body = 1000";
    let post = |gateway: &gateway::Running, size: usize| -> Answer {
        client::http1(gateway).post("/echo", "text/plain", &"x".repeat(size))
    };
    for builder in [
        gateway::auto(&origin),
        gateway::replay(&Arc::new(Folder::new())),
    ] {
        let gateway = builder.section(limits).start();
        let answer = post(&gateway, 1001);
        assert_eq!((answer.status, answer.header("ouli-error")), (413, "limit"));
        assert!(
            answer.text().contains("limits.request_body"),
            "{}",
            answer.text()
        );
        assert_ne!(post(&gateway, 1000).status, 413);
    }
    // The limit does not apply if the body is only forwarded.
    let gateway = gateway::record(&origin).section(limits).start();
    assert_eq!(post(&gateway, 5000).body.len(), 5000);
}

#[test]
fn a_request_above_max_concurrent_requests_is_a_503_with_retry_after() {
    let gate = Gate::new();
    let held = gate.clone();
    let handler = move |_: &origin::Seen| origin::parts().part("first").wait(&held).part("last");
    let origin = origin::new().route("/slow", handler).start();
    let gateway = gateway::passthrough(&origin)
        .section("[limits]\nmax_concurrent_requests = 2")
        .start();
    let client = client::http1(&gateway);
    let mut opened = [(); 2].map(|()| client.ask("GET", "/slow").open());
    for opened in &mut opened {
        assert_eq!(opened.next().unwrap().unwrap(), "first");
    }
    let refused = client.get("/slow");
    assert_eq!(
        (refused.status, refused.header("ouli-error")),
        (503, "limit")
    );
    assert_eq!(refused.header("retry-after"), "1");
    assert!(
        refused.text().contains("limits.max_concurrent_requests"),
        "{}",
        refused.text()
    );
    gate.open();
    for opened in opened {
        assert_eq!(opened.count().unwrap(), 4);
    }
    until("a free permit", || {
        (client.get("/slow").status == 200).then_some(())
    });
}

#[test]
fn pending_requests_are_limited() {
    let gate = Gate::new();
    let held = gate.clone();
    let handler = move |_: &origin::Seen| origin::parts().part("first").wait(&held).part("last");
    let origin = origin::new().route("/slow", handler).start();
    let limits = "[limits]\nmax_concurrent_requests = 1\nmax_pending_requests = 1\n\
                  pending_request_timeout = \"1h\"";
    let gateway = gateway::passthrough(&origin).section(limits).start();
    let client = client::http1(&gateway);
    let mut opened = client.ask("GET", "/slow").open();
    assert_eq!(opened.next().unwrap().unwrap(), "first");
    // One request waits for longer than this test runs; the others are refused at once.
    let mut more = [(); 4].map(|()| {
        let request = "GET /slow HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        Some(client::raw(gateway.address, request))
    });
    let mut refused = 0;
    until("three requests to be refused", || {
        for raw in &mut more {
            let soon = Duration::from_millis(1);
            if let Some(mut answered) = raw.take_if(|raw| !raw.is_silent_for(soon)) {
                let answer = answered.rest();
                assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
                assert!(
                    answer.contains("limits.max_concurrent_requests"),
                    "{answer}"
                );
                refused += 1;
            }
        }
        (refused == 3).then_some(())
    });
    gate.open();
    assert_eq!(opened.count().unwrap(), 4);
    let mut waiting = more.into_iter().flatten();
    assert!(waiting.next().unwrap().head().starts_with("HTTP/1.1 200 "));
    gateway.serves_again("/slow");
}

#[test]
fn a_pending_request_waits_for_pending_request_timeout() {
    let gate = Gate::new();
    let held = gate.clone();
    let handler = move |_: &origin::Seen| origin::parts().part("first").wait(&held);
    let origin = origin::new().route("/slow", handler).start();
    let limits = "[limits]\nmax_concurrent_requests = 1\npending_request_timeout = \"300ms\"";
    let gateway = gateway::passthrough(&origin).section(limits).start();
    let client = client::http1(&gateway);
    let mut opened = client.ask("GET", "/slow").open();
    assert_eq!(opened.next().unwrap().unwrap(), "first");
    let refused = at_least(Duration::from_millis(300), || client.get("/slow"));
    assert_eq!(refused.status, 503);
    gate.open();
    assert_eq!(opened.count().unwrap(), 0);
    gateway.serves_again("/slow");
}

#[test]
fn a_session_above_the_limit_is_a_503() {
    let gate = Gate::new();
    let held = gate.clone();
    let origin = origin::new()
        .route("/slow", move |_| origin::parts().wait(&held).part("done"))
        .route("/hello", |_| origin::text("good morning\n"))
        .start();
    let gateway = gateway::record(&origin)
        .section("[limits]\nsessions = 2")
        .start();
    let client = client::http1(&gateway);
    let ask = |path: &str, name: &str| client.ask("GET", path).header("ouli-session", name);
    let used = ["one", "two"].map(|name| ask("/slow", name).open());
    let refused = ask("/hello", "three").send();
    assert_eq!(
        (refused.status, refused.header("ouli-error")),
        (503, "limit")
    );
    assert_eq!(refused.header("retry-after"), "1");
    assert!(
        refused.text().contains("limits.sessions"),
        "{}",
        refused.text()
    );
    assert_eq!(ask("/hello", "one").send().status, 200);
    assert_eq!(origin.seen().len(), 3);
    gate.open();
    for answer in used {
        assert_eq!(answer.count().unwrap(), 4);
    }
    // An idle session gives its place to another one, and back.
    for name in ["three", "four", "one", "two"] {
        until("an idle session", || {
            (ask("/hello", name).send().status == 200).then_some(())
        });
    }
    let verdict = gateway.stop();
    let recorded = |name: &str| {
        let found = verdict.sessions.iter().find(|it| it.session == name);
        found.unwrap().recorded
    };
    assert_eq!(["one", "two", "three", "four"].map(recorded), [3, 2, 1, 1]);
}
