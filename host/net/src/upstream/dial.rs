//! Opens connections to upstreams: over TCP, or over another transport such as a simulated network.

use std::fmt::Debug;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::error::PhaseError;
use super::happy_eyeballs;
use super::name_lookup;
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
async fn connect_first(
    host: &str,
    port: u16,
    own_listeners: &OwnListeners,
) -> Result<TcpStream, DialError> {
    let addresses = name_lookup::resolve(host, port).await.unwrap_or_default();
    connect_any(addresses, own_listeners)
        .await
        .map_err(|failure| {
            failure.map_or_else(
                || {
                    DialError::from(PhaseError {
                        phase: Phase::Connect,
                        kind: Some(FailureKind::Dns),
                        source: format!("the name {host} has no address").into(),
                    })
                },
                DialError::from,
            )
        })
}

#[expect(
    clippy::disallowed_methods,
    reason = "TCP connections are opened here only"
)]
async fn connect_any(
    addresses: Vec<SocketAddr>,
    own_listeners: &OwnListeners,
) -> Result<TcpStream, Option<io::Error>> {
    let attempt = |address| async move {
        own_listeners.check(address).map_err(io::Error::other)?;
        TcpStream::connect(address).await
    };
    happy_eyeballs::connect(addresses, attempt).await
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use socket2::{Domain, Socket, Type};
    use tokio::net::TcpListener;

    use super::*;

    /// A listener whose accept queue is full, so that nothing is answered, and what fills it.
    async fn black_hole() -> (SocketAddr, (Socket, Vec<TcpStream>)) {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let any_port = SocketAddr::from((Ipv4Addr::new(127, 0, 0, 9), 0));
        socket.bind(&any_port.into()).unwrap();
        socket.listen(0).unwrap();
        let address = socket.local_addr().unwrap().as_socket().unwrap();
        let mut queued = Vec::new();
        let own_listeners = OwnListeners::default();
        let wait = std::time::Duration::from_millis(200);
        while let Ok(connected) =
            tokio::time::timeout(wait, connect_any(vec![address], &own_listeners)).await
        {
            queued.push(connected.unwrap());
        }
        (address, (socket, queued))
    }

    #[tokio::test]
    #[expect(clippy::disallowed_methods, reason = "a listener to connect to")]
    async fn an_address_that_does_not_answer_delays_no_other() {
        let (hole, _full) = black_hole().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addresses = vec![hole, listener.local_addr().unwrap()];
        let connected = connect_any(addresses, &OwnListeners::default()).await;
        let peer = connected.unwrap().peer_addr().unwrap();
        assert_eq!(peer, listener.local_addr().unwrap());
    }
}
