//! HTTP/2 between client, gateway and upstream, with and without TLS.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::Version;

use crate::support::client::{self, Answer, Client, Connection, whole};
use crate::support::folder::Folder;
use crate::support::gateway::{self, Running};
use crate::support::origin::{self, Gate, Origin};
use crate::support::{spawn, tls, wait_for};

#[test]
fn one_port_serves_http1_and_http2() {
    let origin = origin::simple();
    let gateway = gateway::record(&origin).start();
    let (one, two) = (
        client::http1(&gateway).get("/hello"),
        client::http2(&gateway).get("/hello"),
    );
    assert_eq!(
        (one.version, two.version),
        (Version::HTTP_11, Version::HTTP_2)
    );
    assert_eq!(
        (one.text(), two.text()),
        ("good morning\n", "good morning\n")
    );
    // The URL of the upstream decides its protocol.
    assert!(
        origin
            .seen()
            .iter()
            .all(|seen| seen.version == Version::HTTP_11)
    );
}

/// An HTTP/2 server that never responds to `/silent`. Counts its connections.
async fn often_silent(listener: tokio::net::TcpListener, connections: Arc<AtomicUsize>) {
    use hyper_util::rt::{TokioExecutor, TokioIo};
    while let Ok((stream, _)) = listener.accept().await {
        connections.fetch_add(1, Ordering::SeqCst);
        let service = hyper::service::service_fn(async |request: http::Request<_>| {
            if request.uri().path() == "/silent" {
                std::future::pending::<()>().await;
            }
            let _: hyper::body::Incoming = request.into_body();
            Ok::<_, Infallible>(http::Response::new("here".to_owned()))
        });
        let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        spawn(async move {
            // The connection ends with the gateway.
            let _ = server.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

/// Other requests keep such a connection from being idle, so a late response is the only sign that
/// the peer is unreachable.
#[test]
fn a_shared_connection_with_a_late_response_takes_no_more_requests() {
    let connections = Arc::new(AtomicUsize::new(0));
    let listener = wait_for("a listener", tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let url = format!("h2c://{}", listener.local_addr().unwrap());
    spawn(often_silent(listener, Arc::clone(&connections)));
    // A single serving thread has a single connection.
    let gateway = gateway::over(&Arc::new(Folder::new()), "passthrough")
        .upstream(&url)
        .section("[limits]\nresponse_header_timeout = \"2s\"")
        .start_with(1);
    let client = client::http1(&gateway);
    let used = || {
        (0..3).for_each(|_| assert_eq!(client.get("/").text(), "here"));
        connections.load(Ordering::SeqCst)
    };
    assert_eq!(used(), 1);
    assert_eq!(client.get("/silent").status, 504);
    assert_eq!(used(), 2);
}

#[test]
fn a_recording_over_one_protocol_replays_over_the_other() {
    let origin = origin::new()
        .route("/*", |seen| {
            origin::bytes(seen.body.clone()).header("x-own", "1")
        })
        .start();
    let folder = Arc::new(Folder::new());
    let gateway = gateway::over(&folder, "record")
        .upstream(&origin.h2c())
        .start();
    let ask = |client: &Client| -> Answer { client.post("/a?b=1", "text/plain", "body") };
    let recorded = ask(&client::http2(&gateway));
    assert_eq!(origin.seen()[0].version, Version::HTTP_2);
    gateway.stop();
    origin.stop();
    let gateway = gateway::replay(&folder).start();
    for client in [client::http1(&gateway), client::http2(&gateway)] {
        assert_eq!(ask(&client), recorded);
    }
}

#[test]
fn an_h2c_upstream_is_used_with_prior_knowledge() {
    let origin = origin::simple();
    let folder = Arc::new(Folder::new());
    let gateway = gateway::over(&folder, "passthrough")
        .upstream(&origin.h2c())
        .start();
    assert_eq!(
        client::http1(&gateway).get("/hello").text(),
        "good morning\n"
    );
    let seen = &origin.seen()[0];
    assert_eq!(seen.version, Version::HTTP_2);
    assert_eq!(seen.authority, origin.address.to_string());
}

#[test]
fn trailers_are_forwarded_over_http2() {
    let reply = |_: &origin::Seen| origin::parts().part("body").trailer("grpc-status", "0");
    let origin = origin::new().route("/call", reply).start();
    let folder = Arc::new(Folder::new());
    let gateway = gateway::over(&folder, "record")
        .upstream(&origin.h2c())
        .start();
    let ask = |client: &Client| client.ask("POST", "/call").header("te", "trailers").send();
    let recorded = ask(&client::http2(&gateway));
    assert_eq!(recorded.trailers.as_ref().unwrap()["grpc-status"], "0");
    assert_eq!(origin.seen()[0].headers["te"], "trailers");
    gateway.stop();
    origin.stop();
    let gateway = gateway::replay(&folder).start();
    assert_eq!(ask(&client::http2(&gateway)), recorded);
}

#[test]
fn request_trailers_are_forwarded() {
    let origin = origin::simple();
    let folder = Arc::new(Folder::new());
    let gateway = gateway::over(&folder, "record")
        .upstream(&origin.h2c())
        .start();
    let trailers = http::HeaderMap::from_iter([(
        http::HeaderName::from_static("x-checksum"),
        http::HeaderValue::from_static("abc"),
    )]);
    let frames = vec![
        hyper::body::Frame::data(bytes::Bytes::from("body")),
        hyper::body::Frame::trailers(trailers),
    ];
    let answer = client::http2(&gateway)
        .ask("POST", "/echo")
        .frames(frames)
        .send();
    assert_eq!(answer.text(), "body");
    let seen = origin.seen().remove(0);
    assert_eq!(seen.trailers.unwrap()["x-checksum"], "abc");
    gateway.stop();
    let recorded = &folder.exchanges("default")[0]["request"]["trailers"];
    assert_eq!(recorded[0], serde_json::json!(["x-checksum", "abc"]));
}

/// Sends requests for `/N` on `opened` concurrent streams of one connection.
fn all_at_once(gateway: &Running, opened: usize, then: impl FnOnce()) -> Vec<String> {
    let client = client::http2(gateway);
    let mut connection: Connection = wait_for("a connection", client.connect()).unwrap();
    // The settings of the server, which limit the number of streams, arrive before the first
    // response.
    let first = client.ask("GET", "/first").into_request();
    wait_for("the first answer", connection.send(first)).unwrap();
    let streams: Vec<_> = (0..opened)
        .map(|number| {
            let mut sender = connection.http2();
            let uri = format!("http://{}/{number}", client.address);
            let request = http::Request::get(uri)
                .body(whole(bytes::Bytes::new()))
                .unwrap();
            let (tell, told) = tokio::sync::oneshot::channel();
            spawn(async move {
                let response = sender.send_request(request).await.unwrap();
                let answer = client::collect(response).await.unwrap();
                // The receiver is dropped if the test has failed.
                let _ = tell.send(answer.text().to_owned());
            });
            told
        })
        .collect();
    then();
    let answers = streams.into_iter();
    answers
        .map(|told| wait_for("the answer of a stream", told).unwrap())
        .collect()
}

#[test]
fn a_hundred_streams_run_at_once() {
    let gate = Gate::new();
    let held = gate.clone();
    let handler = move |seen: &origin::Seen| {
        origin::parts()
            .part("answer to ")
            .wait(&held)
            .part(seen.target.clone())
    };
    let origin = origin::new()
        .route("/first", |_| origin::text("at once"))
        .route("/*", handler)
        .start();
    let gateway = gateway::record(&origin).start();
    let answers = all_at_once(&gateway, 100, || {
        // All requests have started before the first one ends.
        crate::support::until("all requests at the origin", || {
            (origin.seen().len() == 101).then_some(())
        });
        gate.open();
    });
    let expected: Vec<_> = (0..100)
        .map(|number| format!("answer to /{number}"))
        .collect();
    assert_eq!(answers, expected);
    assert_eq!(gateway.finish().recorded, 101);
}

#[test]
fn streams_above_the_limit_wait() {
    let origin = origin::new()
        .route("/*", |seen| origin::text(&seen.target))
        .start();
    let gateway = gateway::record(&origin)
        .section("[limits]\nhttp2_max_concurrent_streams = 4")
        .start();
    let answers = all_at_once(&gateway, 200, || {});
    assert_eq!(answers.len(), 200);
}

fn with_local_ca(origin: &Origin) -> Running {
    gateway::record(origin)
        .endpoint("tls = \"self-signed\"")
        .start()
}

fn certificate(gateway: &Running) -> std::path::PathBuf {
    let authority =
        ouli_net::tls::CertificateAuthority::open_or_create(&gateway.folder.path().join("ca"));
    authority.unwrap().certificate_path().to_owned()
}

#[test]
fn alpn_chooses_the_protocol_under_the_local_ca() {
    let origin = origin::simple();
    let gateway = with_local_ca(&origin);
    let certificate = certificate(&gateway);
    for (offered, chosen, version) in [
        (&["h2", "http/1.1"][..], "h2", Version::HTTP_2),
        (&["http/1.1"][..], "http/1.1", Version::HTTP_11),
    ] {
        let config = tls::trusting(&certificate, offered);
        let client = client::at(gateway.address, version).tls(config);
        let connection = wait_for("a connection", client.connect()).unwrap();
        assert_eq!(connection.alpn.as_deref(), Some(chosen.as_bytes()));
        let answer = client.get("/hello");
        assert_eq!((answer.version, answer.text()), (version, "good morning\n"));
    }
}

#[test]
fn a_client_that_does_not_trust_the_ca_gets_no_connection() {
    let origin = origin::simple();
    let gateway = with_local_ca(&origin);
    let other = tls::identity();
    let path = gateway.folder.path().join("other.pem");
    std::fs::write(&path, &other.pem).unwrap();
    let config = tls::trusting(&path, &["http/1.1"]);
    let client = client::http1(&gateway).tls(config);
    assert!(client.ask("GET", "/hello").try_send().is_err());
    let plain = client::http1(&gateway).get("/hello");
    assert_eq!(plain.status, 400, "plain HTTP is not forwarded");
    assert!(origin.seen().is_empty());
}

#[test]
fn configured_certificates_are_served() {
    let origin = origin::simple();
    let identity = tls::identity();
    let folder = Arc::new(Folder::new());
    std::fs::write(folder.path().join("cert.pem"), &identity.pem).unwrap();
    std::fs::write(folder.path().join("key.pem"), &identity.key).unwrap();
    let gateway = gateway::over(&folder, "passthrough")
        .upstream(&origin.url())
        .endpoint("tls = { cert = \"cert.pem\", key = \"key.pem\" }")
        .start();
    let config = tls::trusting(&folder.path().join("cert.pem"), &["h2"]);
    let client = client::http2(&gateway).tls(config);
    assert_eq!(client.get("/hello").text(), "good morning\n");
}

#[test]
fn an_upstream_with_tls_is_used_with_the_protocol_of_alpn() {
    for (offered, version) in [
        (&["h2", "http/1.1"][..], Version::HTTP_2),
        (&["http/1.1"][..], Version::HTTP_11),
        (&[][..], Version::HTTP_11),
    ] {
        let identity = tls::identity();
        let origin = origin::new()
            .route("/hello", |_| origin::text("good morning\n"))
            .tls(identity.server(offered))
            .start();
        let folder = Arc::new(Folder::new());
        std::fs::write(folder.path().join("origin.pem"), &identity.pem).unwrap();
        let builder = gateway::over(&folder, "passthrough").upstream(&origin.url());
        let gateway = builder
            .clone()
            .endpoint("upstream_ca = \"origin.pem\"")
            .start();
        assert_eq!(
            client::http1(&gateway).get("/hello").text(),
            "good morning\n"
        );
        assert_eq!(origin.seen()[0].version, version, "{offered:?}");
        let distrusting = builder.start();
        let answer = client::http1(&distrusting).get("/hello");
        assert_eq!(
            (answer.status, answer.header("ouli-error")),
            (502, "upstream")
        );
        assert!(answer.text().contains("certificate"), "{}", answer.text());
    }
}

#[test]
fn a_stream_reset_does_not_affect_other_streams() {
    let gate = Gate::new();
    let held = gate.clone();
    let origin = origin::new()
        .route("/slow", move |_| {
            origin::parts().part("first").wait(&held).part("last")
        })
        .route("/*", |seen| origin::text(&seen.target))
        .start();
    let gateway = gateway::record(&origin).start();
    let client = client::http2(&gateway);
    let answer = wait_for("both streams", async {
        let mut connection = client.connect().await.unwrap();
        let slow = connection
            .start(client.ask("GET", "/slow").into_request())
            .await
            .unwrap();
        drop(slow);
        connection
            .send(client.ask("GET", "/quick").into_request())
            .await
            .unwrap()
    });
    assert_eq!(answer.text(), "/quick");
    gate.open();
    // The exchange of the disconnected client is recorded too.
    assert_eq!(gateway.finish().recorded, 2);
}
