//! Handshakes: no bytes are forwarded before the upstream accepts, and an invalid response is an
//! error.

use std::sync::Arc;
use std::time::Duration;

use ouli_config::Defect;

use super::{UPGRADE, echoed, over, twice};
use crate::support::client;
use crate::support::folder::Folder;
use crate::support::gateway;
use crate::support::origin;
use crate::support::websocket::{Peer, TEXT, frame, socket_origin};

const ASK: &str = "GET /x HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
    sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

#[test]
fn early_frames_wait_for_the_upstream_handshake() {
    let origin = origin::raw(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno");
    let folder = Arc::new(Folder::new());
    let gateway = gateway::over(&folder, "passthrough")
        .upstream(&origin.url())
        .start();
    let early = [format!("{ASK}\r\n").into_bytes(), frame(TEXT, "early")].concat();
    let mut raw = client::raw(gateway.address, early);
    assert!(raw.head().starts_with("HTTP/1.1 403 "));
    let heads = origin.heads();
    assert_eq!(heads.len(), 1);
    assert!(heads[0].ends_with("\r\n\r\n") && heads[0].contains("upgrade: websocket"));
}

#[test]
fn an_invalid_upstream_handshake_is_a_502() {
    let right = "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n";
    let wrong: [&'static [u8]; 5] = [
        b"HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
          sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: h2c\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nconnection: close\r\nupgrade: websocket\r\n\r\n",
        b"nonsense\r\n\r\n",
    ];
    assert!(wrong[0].starts_with(right.as_bytes()));
    for answer in wrong {
        let origin = origin::raw(answer);
        let folder = Arc::new(Folder::new());
        let gateway = gateway::over(&folder, "record")
            .upstream(&origin.url())
            .start();
        let refused = Peer::ask(gateway.address, &UPGRADE, "/x", &[]);
        let shown = String::from_utf8_lossy(answer);
        assert_eq!(refused.status, 502, "{shown}");
        assert_eq!(refused.headers["ouli-error"], "upstream", "{shown}");
        let report = gateway.finish();
        let counted: u64 = report.counted(Defect::UpstreamError).values().sum();
        assert_eq!((report.recorded, counted), (0, 1), "{shown}");
    }
}

#[test]
fn an_upstream_without_websockets_over_http2_is_a_502() {
    let origin = origin::simple();
    let folder = Arc::new(Folder::new());
    let gateway = gateway::over(&folder, "record")
        .upstream(&origin.h2c())
        .start();
    let refused = Peer::ask(gateway.address, &UPGRADE, "/x", &[]);
    assert_eq!(refused.status, 502);
}

#[test]
fn replay_refuses_invalid_handshakes() {
    let folder = Arc::new(Folder::new());
    let gateway = gateway::replay(&folder).start();
    let no_key = ASK.replace("sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "");
    let short_key = ASK.replace("dGhlIHNhbXBsZSBub25jZQ==", "c2hvcnQ=");
    let old = ASK.replace("version: 13", "version: 8");
    for ask in [no_key, short_key, old] {
        let head = client::raw(gateway.address, format!("{ask}\r\n")).head();
        assert!(head.starts_with("HTTP/1.1 400 "), "{ask}: {head}");
        assert!(head.contains("ouli-error: handshake"), "{head}");
    }
    // A request without a WebSocket upgrade is an ordinary request.
    let plain = ASK.replace("upgrade: websocket", "upgrade: h2c");
    let head = client::raw(gateway.address, format!("{plain}\r\n")).head();
    assert!(
        head.starts_with("HTTP/1.1 404 ") && head.contains("ouli-error: miss"),
        "{head}"
    );
}

#[test]
fn subprotocols_and_extensions_are_negotiated_at_replay() {
    let offers = [
        ("sec-websocket-protocol", "chat, superchat"),
        (
            "sec-websocket-extensions",
            "x-unknown, permessage-deflate; client_max_window_bits",
        ),
    ];
    let gateway = twice(|gateway| {
        let peer = Peer::open_with(gateway.address, &UPGRADE, "/echo", &offers);
        assert_eq!(peer.headers["sec-websocket-protocol"], "superchat");
        let extensions = peer.headers["sec-websocket-extensions"].to_str().unwrap();
        assert!(extensions.starts_with("permessage-deflate"), "{extensions}");
    });
    // A client that offers no extension gets none.
    let mut peer = Peer::open(gateway.address, &UPGRADE, "/echo");
    assert!(!peer.headers.contains_key("sec-websocket-protocol"));
    assert!(!peer.headers.contains_key("sec-websocket-extensions"));
    assert!(peer.is_silent_for(Duration::from_millis(30)));
}

#[test]
fn the_websocket_key_is_not_forwarded() {
    let origin = socket_origin();
    let folder = echoed(&origin);
    let text = folder.text("default");
    assert!(!text.contains("sec-websocket-key") && !text.contains("sec-websocket-accept"));
    // The same holds for a session named by the client, and for auto mode.
    let gateway = over(&folder, "auto", &origin).start();
    let session = [("ouli-session", "other")];
    let peer = Peer::open_with(gateway.address, &UPGRADE, "/echo", &session);
    drop(peer);
    gateway.stop();
    assert_eq!(folder.exchanges("other").len(), 1);
}
