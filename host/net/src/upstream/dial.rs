//! Opens connections to upstreams: over TCP, or over another transport such as a simulated network.

use std::fmt::Debug;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::error::PhaseError;
use super::own_listeners::OwnListeners;
use ouli_message::failure::{FailureKind, Phase};

/// The gateway's end of a connection.
pub trait Socket: AsyncRead + AsyncWrite + Debug + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Debug + Send + Unpin> Socket for S {}

/// Why a connection cannot be opened.
pub type DialError = Box<dyn std::error::Error + Send + Sync>;

/// A connection that is being opened.
pub type DialFuture = Pin<Box<dyn Future<Output = Result<Box<dyn Socket>, DialError>> + Send>>;

/// Opens connections.
pub trait Dial: Debug + Send + Sync {
    /// Connects to a host, given by name or address (an IPv6 address without brackets).
    fn dial(&self, host: &str, port: u16) -> DialFuture;
}

/// Opens TCP connections, except to the gateway's own listeners.
#[derive(Clone, Debug, Default)]
pub struct TcpDialer {
    own_listeners: Arc<OwnListeners>,
}

impl TcpDialer {
    /// A dialer that refuses to connect to these listeners.
    pub fn new(own_listeners: &Arc<OwnListeners>) -> Self {
        Self {
            own_listeners: Arc::clone(own_listeners),
        }
    }
}

impl Dial for TcpDialer {
    fn dial(&self, host: &str, port: u16) -> DialFuture {
        let (host, own_listeners) = (host.to_owned(), Arc::clone(&self.own_listeners));
        Box::pin(async move {
            let stream = connect_first(&host, port, &own_listeners).await?;
            stream.set_nodelay(true)?;
            Ok(Box::new(stream) as Box<dyn Socket>)
        })
    }
}

/// Connects to the first address of the host that accepts. The name is resolved once, and the
/// addresses that are checked are the ones that are dialled: a changed DNS record has no effect in
/// between.
#[expect(
    clippy::disallowed_methods,
    reason = "TCP connections are opened here only"
)]
async fn connect_first(
    host: &str,
    port: u16,
    own_listeners: &OwnListeners,
) -> Result<TcpStream, DialError> {
    let addresses = tokio::net::lookup_host((host, port)).await;
    let mut failure = DialError::from(PhaseError {
        phase: Phase::Connect,
        kind: Some(FailureKind::Dns),
        source: format!("the name {host} has no address").into(),
    });
    for address in addresses.into_iter().flatten() {
        let connected = match own_listeners.check(address) {
            Ok(()) => TcpStream::connect(address).await,
            Err(error) => Err(io::Error::other(error)),
        };
        match connected {
            Ok(stream) => return Ok(stream),
            Err(error) => failure = error.into(),
        }
    }
    Err(failure)
}
