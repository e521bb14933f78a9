//! Asks a gateway that runs for the state of its plugins.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::environment;
use ouli_message::error_chain::error_chain;
use ouli_net::drain::Drain;
use ouli_net::tls::{self, CertificateAuthority};
use ouli_proxy::gateway::Status;
use ouli_proxy::handler::PLUGIN_STATUS_PATH;

/// How long an answer may take.
const TIME: Duration = Duration::from_secs(2);

/// Bytes of an answer.
const MAX_RESPONSE_BYTES: usize = 16 << 20;

/// What an address answers.
pub(super) enum QueryResult {
    /// A gateway runs there.
    Status(Box<Status>),
    /// Nobody listens there.
    NotListening,
    /// Somebody else does.
    Failed(String),
}

/// Asks a listener, over TLS where it is `secure`.
pub(super) fn ask(listen: SocketAddr, secure: bool) -> QueryResult {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return QueryResult::Failed(error.to_string()),
    };
    let asked = runtime.block_on(async { tokio::time::timeout(TIME, fetch(listen, secure)).await });
    match asked {
        Ok(Ok(body)) => match serde_json::from_slice(&body) {
            Ok(status) => QueryResult::Status(Box::new(status)),
            Err(_) => QueryResult::Failed("what listens there is no gateway".to_owned()),
        },
        Ok(Err(QueryError::NotListening)) => QueryResult::NotListening,
        Ok(Err(QueryError::Other(reason))) => QueryResult::Failed(reason),
        Err(_) => QueryResult::Failed(format!("no answer within {TIME:?}")),
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

#[expect(
    clippy::disallowed_methods,
    reason = "the command is a client of the gateway, not a part of it"
)]
async fn fetch(listen: SocketAddr, secure: bool) -> Result<Bytes, QueryError> {
    if listen.port() == 0 {
        return Err(QueryError::NotListening);
    }
    let stream = TcpStream::connect(listen).await;
    let stream = stream.map_err(|error| match error.kind() {
        io::ErrorKind::ConnectionRefused => QueryError::NotListening,
        _ => error.into(),
    })?;
    let host = listen.to_string();
    if !secure {
        return get(stream, &host).await;
    }
    let authority = CertificateAuthority::open_or_create(&environment::ca_folder())?;
    let config = tls::client_config(Some(&authority.certificate_path()))?;
    let connector = tokio_rustls::TlsConnector::from(config);
    let name = ServerName::from(listen.ip());
    get(connector.connect(name, stream).await?, &host).await
}

async fn get<S>(stream: S, host: &str) -> Result<Bytes, QueryError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let io = TokioIo::new(stream);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await?;
    let drain = Drain::default();
    drain.spawn(async move {
        // A fault of the connection shows in the request that it carries.
        let _ = connection.await;
    });
    let request = Request::get(PLUGIN_STATUS_PATH).header("host", host);
    let response = sender
        .send_request(request.body(Empty::<Bytes>::new())?)
        .await?;
    let body = Limited::new(response.into_body(), MAX_RESPONSE_BYTES)
        .collect()
        .await;
    let body = body.map_err(|error| QueryError::Other(error.to_string()))?;
    Ok(body.to_bytes())
}
