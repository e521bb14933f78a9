//! The conversations of the demo: WebSockets over HTTP/1.1 and HTTP/2, and a gRPC call.

use std::net::SocketAddr;
use std::sync::Arc;

use super::conversation::Conversation;
use super::{grpc, websocket_client};
use ouli_config::Limits;
use ouli_net::upstream::{Dial, HasAnswered, TcpDialer, UpstreamClient};
use ouli_proxy::gateway::upstream_bounds;

/// Runs all conversations, one after the other. Each sends the secret.
pub(super) async fn all(
    http1: SocketAddr,
    http2: SocketAddr,
    secret: &str,
) -> Result<Vec<Conversation>, String> {
    let http1_client = client(&format!("http://{http1}"))?;
    let http2_client = client(&format!("h2c://{http2}"))?;
    Ok(vec![
        with_name(
            "WebSocket over HTTP/1.1",
            websocket_client::chat(&http1_client, http1, "HTTP/1.1", secret),
        )
        .await?,
        with_name(
            "WebSocket over HTTP/2",
            websocket_client::chat(&http2_client, http2, "HTTP/2", secret),
        )
        .await?,
        with_name("gRPC call", grpc::call(&http2_client, http2, secret)).await?,
    ])
}

fn client(url: &str) -> Result<UpstreamClient, String> {
    let upstream = url.parse().map_err(|_| format!("invalid address {url}"))?;
    let bounds = upstream_bounds(&Limits::default());
    let dialer: Arc<dyn Dial> = Arc::new(TcpDialer::default());
    let has_answered = HasAnswered::default();
    Ok(UpstreamClient::new(
        &upstream,
        None,
        &bounds,
        &dialer,
        &has_answered,
    ))
}

/// Adds the name of the conversation to an error.
async fn with_name(
    name: &str,
    conversation: impl Future<Output = Result<Conversation, String>>,
) -> Result<Conversation, String> {
    conversation
        .await
        .map_err(|error| format!("{name}: {error}"))
}
