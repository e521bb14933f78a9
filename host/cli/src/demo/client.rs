//! The client of the demo: one connection per request, over HTTP/1.1 or HTTP/2.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use super::cases::{Case, Protocol};
use super::conversation::Conversation;
use super::conversations;
use ouli_message::error_chain::error_chain;
use ouli_net::drain::Drain;
use ouli_proxy::gateway::Gateway;

/// A client of the endpoints of the gateway.
pub(super) struct Client {
    http1: SocketAddr,
    http2: SocketAddr,
    drain: Drain,
}

/// A response with its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ClientResponse {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Client {
    pub(super) fn for_gateway(gateway: &Gateway) -> Result<Self, String> {
        let listeners = gateway.listeners();
        let find = |name: &str| {
            let found = listeners.iter().find(|one| one.endpoint == name);
            found.map(|one| one.address).ok_or("a listener is missing")
        };
        Ok(Self {
            http1: find("http1")?,
            http2: find("http2")?,
            drain: Drain::default(),
        })
    }

    /// Runs the conversations.
    pub(super) async fn run_conversations(
        &self,
        secret: &str,
    ) -> Result<Vec<Conversation>, String> {
        conversations::all(self.http1, self.http2, secret).await
    }

    pub(super) async fn send(
        &self,
        case: &Case,
        secret: &str,
        nonce: u32,
    ) -> Result<ClientResponse, String> {
        let (target, body) = case.fill(secret, nonce);
        let address = match case.protocol {
            Protocol::Http1 => self.http1,
            Protocol::Http2 => self.http2,
        };
        let mut request = Request::builder()
            .method(case.method.clone())
            .header("authorization", format!("Bearer {secret}"))
            .header("accept-encoding", "gzip");
        if !case.content_type.is_empty() {
            request = request.header("content-type", case.content_type);
        }
        request = match case.protocol {
            Protocol::Http1 => request.uri(target).header("host", address.to_string()),
            Protocol::Http2 => request.uri(format!("http://{address}{target}")),
        };
        let request = request.body(Full::new(Bytes::from(body)));
        let request = request.map_err(|error| error_chain(&error))?;
        let response = match case.protocol {
            Protocol::Http1 => self.http1(address, request).await,
            Protocol::Http2 => self.http2(address, request).await,
        };
        response.map_err(|error| format!("{}: {}", case.name, error_chain(&*error)))
    }

    async fn http1(
        &self,
        address: SocketAddr,
        request: Request<Full<Bytes>>,
    ) -> Result<ClientResponse, Box<dyn std::error::Error + Send + Sync>> {
        let stream = TokioIo::new(connect(address).await?);
        let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await?;
        self.drain.spawn(async move {
            // The request reports an error of the connection.
            let _ = connection.await;
        });
        collect(sender.send_request(request).await?).await
    }

    async fn http2(
        &self,
        address: SocketAddr,
        request: Request<Full<Bytes>>,
    ) -> Result<ClientResponse, Box<dyn std::error::Error + Send + Sync>> {
        let stream = TokioIo::new(connect(address).await?);
        let executor = TokioExecutor::new();
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(executor, stream).await?;
        self.drain.spawn(async move {
            // The request reports an error of the connection.
            let _ = connection.await;
        });
        collect(sender.send_request(request).await?).await
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the client of the demo stands for a program outside the gateway"
)]
async fn connect(address: SocketAddr) -> std::io::Result<TcpStream> {
    TcpStream::connect(address).await
}

async fn collect(
    response: http::Response<hyper::body::Incoming>,
) -> Result<ClientResponse, Box<dyn std::error::Error + Send + Sync>> {
    let (parts, body) = response.into_parts();
    Ok(ClientResponse {
        status: parts.status,
        headers: parts.headers,
        body: body.collect().await?.to_bytes(),
    })
}

impl ClientResponse {
    pub(super) fn has_header(&self, name: &str) -> bool {
        self.headers.contains_key(name)
    }

    /// The lines of the miss report.
    pub(super) fn problem(&self) -> Vec<String> {
        let problem: serde_json::Value = serde_json::from_slice(&self.body).unwrap_or_default();
        let detail = problem.get("detail").and_then(serde_json::Value::as_str);
        let lines = detail.unwrap_or_default().lines();
        lines.map(str::to_owned).collect()
    }
}
