//! The origin server of the demo: a few resources over HTTP/1.1 and HTTP/2.

use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use http_body_util::channel::Channel;

use super::body::{Body, GuardedBody, full};
use super::cases::SECRET;
use super::{grpc, streaming_origin};
use ouli_config::Limits;
use ouli_message::error_chain::error_chain;
use ouli_net::drain::Drain;
use ouli_net::server::{
    self, BoundListener, ConnectionLimiter, HttpService, IncomingBody, ListenerConfig, Rejection,
    RequestGuard,
};
use ouli_proxy::gateway::{connection_limits, server_bounds};

/// A running origin server.
pub(super) struct Origin {
    pub(super) address: SocketAddr,
    drain: Drain,
}

impl Origin {
    /// Starts it on a free port. The caller is within a runtime, which runs it.
    pub(super) fn start() -> Result<Self, String> {
        let limits = Limits::default();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let listener = BoundListener::bind(address, 1, limits.backlog);
        let listener = listener.map_err(|error| error_chain(&error))?;
        let drain = Drain::default();
        for socket in listener.sockets {
            let config = ListenerConfig {
                endpoint: "origin".into(),
                bounds: server_bounds(&limits),
                tls: None,
                limiter: ConnectionLimiter::new(connection_limits(&limits)),
                drain: drain.clone(),
            };
            let serving = server::serve(socket, config, OriginService, drain.signal());
            drain.spawn(async move {
                // A failure shows in the requests of the demo.
                let _ = serving.await;
            });
        }
        Ok(Self {
            address: listener.address,
            drain,
        })
    }

    /// Closes the listener and the connections.
    pub(super) fn stop(self) {
        self.drain.begin();
    }
}

/// Answers the requests of the demo.
struct OriginService;

impl HttpService for OriginService {
    type Body = GuardedBody;

    async fn call(
        &self,
        request: Request<IncomingBody>,
        guard: RequestGuard,
    ) -> Response<GuardedBody> {
        if request.uri().path() == "/chat" {
            let response = streaming_origin::chat(request, guard);
            return response.map(|body| GuardedBody { body, _guard: None });
        }
        respond(request).await.map(|body| GuardedBody {
            body,
            _guard: Some(guard),
        })
    }

    fn reject(
        &self,
        _: &Request<IncomingBody>,
        rejection: Rejection,
        guard: RequestGuard,
    ) -> Response<GuardedBody> {
        let mut response = Response::new(GuardedBody {
            body: full(rejection.to_string()),
            _guard: Some(guard),
        });
        *response.status_mut() = StatusCode::BAD_REQUEST;
        response
    }
}

async fn respond(request: Request<IncomingBody>) -> Response<Body> {
    let route = (request.method().clone(), request.uri().path().to_owned());
    let response = Response::builder().header("date", "Thu, 01 Jan 2026 00:00:00 GMT");
    let text = response.header("content-type", "text/plain; charset=utf-8");
    let built = match (&route.0, route.1.as_str()) {
        (&Method::POST, "/demo.Chat/Talk") => return grpc::serve(request),
        (&Method::GET, "/hello") => text.body(full("good morning\n")),
        (&Method::GET, "/gzip") => text
            .header("content-encoding", "gzip")
            .body(full(gzip(b"good morning, over and over\n"))),
        (&Method::GET, "/stream") => text.body(chunks()),
        (&Method::GET, "/events") => Response::builder()
            .header("content-type", "text/event-stream")
            .body(streaming_origin::events(SECRET)),
        (&Method::GET, "/bytes") => Response::builder()
            .header("content-type", "application/octet-stream")
            .body(full((0..=255).collect::<Vec<u8>>())),
        (&Method::GET, "/moved") => text.status(302).header("location", "/hello").body(full("")),
        (&Method::GET, "/login") => text
            .header("set-cookie", "session=2b7e151628aed2a6; Path=/; HttpOnly")
            .header("set-cookie", "theme=dark; Path=/")
            .body(full("welcome\n")),
        (&Method::GET, "/nothing") => Response::builder().status(204).body(full("")),
        (&Method::POST, "/form" | "/orders") => {
            let body = request.into_body().collect().await;
            let size = body.map(|body| body.to_bytes().len()).unwrap_or_default();
            Response::builder()
                .status(201)
                .header("content-type", "application/json")
                .body(full(format!("{{\"received\": {}}}\n", size > 0)))
        }
        _ => text.status(404).body(full("not found\n")),
    };
    built.unwrap_or_else(|_| Response::new(full("the demo built an invalid response")))
}

/// A body that is sent in chunks.
fn chunks() -> Body {
    let (mut sender, body) = Channel::new(1);
    Drain::default().spawn(async move {
        for number in 1..=3 {
            let chunk = Bytes::from(format!("part {number}\n"));
            if sender.send_data(chunk).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    });
    body.boxed_unsync()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    // Writing to memory does not fail.
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default()
}
