//! How connections to upstreams are opened: by TCP, unless something else is put in its place, such
//! as the network of a simulation.

use std::fmt::Debug;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::OwnListeners;
use super::connector::PhaseError;
use ouli_message::failure::{FailureKind, Phase};

/// One end of a connection.
pub trait Socket: AsyncRead + AsyncWrite + Debug + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Debug + Send + Unpin> Socket for S {}

/// Why there is no connection.
pub type DialError = Box<dyn std::error::Error + Send + Sync>;

/// A connection that is being opened.
pub type DialFuture = Pin<Box<dyn Future<Output = Result<Box<dyn Socket>, DialError>> + Send>>;

/// Opens connections.
pub trait Dial: Debug + Send + Sync {
    /// A connection to a host, by name or address (an IPv6 address without brackets).
    fn dial(&self, host: &str, port: u16) -> DialFuture;
}

/// Opens connections of TCP, and none to a listener of one's own.
#[derive(Clone, Debug, Default)]
pub struct TcpDialer {
    own_listeners: Arc<OwnListeners>,
}

impl TcpDialer {
    /// With these listeners of one's own.
    pub fn new(own: &Arc<OwnListeners>) -> Self {
        Self {
            own_listeners: Arc::clone(own),
        }
    }
}

impl Dial for TcpDialer {
    fn dial(&self, host: &str, port: u16) -> DialFuture {
        let (host, own) = (host.to_owned(), Arc::clone(&self.own_listeners));
        Box::pin(async move {
            let stream = connect_first(&host, port, &own).await?;
            stream.set_nodelay(true)?;
            Ok(Box::new(stream) as Box<dyn Socket>)
        })
    }
}

/// Connects to the first address of the name that answers. The name is looked up once, and what was
/// looked at is what is dialled: a name that then stands for another address changes nothing.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place that dials"
)]
async fn connect_first(name: &str, port: u16, own: &OwnListeners) -> Result<TcpStream, DialError> {
    let found = tokio::net::lookup_host((name, port)).await;
    let mut failure = DialError::from(PhaseError {
        phase: Phase::Connect,
        what: Some(FailureKind::Dns),
        source: format!("the name {name} has no address").into(),
    });
    for address in found.into_iter().flatten() {
        let connected = match own.check(address) {
            Ok(()) => TcpStream::connect(address).await,
            Err(oneself) => Err(io::Error::other(oneself)),
        };
        match connected {
            Ok(stream) => return Ok(stream),
            Err(error) => failure = error.into(),
        }
    }
    Err(failure)
}
