//! The number of connections for each remote address. All clients of a test have the same address,
//! so the listener reports forged ones.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use ouli_config::Limits;
use ouli_net::drain::Drain;
use ouli_net::server::{
    self, ConnectionLimiter, HttpService, IncomingBody, Listener, ListenerConfig, Rejection,
    RequestGuard,
};
use ouli_proxy::gateway::{Loaded, connection_limits, server_bounds};
use tokio::net::{TcpListener, TcpStream};

use super::connections::{REQUEST, refused};
use crate::support::client::{self, Raw};
use crate::support::folder::Folder;
use crate::support::{gateway, spawn, until, wait_for};

/// Reports these addresses for its connections in order; the last one for all further connections.
struct ForgedListener {
    listener: TcpListener,
    sources: Mutex<VecDeque<IpAddr>>,
}

impl Listener for ForgedListener {
    type Socket = TcpStream;

    async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let (stream, address) = self.listener.accept().await?;
        let mut sources = self.sources.lock().unwrap();
        let source = sources[0];
        if sources.len() > 1 {
            sources.pop_front();
        }
        Ok((stream, SocketAddr::new(source, address.port())))
    }
}

/// Responds to each request with 200, or with the limit that its source exceeds. `/held` gets no
/// response.
struct Fine;

impl HttpService for Fine {
    type Body = Full<Bytes>;

    async fn call(
        &self,
        request: Request<IncomingBody>,
        guard: RequestGuard,
    ) -> Response<Self::Body> {
        if request.uri().path() == "/held" {
            std::future::pending::<()>().await;
        }
        let exceeded = guard.exceeded_source_limit().unwrap_or_default();
        Response::new(Full::from(exceeded))
    }

    fn reject(
        &self,
        _: &Request<IncomingBody>,
        _: Rejection,
        _: RequestGuard,
    ) -> Response<Self::Body> {
        let mut response = Response::default();
        *response.status_mut() = StatusCode::BAD_REQUEST;
        response
    }
}

/// Serves with these limits; returns the address.
fn serve(limits: &Limits, sources: &[&str]) -> SocketAddr {
    let sources = sources.iter().map(|source| source.parse().unwrap());
    let sources = Mutex::new(sources.collect());
    let drain = Drain::default();
    let config = ListenerConfig {
        endpoint: "test".into(),
        bounds: server_bounds(limits),
        tls: None,
        limiter: ConnectionLimiter::new(connection_limits(limits)),
        drain: drain.clone(),
    };
    wait_for("the listener", async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let listener = ForgedListener { listener, sources };
        spawn(async move {
            // The server runs until the process exits.
            server::serve_listener(listener, config, Fine, drain.signal()).await;
        });
        address
    })
}

fn is_served(raw: &mut Raw) -> bool {
    raw.head().starts_with("HTTP/1.1 200 ")
}

#[test]
fn one_remote_address_has_its_own_limit() {
    let builder = gateway::replay(&Arc::new(Folder::new()))
        .section("[limits]\nconnections_per_source = 2\naccept_queue_timeout = \"1h\"");
    let limits = &Loaded::read(&builder.options()).unwrap().config.limits;
    // An IPv4 address in its IPv6 form is the same source, and so is a whole IPv6 network.
    let sources = [
        "192.0.2.1",
        "::ffff:192.0.2.1",
        "192.0.2.1",
        "192.0.2.2",
        "2001:db8::1",
        "2001:db8::2",
        "2001:db8::3",
        "192.0.2.1",
    ];
    let address = serve(limits, &sources);
    let connect = || client::raw(address, REQUEST);
    let mut own = [(); 2].map(|()| connect());
    assert!(own.iter_mut().all(is_served));
    refused(&mut connect(), "connections_per_source");
    let mut others = [(); 3].map(|()| connect());
    assert!(others.iter_mut().all(is_served));
    refused(&mut connect(), "connections_per_source");
    drop(own);
    until("a connection to be free", || {
        is_served(&mut connect()).then_some(())
    });
}

#[test]
fn one_remote_address_has_its_own_limit_of_requests() {
    let builder =
        gateway::replay(&Arc::new(Folder::new())).section("[limits]\nrequests_per_source = 2");
    let limits = &Loaded::read(&builder.options()).unwrap().config.limits;
    let sources = ["192.0.2.1", "192.0.2.1", "192.0.2.2", "192.0.2.1"];
    let address = serve(limits, &sources);
    let held = "GET /held HTTP/1.1\r\nhost: x\r\n\r\n";
    let mut held = [(); 2].map(|()| Some(client::raw(address, held)));
    let exceeded = || {
        let mut raw = client::raw(address, REQUEST);
        assert!(is_served(&mut raw));
        raw.try_write("GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        raw.rest().contains("requests_per_source")
    };
    assert!(!exceeded(), "another address has requests of its own");
    until("the held requests", || exceeded().then_some(()));
    held[0] = None;
    until("a place for a request", || (!exceeded()).then_some(()));
}
