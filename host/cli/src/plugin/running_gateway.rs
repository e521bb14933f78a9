//! Queries a running gateway for the state of its plugins.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Empty, Limited};

use crate::environment;
use ouli_config::Limits;
use ouli_message::error_chain::error_chain;
use ouli_message::failure::{FailureKind, Phase};
use ouli_net::tls::{self, CertificateAuthority};
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

/// Queries the gateway at this address, over TLS if `secure`.
pub(super) fn query(address: SocketAddr, secure: bool) -> QueryResult {
    if address.port() == 0 {
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
        runtime.block_on(async { tokio::time::timeout(TIMEOUT, fetch(address, secure)).await });
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

async fn fetch(address: SocketAddr, secure: bool) -> Result<Bytes, QueryError> {
    let scheme = if secure { "https" } else { "http" };
    let url = format!("{scheme}://{address}");
    let tls = if secure {
        let authority = CertificateAuthority::open_or_create(&environment::ca_folder())?;
        Some(tls::client_config(
            Some(&authority.certificate_path()),
            None,
        )?)
    } else {
        None
    };
    let upstream = url.parse();
    let upstream = upstream.map_err(|_| QueryError::Other(format!("invalid address {url}")))?;
    let dialer: Arc<dyn Dial> = Arc::new(TcpDialer::default());
    let client = UpstreamClient::new(
        &upstream,
        tls,
        &upstream_bounds(&Limits::default()),
        &dialer,
        &HasAnswered::default(),
    );
    let body = Empty::new().map_err(|never| match never {}).boxed_unsync();
    let request = Request::get(format!("{url}{PLUGIN_STATUS_PATH}"))
        .header("host", address.to_string())
        .body(body)?;
    let response = client.send(request).await.map_err(|error| match error {
        UpstreamError::Connect { cause, .. }
            if (cause.phase, cause.kind) == (Phase::Connect, FailureKind::Refused) =>
        {
            QueryError::NotListening
        }
        other => other.into(),
    })?;
    let body = Limited::new(response.into_body(), MAX_RESPONSE_BYTES);
    let body = body.collect().await;
    Ok(body
        .map_err(|error| QueryError::Other(error.to_string()))?
        .to_bytes())
}
