//! Clients that disconnect before the response head: the response is awaited and recorded.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ouli_config::Defect;

use super::peers::{Do, origin};
use crate::support::client::{self, Connection};
use crate::support::folder::Folder;
use crate::support::gateway::{self, Builder, Running};
use crate::support::origin::{Peer, peer};
use crate::support::{PATIENCE, until, wait_for};

/// An origin that holds back the response to `/slow`.
struct Slow {
    address: SocketAddr,
    has_arrived: Arc<AtomicBool>,
    may_respond: Arc<AtomicBool>,
}

fn slow() -> Slow {
    let (has_arrived, may_respond) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
    let (arrived, respond) = (Arc::clone(&has_arrived), Arc::clone(&may_respond));
    let address = peer(move |peer: &mut Peer| {
        let head = peer.head();
        let mut text = "next";
        if head.contains("/slow") {
            peer.bytes(4);
            arrived.store(true, Ordering::SeqCst);
            until("the response", || {
                respond.load(Ordering::SeqCst).then_some(())
            });
            text = "whole";
        }
        let length = text.len();
        peer.send(format!(
            "HTTP/1.1 201 Created\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{text}"
        ));
    });
    Slow {
        address,
        has_arrived,
        may_respond,
    }
}

impl Slow {
    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn has_arrived(&self) -> bool {
        self.has_arrived.load(Ordering::SeqCst)
    }

    fn respond(&self) {
        self.may_respond.store(true, Ordering::SeqCst);
    }
}

fn over(url: &str, mode: &'static str) -> Builder {
    let gateway = gateway::over(&Arc::new(Folder::new()), mode).upstream(url);
    gateway.section("[limits]\nhalf_close_timeout = \"1ms\"")
}

/// Sends a request over HTTP/1.1, waits for `arrived`, and leaves. Returns when the gateway knows.
fn leave(gateway: &Running, arrived: impl Fn() -> bool) {
    let mut stream = TcpStream::connect(gateway.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = "POST /slow HTTP/1.1\r\nhost: a\r\ncontent-type: text/plain\r\n\
        content-length: 4\r\n\r\nbody";
    stream.write_all(request.as_bytes()).unwrap();
    until("the request", || arrived().then_some(()));
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(stream.read_to_end(&mut Vec::new()).unwrap(), 0);
}

/// The same, by a reset of the stream over HTTP/2. The connection stays open.
fn reset(gateway: &Running, arrived: impl Fn() -> bool) -> Connection {
    let client = client::http2(gateway);
    let ask = client.ask("POST", "/slow");
    let request = ask.header("content-type", "text/plain").body("body");
    let request = request.into_request();
    let next = client.ask("GET", "/next").into_request();
    wait_for("the reset", async {
        let mut connection = client.connect().await.unwrap();
        let mut sender = connection.http2();
        let pending = tokio::spawn(async move { sender.send_request(request).await });
        while !arrived() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        pending.abort();
        assert!(pending.await.is_err());
        // The reset is sent before this request, so it is processed by then.
        assert_eq!(connection.send(next).await.unwrap().text(), "next");
        connection
    })
}

/// Asserts that the exchange is in the cassette.
fn recorded_whole(gateway: Running) {
    until("the recording", || {
        let shown = gateway.session("default");
        assert!(shown.counted(Defect::Partial).is_empty(), "{shown:?}");
        (shown.recorded > 0).then_some(())
    });
    let folder = Arc::clone(&gateway.folder);
    let report = gateway.finish();
    assert!(report.passed, "{report:?}");
    let exchanges = folder.exchanges("default");
    let mut exchanges = exchanges.iter();
    let exchange = exchanges.find(|it| it["request"]["body"]["text"] == "body");
    assert_eq!(exchange.unwrap()["response"]["body"]["text"], "whole");
    let replay = gateway::replay_repeating(&folder).start();
    let again = client::http1(&replay).post("/slow", "text/plain", "body");
    assert_eq!((again.status, again.text()), (201, "whole"));
}

#[test]
fn a_response_is_recorded_whose_client_left_before_it_began() {
    for mode in ["record", "auto"] {
        let origin = slow();
        let gateway = over(&origin.url(), mode).start();
        leave(&gateway, || origin.has_arrived());
        origin.respond();
        recorded_whole(gateway);
    }
}

#[test]
fn a_response_is_recorded_whose_client_reset_its_stream() {
    for mode in ["record", "auto"] {
        let origin = slow();
        let gateway = over(&origin.url(), mode).start_with(1);
        let open = reset(&gateway, || origin.has_arrived());
        origin.respond();
        until("both recordings", || {
            (gateway.session("default").recorded == 2).then_some(())
        });
        drop(open);
        recorded_whole(gateway);
    }
}

#[test]
fn a_response_that_does_not_begin_is_counted() {
    for (limit, key) in [
        (
            "background_read_timeout = \"1ms\"",
            "background_read_timeout",
        ),
        ("background_reads = 0", "background_reads"),
    ] {
        let origin = origin(&[Do::Read, Do::Stall]);
        let gateway = gateway::over(&Arc::new(Folder::new()), "record").upstream(&origin.url());
        let limits = format!("[limits]\nhalf_close_timeout = \"1ms\"\n{limit}");
        let gateway = gateway.section(&limits).start();
        leave(&gateway, || !origin.heads().is_empty());
        until("the end of the upstream's connection", || {
            (origin.done() == 1).then_some(())
        });
        let report = gateway.finish();
        let reasons = report.counted(Defect::Partial);
        let reason = reasons.keys().next().unwrap();
        assert!(
            reason.contains("left before the response began") && reason.contains(key),
            "{reason}"
        );
    }
}

#[test]
fn passthrough_cancels_a_request_whose_client_left() {
    let origin = origin(&[Do::Read, Do::Stall]);
    let gateway = over(&origin.url(), "passthrough").start();
    leave(&gateway, || !origin.heads().is_empty());
    until("the end of the upstream's connection", || {
        (origin.done() == 1).then_some(())
    });
}
