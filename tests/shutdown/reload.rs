//! Reloads under load: no request is lost, and limits take effect at once.

use std::sync::Arc;
use std::time::Duration;

use http::Version;
use ouli_net::tls::CertificateAuthority;

use super::load_generator::LoadGenerator;
use crate::support::client::{self, Raw};
use crate::support::folder::Folder;
use crate::support::gateway::{self, Running};
use crate::support::origin::{self, Gate};
use crate::support::websocket::{Peer, SocketOrigin, TEXT, Way, frame, socket_origin};
use crate::support::{tls, until};

const REQUEST: &str = "GET /hello HTTP/1.1\r\nhost: x\r\n\r\n";

fn passing(origin: &SocketOrigin, more: &str) -> Running {
    let folder = Arc::new(Folder::new());
    let gateway = gateway::over(&folder, "passthrough").upstream(&origin.url());
    gateway.section(more).start()
}

fn config(gateway: &Running) -> String {
    std::fs::read_to_string(gateway.folder.config()).unwrap()
}

/// Saves these settings and waits until they are in force.
fn reload(gateway: &Running, config: &str) {
    gateway.folder.write_config(config);
    assert!(gateway.reload(), "the configuration is unchanged");
}

fn answers(raw: &mut Raw) {
    raw.write(REQUEST);
    assert!(raw.head().starts_with("HTTP/1.1 200 "));
    assert_eq!(raw.read_until("morning\n"), "good morning\n");
}

#[test]
fn reloads_lose_no_request() {
    let (origin, other) = (socket_origin(), socket_origin());
    let gateway = passing(&origin, "[limits]");
    let config = config(&gateway);
    let mut peer = Peer::open(gateway.address, &Way::Upgrade, "/echo");
    let load = LoadGenerator::requests(gateway.address);
    let more = "\n[[endpoint]]\nname = \"more\"\nlisten = \"127.0.0.1:0\"\nmode = \"replay\"\n";
    for round in 0..12 {
        load.wait_for_responses(50);
        let (headers, backlog) = (100 + round % 3, 100 + round);
        let limits = format!(
            "[limits]\nheader_count = {headers}\nbacklog = {backlog}\nconnections = {}\n\
             max_concurrent_requests = {}\nstream_idle_timeout = \"{}s\"\n\
             connect_timeout = \"{}s\"",
            40 + round % 5,
            20 + round % 4,
            100 + round,
            5 + round % 2
        );
        let next = config.replace("[limits]", &limits);
        let next = if round % 2 == 0 { next + more } else { next };
        // The tunnel keeps the upstream with which it was opened.
        let next = match round % 3 {
            0 => next.replace(&origin.url(), &other.url()),
            _ => next,
        };
        reload(&gateway, &next);
        assert_eq!(peer.asks(frame(TEXT, "still")).text(), "still");
    }
    let totals = load.end();
    assert_eq!(
        (totals.lost, totals.refused, totals.unsent),
        (Vec::new(), 0, 0)
    );
}

#[test]
fn the_socket_moves_to_another_endpoint_with_its_address() {
    let origin = origin::simple();
    let gateway = gateway::passthrough(&origin).start();
    let address = gateway.address.to_string();
    // A fixed address, so that the next endpoint can use it too.
    let fixed = config(&gateway).replace("127.0.0.1:0", &address);
    reload(&gateway, &fixed.replace("\"api\"", "\"first\""));
    let load = LoadGenerator::requests(gateway.address);
    let answered = |name: &str| {
        let listening = gateway.listening();
        assert_eq!((listening[0].endpoint.as_str(), listening.len()), (name, 1));
        assert_eq!(client::http1(&gateway).get("/hello").status, 200);
    };
    answered("first");
    reload(&gateway, &fixed.replace("\"api\"", "\"second\""));
    answered("second");
    assert_eq!(load.end().refused, 0);
}

#[test]
fn tls_is_switched_on_the_same_socket() {
    let origin = origin::simple();
    let gateway = gateway::passthrough(&origin)
        .endpoint("tls = \"off\"")
        .start();
    let address = gateway.address;
    let mut before = client::raw(address, "");
    answers(&mut before);
    let config = config(&gateway);
    let secured = config.replace("tls = \"off\"", "tls = \"self-signed\"");
    reload(&gateway, &secured);
    assert!(gateway.listening()[0].tls);
    let authority =
        CertificateAuthority::open_or_create(&gateway.folder.path().join("ca")).unwrap();
    let trusting = tls::trusting(&authority.certificate_path(), &["http/1.1"]);
    let secure = client::at(address, Version::HTTP_11).tls(trusting);
    assert_eq!(secure.get("/hello").status, 200);
    answers(&mut before);
    reload(&gateway, &config);
    assert_eq!(client::http1(&gateway).get("/hello").status, 200);
}

#[test]
fn connections_follow_their_limit() {
    let origin = origin::simple();
    let gateway = gateway::passthrough(&origin)
        .section("[limits]\nconnections = 1\naccept_queue_timeout = \"1h\"")
        .start();
    let config = config(&gateway);
    let mut first = client::raw(gateway.address, "");
    answers(&mut first);
    reload(
        &gateway,
        &config.replace("connections = 1", "connections = 2"),
    );
    let mut second = client::raw(gateway.address, "");
    answers(&mut second);
    reload(&gateway, &config);
    // Both connections stay; a third one has to wait until both are closed.
    answers(&mut first);
    answers(&mut second);
    drop(first);
    let mut third = client::raw(gateway.address, REQUEST);
    assert!(third.is_silent_for(Duration::from_millis(200)));
    drop(second);
    assert!(third.head().starts_with("HTTP/1.1 200 "));
}

#[test]
fn sessions_follow_their_limit() {
    let origin = origin::simple();
    let gateway = gateway::record(&origin)
        .section("[limits]\nsessions = 1")
        .start();
    let config = config(&gateway);
    // The session of an endpoint keeps its place.
    let ask = |session: &str| {
        let ask = client::http1(&gateway).ask("GET", "/hello");
        ask.header("ouli-session", session).send().status
    };
    assert_eq!((ask("default"), ask("two")), (200, 503));
    reload(&gateway, &config.replace("sessions = 1", "sessions = 2"));
    assert_eq!((ask("default"), ask("two")), (200, 200));
}

#[test]
fn streams_and_requests_follow_their_limits() {
    let gate = Gate::new();
    let held = gate.clone();
    let origin = origin::new()
        .route("/slow", move |_| origin::parts().wait(&held).part("done"))
        .route("/hello", |_| origin::text("good morning\n"))
        .start();
    let limits = "[limits]\nmax_concurrent_requests = 1\nstreams = 1";
    let gateway = gateway::passthrough(&origin).section(limits).start();
    let config = config(&gateway);
    let slow = client::http1(&gateway).ask("GET", "/slow").open();
    assert_eq!(client::http1(&gateway).get("/hello").status, 503);
    reload(
        &gateway,
        &config.replace("max_concurrent_requests = 1", "max_concurrent_requests = 2"),
    );
    assert_eq!(client::http1(&gateway).get("/hello").status, 200);
    reload(&gateway, &config);
    assert_eq!(client::http1(&gateway).get("/hello").status, 503);
    gate.open();
    assert_eq!(slow.count().unwrap(), 4);
    until("a free permit", || {
        (client::http1(&gateway).get("/hello").status == 200).then_some(())
    });
    let origin = socket_origin();
    let gateway = passing(&origin, "[limits]\nstreams = 1");
    let config = self::config(&gateway);
    let open = || Peer::ask(gateway.address, &Way::Upgrade, "/echo", &[]);
    let first = open();
    assert_eq!((first.status, open().status), (101, 503));
    reload(&gateway, &config.replace("streams = 1", "streams = 2"));
    assert_eq!(open().status, 101);
}

#[test]
fn a_taken_port_keeps_the_last_good_listener_and_is_tried_again() {
    let origin = origin::simple();
    let gateway = gateway::passthrough(&origin).watched().start();
    let before = gateway.address;
    let (taken, other) = (taken_port(), taken_port());
    let (address, more) = (taken.local_addr().unwrap(), other.local_addr().unwrap());
    let moved = config(&gateway).replace("127.0.0.1:0", &address.to_string());
    let url = origin.url();
    let more_endpoint =
        format!("\n[[endpoint]]\nname = \"more\"\nlisten = \"{more}\"\nupstream = \"{url}\"\n");
    reload(&gateway, &(moved + &more_endpoint));
    // The old address serves, with the new snapshot.
    let listening = gateway.listening();
    assert_eq!(listening.len(), 1, "{listening:?}");
    assert_eq!(
        (listening[0].address, listening[0].waits_for),
        (before, Some(address))
    );
    assert_eq!(client::http1(&gateway).get("/hello").status, 200);
    drop((taken, other));
    until("the addresses to be open", || {
        let listening = gateway.listening();
        let all: Vec<_> = listening
            .iter()
            .map(|one| (one.address, one.waits_for))
            .collect();
        (all == [(address, None), (more, None)]).then_some(())
    });
    for address in [address, more] {
        let client = client::at(address, Version::HTTP_11);
        assert_eq!(client.get("/hello").status, 200);
    }
    assert!(
        std::net::TcpStream::connect(before).is_err(),
        "the old address is closed"
    );
}

fn taken_port() -> std::net::TcpListener {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap()
}
