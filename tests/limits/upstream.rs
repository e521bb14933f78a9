//! How long an upstream may take.

use std::sync::Arc;

use crate::support::client;
use crate::support::folder::Folder;
use crate::support::gateway;
use crate::support::origin::{self, Gate};

/// A request to this upstream is answered by 504, with the limit that it took too long for.
fn assert_late(url: &str, limit: &str) {
    let gateway = gateway::over(&Arc::new(Folder::new()), "record")
        .upstream(url)
        .section(&format!("[limits]\n{limit} = \"200ms\""))
        .start();
    let answer = client::http1(&gateway).get("/hello");
    assert_eq!(
        (answer.status, answer.header("ouli-error")),
        (504, "upstream")
    );
    let named = format!("limits.{limit}");
    assert!(answer.text().contains(&named), "{}", answer.text());
}

#[test]
fn an_upstream_that_does_not_answer_is_a_504() {
    // It takes connections, and never says a word.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    assert_late(&url, "first_byte_timeout");
}

#[test]
fn an_upstream_that_takes_no_connection_is_a_504() {
    use socket2::{Domain, Socket, Type};
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let any: std::net::SocketAddr = "127.0.0.1:0".parse().unwrap();
    socket.bind(&any.into()).unwrap();
    socket.listen(0).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    // Its queue is full, so the system lets further connections wait.
    let time = std::time::Duration::from_millis(300);
    let connect = || std::net::TcpStream::connect_timeout(&address, time).ok();
    let queued: Vec<_> = std::iter::from_fn(connect).take(16).collect();
    assert!(
        queued.len() < 16,
        "the queue of a listener is never full here"
    );
    assert_late(&format!("http://{address}"), "connect_timeout");
}

#[test]
fn an_upstream_that_shakes_no_hands_is_a_504() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}", silent.local_addr().unwrap());
    assert_late(&url, "tls_timeout");
}

#[test]
fn a_body_may_take_longer_than_its_head() {
    let gate = Gate::new();
    let held = gate.clone();
    let handler = move |_: &origin::Seen| origin::parts().part("first").wait(&held).part("last");
    let origin = origin::new()
        .route("/slow", handler)
        .route("/never", |_| origin::status(200))
        .start();
    let limits = "[limits]\nfirst_byte_timeout = \"100ms\"\nidle_timeout = \"200ms\"";
    let gateway = gateway::record(&origin).section(limits).start();
    let mut opened = client::http1(&gateway).ask("GET", "/slow").open();
    assert_eq!(opened.next().unwrap().unwrap(), "first");
    // As long as an idle connection is kept, which is longer.
    client::raw(gateway.address, "").rest();
    gate.open();
    assert_eq!(opened.count().unwrap(), 4);
}

#[test]
fn idle_connections_to_an_upstream_are_kept_as_told() {
    let connections = |limits: &str| {
        let origin = origin::simple();
        let folder = Arc::new(Folder::new());
        let gateway = gateway::over(&folder, "passthrough").upstream(&origin.url());
        let gateway = gateway.section(limits).start_with(1);
        for _ in 0..5 {
            assert_eq!(client::http1(&gateway).get("/hello").status, 200);
        }
        origin.connections()
    };
    assert_eq!(connections("[limits]\nupstream_idle_connections = 0"), 5);
    assert!(connections("[limits]\nupstream_idle_timeout = \"30s\"") < 5);
}
