//! WebSockets over HTTP/2 (RFC 8441), with and without TLS.

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request};
use hyper::ext::Protocol;

use super::{over, twice};
use crate::support::client::{self, whole};
use crate::support::folder::Folder;
use crate::support::gateway::{self, Running};
use crate::support::websocket::{Peer, TEXT, Way, close, frame, socket_origin, socket_origin_with};
use crate::support::{tls, wait_for};

#[test]
fn a_websocket_is_a_stream_among_others() {
    let gateway = twice(|gateway| {
        let headers = [("sec-websocket-protocol", "chat")];
        let mut peer = Peer::open_with(gateway.address, &Way::Connect, "/echo", &headers);
        assert_eq!(peer.headers["sec-websocket-protocol"], "chat");
        assert_eq!(peer.asks(frame(TEXT, "over HTTP/2")).text(), "over HTTP/2");
        assert_eq!(peer.asks(close(1000, "")).code(), Some(1000));
        assert_eq!(peer.next(), None);
    });
    assert!(gateway.finish().passed);
}

#[test]
fn another_protocol_is_refused() {
    let origin = socket_origin();
    let folder = Arc::new(Folder::new());
    let gateway = over(&folder, "record", &origin).start();
    let client = client::http2(&gateway);
    let status = wait_for("an answer", async {
        let mut connection = client.connect().await.unwrap();
        // The settings of the server have arrived when this exchange is complete.
        let first = Request::get(format!("http://{}/echo", gateway.address));
        let first = first.body(whole(Bytes::new())).unwrap();
        assert_eq!(connection.send(first).await.unwrap().status, 200);
        let request = Request::builder()
            .method(Method::CONNECT)
            .uri(format!("http://{}/echo", gateway.address))
            .extension(Protocol::from_static("connect-udp"))
            .body(whole(Bytes::new()))
            .unwrap();
        connection.send(request).await.unwrap().status
    });
    assert_eq!(status, 405);
}

#[test]
fn a_client_stream_reset_is_forwarded() {
    let origin = socket_origin();
    let folder = Arc::new(Folder::new());
    let gateway = over(&folder, "record", &origin).start();
    let mut peer = Peer::open(gateway.address, &Way::Connect, "/echo");
    peer.asks(frame(TEXT, "a"));
    drop(peer);
    // The exchange is recorded after both connections are closed.
    crate::support::until("the recording", || {
        (gateway.session("default").recorded == 1).then_some(())
    });
    gateway.stop();
    let ended = &folder.exchanges("default")[0]["stream"]["ended"];
    assert_eq!(ended, "client");
}

#[test]
fn websockets_work_over_tls() {
    let identity = tls::identity();
    let folder = Arc::new(Folder::new());
    for (file, text) in [("cert.pem", &identity.pem), ("key.pem", &identity.key)] {
        std::fs::write(folder.path().join(file), text).unwrap();
    }
    let trust = tls::trusting(&folder.path().join("cert.pem"), &["http/1.1"]);
    let talk = |gateway: &Running| {
        let mut peer = Peer::open(gateway.address, &Way::Tls(Arc::clone(&trust)), "/echo");
        assert_eq!(peer.asks(frame(TEXT, "wss")).text(), "wss");
        assert_eq!(peer.asks(close(1000, "")).code(), Some(1000));
    };
    let secure = "tls = { cert = \"cert.pem\", key = \"key.pem\" }\nupstream_ca = \"cert.pem\"";
    // An upstream with both protocols, and one with HTTP/2 alone.
    for protocols in [&["h2", "http/1.1"][..], &["h2"]] {
        let origin = socket_origin_with(Some(identity.server(protocols)));
        let upstream = format!("https://{}", origin.address);
        let builder = gateway::over(&folder, "record").upstream(&upstream);
        let gateway = builder.endpoint(secure).start();
        talk(&gateway);
        assert_eq!(gateway.finish().recorded, 1, "{protocols:?}");
        drop(origin);
        let gateway = gateway::replay(&folder).endpoint(secure).start();
        talk(&gateway);
        assert_eq!(gateway.finish().hits, 1, "{protocols:?}");
    }
}
