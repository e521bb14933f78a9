//! How connections to upstreams are opened: by TCP, unless something else is put in its place, such
//! as the network of a simulation.

use std::fmt::Debug;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::Own;
use super::connector::Failed;
use ouli_message::failure::{Phase, What};

/// One end of a connection.
pub trait Socket: AsyncRead + AsyncWrite + Debug + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Debug + Send + Unpin> Socket for S {}

/// Why there is no connection.
pub type DialError = Box<dyn std::error::Error + Send + Sync>;

/// A connection that is being opened.
pub type Dialling = Pin<Box<dyn Future<Output = Result<Box<dyn Socket>, DialError>> + Send>>;

/// Opens connections.
pub trait Dial: Debug + Send + Sync {
    /// A connection to a host, by name or address (an IPv6 address without brackets).
    fn dial(&self, host: &str, port: u16) -> Dialling;
}

/// Opens connections of TCP, and none to a listener of one's own.
#[derive(Clone, Debug, Default)]
pub struct Tcp {
    own: Arc<Own>,
}

impl Tcp {
    /// With these listeners of one's own.
    pub fn new(own: &Arc<Own>) -> Self {
        Self {
            own: Arc::clone(own),
        }
    }
}

impl Dial for Tcp {
    fn dial(&self, host: &str, port: u16) -> Dialling {
        let (host, own) = (host.to_owned(), Arc::clone(&self.own));
        Box::pin(async move {
            let stream = reach(&host, port, &own).await?;
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
async fn reach(name: &str, port: u16, own: &Own) -> Result<TcpStream, DialError> {
    let found = tokio::net::lookup_host((name, port)).await;
    let mut failure = DialError::from(Failed {
        phase: Phase::Connect,
        what: Some(What::Dns),
        source: format!("the name {name} has no address").into(),
    });
    for address in found.into_iter().flatten() {
        let connected = match own.refuse(address) {
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
