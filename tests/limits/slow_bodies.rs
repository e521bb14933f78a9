//! Request bodies that arrive slowly, and the permits that they hold.

use std::time::Duration;

use http::Request;

use crate::support::client::{self, Answer, Body, Raw};
use crate::support::gateway::Running;
use crate::support::origin::{self, Gate, Origin};
use crate::support::{at_least, gateway, until, wait_for};

#[test]
fn a_body_below_request_body_min_rate_is_a_408() {
    let origin = origin::simple();
    let post = "POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nabc";
    let limits = "[limits]\nrequest_body_min_rate = 1000\nrequest_body_grace = \"200ms\"";
    for builder in [gateway::passthrough(&origin), gateway::auto(&origin)] {
        let gateway = builder.section(limits).start();
        let grace = Duration::from_millis(200);
        let answer = at_least(grace, || client::raw(gateway.address, post).rest());
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
        assert!(answer.contains("limits.request_body_min_rate"), "{answer}");
        let report = client::http1(&gateway).post("/echo", "text/plain", "whole");
        assert_eq!(report.text(), "whole");
    }
}

#[test]
fn a_content_type_of_grpc_does_not_switch_off_timeouts() {
    let origin = origin::simple();
    let gateway = gateway::passthrough(&origin)
        .section("[limits]\nrequest_body_idle_timeout = \"200ms\"")
        .start();
    for client in [client::http1(&gateway), client::http2(&gateway)] {
        let ask = client.ask("POST", "/echo");
        let ask = ask.header("content-type", "application/grpc");
        let mut request = ask.into_request();
        *request.body_mut() = client::endless("x");
        let answer = wait_for("the end of a stalled body", async {
            client.connect().await.unwrap().send(request).await.unwrap()
        });
        assert_eq!(answer.header("ouli-error"), "limit", "{answer:?}");
        let message = answer.header("grpc-message");
        assert!(message.contains("request_body_idle_timeout"), "{answer:?}");
    }
}

/// The answer to a GET that follows these requests on one connection. They are open until then.
fn answer_beside(gateway: &Running, requests: [Request<Body>; 2]) -> Answer {
    let client = client::http2(gateway);
    let last = client.ask("GET", "/hello").into_request();
    wait_for("an answer beside open requests", async {
        let mut connection = client.connect().await.unwrap();
        let [one, two] = requests.map(|request| connection.http2().send_request(request));
        let answer = connection.send(last);
        tokio::select! {
            biased;
            _ = one => panic!("the first request ended"),
            _ = two => panic!("the second request ended"),
            answer = answer => answer.unwrap(),
        }
    })
}

#[test]
fn a_call_holds_no_permit_of_other_requests() {
    let origin = origin::simple();
    for mode in [gateway::passthrough, gateway::record] {
        let gateway = mode(&origin)
            .section(
                "[limits]\nmax_concurrent_requests = 1\nupstream_max_concurrent_requests = 1\n\
                 max_pending_requests = 0",
            )
            .start();
        let call = || {
            let ask = client::http2(&gateway).ask("POST", "/echo");
            let ask = ask.header("content-type", "application/grpc");
            let mut request = ask.header("te", "trailers").into_request();
            *request.body_mut() = client::endless(&b"\0\0\0\0\x01x"[..]);
            request
        };
        let answer = answer_beside(&gateway, [call(), call()]);
        assert_eq!(answer.status, 200, "{answer:?}");
    }
}

#[test]
fn a_call_above_streams_is_refused() {
    let gate = Gate::new();
    let held = gate.clone();
    let handler = move |_: &origin::Seen| {
        let reply = origin::parts().header("content-type", "application/grpc");
        reply.part("first").wait(&held)
    };
    let origin = origin::new().route("/call", handler).start();
    let gateway = gateway::passthrough(&origin)
        .section("[limits]\nstreams = 1")
        .start();
    let call = || {
        let ask = client::http2(&gateway).ask("POST", "/call");
        let ask = ask.header("content-type", "application/grpc");
        ask.header("te", "trailers").body([0; 5])
    };
    let mut open = call().open();
    assert_eq!(open.next().unwrap().unwrap(), "first");
    let refused = call().send();
    assert_eq!(refused.header("grpc-status"), "8", "{refused:?}");
    assert!(refused.header("grpc-message").contains("limits.streams"));
    gate.open();
    drop(open);
    until("a free permit", || {
        (call().send().header("ouli-error") != "limit").then_some(())
    });
}

#[test]
fn requests_of_one_loopback_address_are_limited() {
    let gate = Gate::new();
    let held = gate.clone();
    let handler = move |_: &origin::Seen| origin::parts().part("first").wait(&held).part("last");
    let origin = origin::new().route("/slow", handler).start();
    let gateway = gateway::passthrough(&origin)
        .section("[limits]\nrequests_per_loopback = 2")
        .start();
    let client = client::http1(&gateway);
    let mut opened = [(); 2].map(|()| client.ask("GET", "/slow").open());
    for opened in &mut opened {
        assert_eq!(opened.next().unwrap().unwrap(), "first");
    }
    let refused = client.get("/slow");
    assert_eq!(refused.header("retry-after"), "1", "{refused:?}");
    assert!(refused.text().contains("limits.requests_per_loopback"));
    // A gateway that is busy is alive.
    assert_eq!(client.get("/__ouli/healthz").status, 200);
    gate.open();
    for opened in opened {
        assert_eq!(opened.count().unwrap(), 4);
    }
    until("a free place", || {
        (client.get("/slow").status == 200).then_some(())
    });
}

/// Limits by which a client may trickle its body for an hour, except for these.
fn with_patience(limits: &str) -> String {
    format!(
        "[limits]\nupstream_max_concurrent_requests = 4\npending_request_timeout = \"1m\"\n\
         request_body_grace = \"1h\"\nrequest_body_idle_timeout = \"1h\"\n\
         request_timeout = \"1h\"\n{limits}"
    )
}

/// Three uploads that have places, and one that waits.
fn trickling(gateway: &Running, origin: &Origin, head: &str) -> Vec<Raw> {
    let post = format!("POST /echo HTTP/1.1\r\nhost: x\r\n{head}content-length: 100000\r\n\r\na");
    let slow = (0..4).map(|_| client::raw(gateway.address, &post));
    let slow = slow.collect();
    until("the places are taken", || {
        (origin.connections() >= 3).then_some(())
    });
    slow
}

const HEADS: [&str; 2] = ["", "content-type: application/grpc\r\nte: trailers\r\n"];

#[test]
fn clients_that_trickle_give_way_to_requests_that_wait() {
    let limits = with_patience("request_body_contended_grace = \"100ms\"");
    for head in HEADS {
        let origin = origin::simple();
        let gateway = gateway::passthrough(&origin).section(&limits).start();
        let slow = trickling(&gateway, &origin, head);
        let large = "x".repeat(50_000);
        let client = client::http1(&gateway);
        assert_eq!(client.post("/echo", "text/plain", &large).status, 200);
        drop(slow);
    }
}

#[test]
fn a_request_whose_body_has_arrived_waits_for_no_upload() {
    let limits = with_patience("request_body_contended_grace = \"1h\"");
    for head in HEADS {
        let origin = origin::simple();
        let gateway = gateway::passthrough(&origin).section(&limits).start();
        let slow = trickling(&gateway, &origin, head);
        for version in [http::Version::HTTP_11, http::Version::HTTP_2] {
            let client = client::at(gateway.address, version);
            assert_eq!(client.get("/hello").text(), "good morning\n");
            let answer = client.post("/echo", "text/plain", "small");
            assert_eq!(answer.text(), "small");
        }
        // A small body that does not arrive takes no place of the upstream.
        let post = "POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\na";
        let small: Vec<_> = (0..8).map(|_| client::raw(gateway.address, post)).collect();
        assert_eq!(client::http1(&gateway).get("/hello").status, 200);
        drop((slow, small));
    }
}
