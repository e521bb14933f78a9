//! Interim responses and `expect: 100-continue` (RFC 9110, sections 10.1.1 and 15.2).

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use bytes::Bytes;
use http::{Request, StatusCode, Version};
use ouli_config::Defect;

use crate::support::client::{self, Raw};
use crate::support::folder::Folder;
use crate::support::gateway::{self, Running};
use crate::support::origin::{Peer, peer};
use crate::support::{PATIENCE, wait_for};

const EXPECT: &str = "POST /upload HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\n\
                      content-length: 4\r\n\r\n";

const CONTINUE: &str = "HTTP/1.1 100 Continue\r\n\r\n";

fn start(mode: &'static str, folder: &Arc<Folder>, upstream: SocketAddr) -> Running {
    let gateway = gateway::over(folder, mode).upstream(&format!("http://{upstream}"));
    gateway.start()
}

/// An origin that reports each head to the test and responds with `answer`.
fn asked(answer: impl Fn(&mut Peer) + Send + Sync + 'static) -> (SocketAddr, Receiver<String>) {
    let (sender, heads) = channel();
    let address = peer(move |peer| {
        let head = peer.head();
        if !head.is_empty() {
            sender.send(head).unwrap();
            answer(peer);
        }
    });
    (address, heads)
}

fn response(text: &str) -> String {
    let length = text.len();
    format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{text}")
}

#[test]
fn the_upstream_asks_for_the_body() {
    for mode in ["record", "passthrough"] {
        let (go, may_continue) = channel::<()>();
        let may_continue = std::sync::Mutex::new(may_continue);
        let (upstream, heads) = asked(move |peer| {
            may_continue.lock().unwrap().recv().unwrap();
            peer.send(CONTINUE);
            let body = String::from_utf8(peer.bytes(4)).unwrap();
            peer.send(response(&body));
        });
        let folder = Arc::new(Folder::new());
        let gateway = gateway::over(&folder, mode)
            .upstream(&format!("http://{upstream}"))
            .section("[limits]\ncontinue_timeout = \"1h\"")
            .start();
        let mut raw = client::raw(gateway.address, EXPECT);
        let head = heads.recv_timeout(PATIENCE).unwrap();
        assert!(head.contains("expect: 100-continue\r\n"), "{mode}: {head}");
        go.send(()).unwrap();
        assert_eq!(raw.head(), CONTINUE, "{mode}");
        raw.write("body");
        assert!(raw.head().starts_with("HTTP/1.1 200 OK\r\n"), "{mode}");
        assert_eq!(raw.exactly(4).unwrap(), b"body", "{mode}");
        gateway.stop();
        if mode == "record" {
            let exchange = &folder.exchanges("default")[0];
            assert_eq!(exchange["request"]["body"]["text"], "body");
            assert!(
                !exchange["request"]["headers"]
                    .to_string()
                    .contains("expect")
            );
        }
    }
}

#[test]
fn a_final_response_of_the_upstream_is_sent_without_the_body_and_replayed_so() {
    let answer = "HTTP/1.1 401 Unauthorized\r\ncontent-length: 2\r\n\r\nno";
    let (upstream, heads) = asked(move |peer| peer.send(answer));
    let folder = Arc::new(Folder::new());
    let gateway = start("record", &folder, upstream);
    let all = client::raw(gateway.address, EXPECT).rest();
    assert!(all.starts_with("HTTP/1.1 401 Unauthorized\r\n"), "{all}");
    assert!(all.contains("connection: close\r\n"), "{all}");
    assert!(all.ends_with("\r\n\r\nno"), "{all}");
    heads.recv_timeout(PATIENCE).unwrap();
    let report = gateway.finish();
    assert_eq!(
        (report.recorded, report.counted(Defect::Partial).len()),
        (1, 0)
    );
    let gateway = gateway::replay_repeating(&folder).start();
    for _ in 0..2 {
        let replayed = client::raw(gateway.address, EXPECT).rest();
        assert!(replayed.starts_with("HTTP/1.1 401 "), "{replayed}");
        assert!(replayed.ends_with("\r\n\r\nno"), "{replayed}");
    }
}

#[test]
fn a_recorded_body_is_asked_for_at_once_in_replay() {
    let (upstream, _heads) = asked(|peer| {
        peer.send(CONTINUE);
        peer.bytes(4);
        peer.send(response("done"));
    });
    let folder = Arc::new(Folder::new());
    let gateway = start("record", &folder, upstream);
    let ask = |gateway: &Running| {
        let mut raw = client::raw(gateway.address, EXPECT);
        assert_eq!(raw.head(), CONTINUE);
        raw.write("body");
        assert!(raw.head().starts_with("HTTP/1.1 200 "));
        assert_eq!(raw.exactly(4).unwrap(), b"done");
    };
    ask(&gateway);
    gateway.stop();
    ask(&gateway::replay(&folder).start());
}

/// An upstream that ignores the expectation waits for the body.
#[test]
fn a_silent_upstream_gets_the_body_after_continue_timeout() {
    let (upstream, _heads) = asked(|peer| {
        let body = String::from_utf8(peer.bytes(4)).unwrap();
        peer.send(response(&body));
    });
    let gateway = gateway::over(&Arc::new(Folder::new()), "passthrough")
        .upstream(&format!("http://{upstream}"))
        .section("[limits]\ncontinue_timeout = \"50ms\"")
        .start();
    for _ in 0..2 {
        let mut raw = client::raw(gateway.address, EXPECT);
        assert_eq!(raw.head(), CONTINUE);
        raw.write("body");
        assert!(raw.head().starts_with("HTTP/1.1 200 "));
    }
}

const HINTS: &str = "HTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\nlink: </b.css>\r\n\
                     connection: x-hop\r\nx-hop: 1\r\n\r\n";

/// An origin that sends early hints, and the final response after the test has received them.
fn hinting(seen: Receiver<()>) -> SocketAddr {
    let seen = std::sync::Mutex::new(seen);
    peer(move |peer| {
        if !peer.head().is_empty() {
            peer.send("HTTP/1.1 102 Processing\r\n\r\n");
            peer.send(HINTS);
            seen.lock().unwrap().recv().unwrap();
            peer.send(response("done"));
        }
    })
}

#[test]
fn interim_responses_reach_an_http1_client_before_the_final_one() {
    for mode in ["record", "passthrough", "auto"] {
        let (seen, wait) = channel();
        let gateway = start(mode, &Arc::new(Folder::new()), hinting(wait));
        let mut raw = client::raw(gateway.address, "GET / HTTP/1.1\r\nhost: x\r\n\r\n");
        assert_eq!(raw.head(), "HTTP/1.1 102 Processing\r\n\r\n", "{mode}");
        let hints = "HTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\nlink: </b.css>\r\n\r\n";
        assert_eq!(raw.head(), hints, "{mode}");
        seen.send(()).unwrap();
        assert!(raw.head().starts_with("HTTP/1.1 200 OK\r\n"), "{mode}");
        assert_eq!(raw.exactly(4).unwrap(), b"done", "{mode}");
    }
}

#[test]
fn an_http10_client_gets_no_interim_response() {
    let (seen, wait) = channel();
    let gateway = start("passthrough", &Arc::new(Folder::new()), hinting(wait));
    seen.send(()).unwrap();
    let all = client::raw(gateway.address, "GET / HTTP/1.0\r\nhost: x\r\n\r\n").rest();
    assert!(all.starts_with("HTTP/1.0 200 OK\r\n"), "{all}");
    assert!(!all.contains("link"), "{all}");
}

/// Sends a request over HTTP/2; returns its interim responses and the final one with its body.
fn over_http2(
    gateway: &Running,
    request: Request<()>,
    body: &'static [u8],
    between: impl FnOnce(),
) -> (Vec<http::Response<()>>, StatusCode, Bytes) {
    let address = gateway.address;
    let (interim, response) = wait_for("an HTTP/2 response", async move {
        let stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let (sender, connection) = h2::client::handshake(stream).await.unwrap();
        tokio::spawn(async { drop(connection.await) });
        let mut sender = sender.ready().await.unwrap();
        let (mut response, mut stream) = sender.send_request(request, body.is_empty()).unwrap();
        let mut interim = Vec::new();
        let first = std::future::poll_fn(|cx| response.poll_informational(cx)).await;
        if let Some(first) = first {
            interim.push(first.unwrap());
        }
        if !body.is_empty() {
            stream.send_data(Bytes::from_static(body), true).unwrap();
        }
        (interim, response)
    });
    between();
    wait_for("the end of an HTTP/2 response", async move {
        let (head, mut body) = response.await.unwrap().into_parts();
        let mut bytes = Vec::new();
        while let Some(chunk) = body.data().await {
            bytes.extend_from_slice(&chunk.unwrap());
        }
        (interim, head.status, bytes.into())
    })
}

fn h2_request(gateway: &Running, method: &str, path: &str) -> http::request::Builder {
    Request::builder()
        .method(method)
        .version(Version::HTTP_2)
        .uri(format!("http://{}{path}", gateway.address))
}

#[test]
fn an_http2_client_is_asked_for_the_body_that_it_holds_back() {
    let (upstream, _heads) = asked(|peer| {
        peer.send(CONTINUE);
        peer.bytes(4);
        peer.send(response("done"));
    });
    let folder = Arc::new(Folder::new());
    for mode in ["record", "replay"] {
        let gateway = start(mode, &folder, upstream);
        let request = h2_request(&gateway, "POST", "/upload")
            .header("expect", "100-continue")
            .header("content-length", "4");
        let request = request.body(()).unwrap();
        let (interim, status, body) = over_http2(&gateway, request, b"body", || {});
        assert_eq!(interim.len(), 1, "{mode}");
        assert_eq!(interim[0].status(), StatusCode::CONTINUE, "{mode}");
        assert_eq!((status, &*body), (StatusCode::OK, &b"done"[..]), "{mode}");
        gateway.stop();
    }
}

#[test]
fn interim_responses_reach_an_http2_client_before_the_final_one() {
    let (seen, wait) = channel();
    let seen_hints = std::sync::Mutex::new(wait);
    let upstream = peer(move |peer| {
        if !peer.head().is_empty() {
            peer.send(HINTS);
            seen_hints.lock().unwrap().recv().unwrap();
            peer.send(response("done"));
        }
    });
    let gateway = start("record", &Arc::new(Folder::new()), upstream);
    let request = h2_request(&gateway, "GET", "/").body(()).unwrap();
    let (interim, status, body) = over_http2(&gateway, request, b"", || seen.send(()).unwrap());
    assert_eq!(interim[0].status(), StatusCode::EARLY_HINTS);
    let links: Vec<_> = interim[0].headers().get_all("link").iter().collect();
    assert_eq!(links, ["</a.css>", "</b.css>"]);
    assert_eq!(
        interim[0].headers().len(),
        2,
        "hop-by-hop fields are not forwarded"
    );
    assert_eq!((status, &*body), (StatusCode::OK, &b"done"[..]));
}

/// The field with which the gateway marks the stream is not forwarded, even if the client sent it.
#[test]
fn the_stream_marker_of_http2_is_not_forwarded() {
    let (upstream, heads) = asked(|peer| peer.send(response("done")));
    let gateway = start("record", &Arc::new(Folder::new()), upstream);
    let request = h2_request(&gateway, "GET", "/").header("ouli-http2-stream", "9");
    let request = request.header("x-last", "1").body(()).unwrap();
    let client = client::http2(&gateway);
    let asked = wait_for("an answer", async {
        let mut connection = client.connect().await.unwrap();
        let request = request.map(|()| client::whole(Bytes::new()));
        connection.send(request).await.unwrap().status
    });
    assert_eq!(asked, 200);
    let head = heads.recv_timeout(PATIENCE).unwrap();
    assert!(!head.contains("ouli-"), "{head}");
    assert!(head.contains("x-last: 1\r\n"), "{head}");
}

/// No interim response is written between the responses of a pipeline.
#[test]
fn interim_responses_stay_with_their_request_in_a_pipeline() {
    let upstream = peer(|peer| {
        while !peer.head().is_empty() {
            peer.send("HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n");
            peer.send(response("done"));
        }
    });
    let gateway = start("passthrough", &Arc::new(Folder::new()), upstream);
    let request = "GET / HTTP/1.1\r\nhost: x\r\n\r\n";
    let mut raw: Raw = client::raw(gateway.address, request.repeat(3));
    for _ in 0..3 {
        assert!(raw.head().starts_with("HTTP/1.1 103 "));
        assert!(raw.head().starts_with("HTTP/1.1 200 "));
        assert_eq!(raw.exactly(4).unwrap(), b"done");
    }
}
