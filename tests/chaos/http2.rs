//! Faults of HTTP/2 upstreams: stream resets, GOAWAY, closed connections.

use std::sync::Arc;

use bytes::Bytes;
use h2::Reason;
use http::Response;
use ouli_config::Defect;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;

use crate::support::client::{self, Broken};
use crate::support::folder::Folder;
use crate::support::gateway::{self, Builder};
use crate::support::{spawn, tls, wait_for, without_hanging};

/// The action of an upstream on its first stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Do {
    /// Resets the stream before the response head.
    ResetEarly(Reason),
    /// Resets the stream after half of the body, when the test rings the bell.
    Reset(Reason),
    /// Sends GOAWAY at that point.
    GoAway(Reason),
    /// Closes the connection at that point.
    Close,
    /// Sends an endless sequence of interim responses.
    Interim,
    /// Sends a head of 100 KB.
    LargeHead,
}

/// An upstream and the bell that triggers its action.
struct Upstream {
    builder: Builder,
    bell: Arc<Notify>,
}

fn upstream(act: Do, secure: bool) -> Upstream {
    let bell = Arc::new(Notify::new());
    let folder = Arc::new(Folder::new());
    let identity = tls::identity();
    std::fs::write(folder.path().join("ca.pem"), &identity.pem).unwrap();
    let acceptor = secure.then(|| TlsAcceptor::from(identity.server(&["h2"])));
    let told = Arc::clone(&bell);
    let address = wait_for("the origin", async move {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let told = Arc::clone(&told);
                match &acceptor {
                    None => spawn(async move { serve(stream, act, &told).await }),
                    Some(tls) => {
                        let stream = tls.accept(stream).await.unwrap();
                        spawn(async move { serve(stream, act, &told).await });
                    }
                }
            }
        });
        address
    });
    let scheme = if secure { "https" } else { "h2c" };
    let builder = gateway::over(&folder, "record")
        .upstream(&format!("{scheme}://{address}"))
        .endpoint("upstream_ca = \"ca.pem\"");
    Upstream { builder, bell }
}

async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    act: Do,
    bell: &Notify,
) {
    let mut connection = h2::server::handshake(stream).await.unwrap();
    let Some(Ok((_, mut respond))) = connection.accept().await else {
        return;
    };
    let mut response = Response::new(());
    match act {
        Do::ResetEarly(reason) => respond.send_reset(reason),
        Do::Interim => {
            let mut early = Response::new(());
            *early.status_mut() = http::StatusCode::EARLY_HINTS;
            for _ in 0..20_000 {
                if respond.send_informational(early.clone()).is_err() {
                    break;
                }
            }
        }
        Do::LargeHead => {
            for number in 0..100 {
                let name = http::HeaderName::try_from(format!("x-{number}")).unwrap();
                let value = "v".repeat(1000).try_into().unwrap();
                response.headers_mut().append(name, value);
            }
            // The gateway may reject the head before all of it is sent.
            let _ = respond.send_response(response, true);
        }
        Do::Reset(_) | Do::GoAway(_) | Do::Close => {
            let mut sent = respond.send_response(response, false).unwrap();
            sent.send_data(Bytes::from_static(b"half."), false).unwrap();
            tokio::select! {
                _ = std::future::poll_fn(|cx| connection.poll_closed(cx)) => return,
                () = bell.notified() => {}
            }
            match act {
                Do::Reset(reason) => sent.send_reset(reason),
                Do::GoAway(reason) => connection.abrupt_shutdown(reason),
                _ => return,
            }
        }
    }
    // Polls the connection to its end, so that everything is sent.
    while let Some(Ok(_)) = connection.accept().await {}
}

/// The code that ended a stream.
fn code(error: &Broken) -> Option<u32> {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&**error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<h2::Error>() {
            return error.reason().map(u32::from);
        }
        cause = error.source();
    }
    None
}

/// Reads half of a body, triggers the fault and returns its code.
fn half(gateway: &gateway::Running, bell: &Notify) -> Option<u32> {
    let mut opened = client::http2(gateway).ask("GET", "/").open();
    assert_eq!(opened.next().unwrap().unwrap(), "half.");
    bell.notify_one();
    code(&opened.next().unwrap().unwrap_err())
}

#[test]
fn a_stream_reset_within_the_body_is_replayed_with_its_code() {
    let acts = [
        (Do::Reset(Reason::CANCEL), Some(8)),
        (Do::Reset(Reason::ENHANCE_YOUR_CALM), Some(11)),
        // How the client sees the end of the connection depends on the system.
        (Do::GoAway(Reason::PROTOCOL_ERROR), None),
        (Do::Close, None),
    ];
    for (act, expected) in acts {
        for secure in [false, true] {
            let Upstream { builder, bell } = upstream(act, secure);
            let plain = builder.start();
            half(&plain, &bell);
            let report = plain.finish();
            assert_eq!(
                (report.recorded, report.counted(Defect::Partial).len()),
                (0, 1),
                "{act:?}"
            );
            let gateway = builder.set("record_failures = true").start();
            let live = half(&gateway, &bell);
            let folder = Arc::clone(&gateway.folder);
            let report = gateway.finish();
            assert!(
                report.passed && report.recorded_failures == 1,
                "{act:?} {report:?}"
            );
            let failure = folder.exchanges("default")[0]["failure"].clone();
            let what: &[&str] = match expected {
                Some(_) => &["reset"],
                None => &["reset", "closed"],
            };
            assert!(
                what.contains(&failure["what"].as_str().unwrap()),
                "{act:?} {failure}"
            );
            if let Some(code) = expected {
                assert_eq!(failure["code"], code, "{act:?}");
            }
            let replay = gateway::replay_repeating(&folder).start();
            let again = half(&replay, &Notify::new());
            assert_eq!(again, live, "{act:?} {secure}");
            assert_eq!(again, expected.or(live), "{act:?} {secure}");
        }
    }
}

#[test]
fn a_stream_that_is_reset_before_its_head_is_a_502() {
    for secure in [false, true] {
        for act in [Do::ResetEarly(Reason::INTERNAL_ERROR), Do::LargeHead] {
            let gateway = upstream(act, secure).builder.start();
            let answer = client::http2(&gateway).get("/");
            let seen = (answer.status, answer.header("ouli-error"));
            assert_eq!(seen, (502, "upstream"), "{act:?} {}", answer.text());
            assert_eq!(gateway.finish().counted(Defect::UpstreamError).len(), 1);
        }
    }
}

#[test]
fn interim_responses_of_http2_are_bounded_by_time() {
    let builder = upstream(Do::Interim, false).builder;
    let gateway = builder
        .section("[limits]\nresponse_header_timeout = \"500ms\"")
        .start();
    let answer = without_hanging("the request", || client::http2(&gateway).get("/"));
    assert!([502, 504].contains(&answer.status), "{}", answer.text());
    assert_eq!(gateway.finish().recorded, 0);
}
