//! Queries a running gateway for the state of its plugins.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Empty, Limited};

use crate::args::GatewayAddress;
use crate::ca;
use ouli_config::Limits;
use ouli_message::error_chain::error_chain;
use ouli_message::failure::{FailureKind, Phase};
use ouli_net::tls;
use ouli_net::upstream::{Dial, HasAnswered, TcpDialer, UpstreamClient, UpstreamError};
use ouli_proxy::gateway::{Status, upstream_bounds};
use ouli_proxy::handler::PLUGIN_STATUS_PATH;

/// The time limit of a query.
const TIMEOUT: Duration = Duration::from_secs(2);

/// The maximum size of a response.
const MAX_RESPONSE_BYTES: usize = 16 << 20;

/// The result of a query.
pub(super) enum QueryResult {
    /// A gateway runs there.
    Status(Box<Status>),
    /// Nothing listens there.
    NotListening,
    /// Another program listens there, or the query failed.
    Failed(String),
}

/// Queries the gateway at this address. Its certificate is trusted if it is of the CA in this file;
/// without a file, of the local CA or of one of the system.
pub(super) fn query(address: &GatewayAddress, ca: Option<&Path>) -> QueryResult {
    if address.server().port == 0 {
        return QueryResult::NotListening;
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return QueryResult::Failed(error.to_string()),
    };
    let response =
        runtime.block_on(async { tokio::time::timeout(TIMEOUT, fetch(address, ca)).await });
    match response {
        Ok(Ok(body)) => match serde_json::from_slice(&body) {
            Ok(status) => QueryResult::Status(Box::new(status)),
            Err(_) => {
                QueryResult::Failed("the program that listens there is no gateway".to_owned())
            }
        },
        Ok(Err(QueryError::NotListening)) => QueryResult::NotListening,
        Ok(Err(QueryError::Other(reason))) => QueryResult::Failed(reason),
        Err(_) => QueryResult::Failed(format!("no response within {TIMEOUT:?}")),
    }
}

enum QueryError {
    NotListening,
    Other(String),
}

impl<E: std::error::Error> From<E> for QueryError {
    fn from(error: E) -> Self {
        Self::Other(error_chain(&error))
    }
}

async fn fetch(address: &GatewayAddress, ca: Option<&Path>) -> Result<Bytes, QueryError> {
    let server = address.server();
    let tls = match (address.is_secure(), ca) {
        (false, _) => None,
        (true, Some(ca)) => Some(tls::client_config(Some(ca), None)?),
        (true, None) => {
            let local = ca::open_local().map_err(QueryError::Other)?;
            Some(tls::client_config(Some(&local.certificate_path()), None)?)
        }
    };
    let dialer: Arc<dyn Dial> = Arc::new(TcpDialer::default());
    let client = UpstreamClient::new(
        server,
        tls,
        &upstream_bounds(&Limits::default()),
        &dialer,
        &HasAnswered::default(),
    );
    let body = Empty::new().map_err(|never| match never {}).boxed_unsync();
    let (scheme, authority) = (server.scheme.as_str(), server.authority());
    let request = Request::get(format!("{scheme}://{authority}{PLUGIN_STATUS_PATH}"))
        .header("host", authority)
        .body(body)?;
    let response = client.send(request).await.map_err(|error| match error {
        UpstreamError::Connect { cause, .. }
            if (cause.phase, cause.kind) == (Phase::Connect, FailureKind::Refused) =>
        {
            QueryError::NotListening
        }
        UpstreamError::Connect { cause, .. }
            if cause.phase == Phase::Tls && cause.kind == FailureKind::Untrusted =>
        {
            QueryError::Other(format!(
                "{}; name its CA with --ca FILE",
                error_chain(&error)
            ))
        }
        other => other.into(),
    })?;
    if let Some(reason) = refusal(&response, address) {
        return Err(QueryError::Other(reason));
    }
    let body = Limited::new(response.into_body(), MAX_RESPONSE_BYTES);
    let body = body.collect().await;
    Ok(body
        .map_err(|error| QueryError::Other(error.to_string()))?
        .to_bytes())
}

/// Why the gateway does not show the page; `None` if it does, or if it is no gateway.
fn refusal<B>(response: &Response<B>, address: &GatewayAddress) -> Option<String> {
    let text = |name: &str| response.headers().get(name)?.to_str().ok();
    let kind = text("ouli-error")?;
    let detail = text("ouli-error-detail").unwrap_or(kind);
    Some(match address.is_secure() || kind != "request" {
        true => detail.to_owned(),
        false => format!("{detail}, as in --address {}", address.secure()),
    })
}
