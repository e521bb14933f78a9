//! Limits the open connections: in total, and per client address.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::client_source::ClientSource;
use super::contention::Contention;

/// A limiter that all listeners share.
pub type SharedConnectionLimiter = Arc<ConnectionLimiter>;

/// Counts the open connections.
#[derive(Debug)]
pub struct ConnectionLimiter {
    state: Mutex<State>,
    released: Notify,
    contention: Contention,
}

#[derive(Debug)]
struct State {
    open: usize,
    by_source: HashMap<IpAddr, OpenSource>,
    limits: ConnectionLimits,
}

/// A client address with open connections.
#[derive(Debug)]
struct OpenSource {
    connections: usize,
    source: Arc<ClientSource>,
}

/// How many connections may be open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// In total (`limits.connections`).
    pub total: usize,
    /// From one client address or IPv6 network (`limits.connections_per_source`).
    pub per_source: usize,
    /// From this machine (`limits.connections_per_loopback`).
    pub per_loopback: usize,
}

/// The limit that a connection exceeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LimitExceeded {
    /// `limits.connections`.
    Total,
    /// A limit of one source, by its key.
    PerSource(&'static str),
}

impl LimitExceeded {
    /// The limit's key.
    pub(super) fn key(self) -> &'static str {
        match self {
            Self::Total => "connections",
            Self::PerSource(key) => key,
        }
    }
}

/// The right to one connection. Dropping it releases it.
#[derive(Debug)]
pub(super) struct ConnectionPermit {
    limiter: SharedConnectionLimiter,
    source: Arc<ClientSource>,
}

impl ConnectionPermit {
    /// Where the connection comes from.
    pub(super) fn source(&self) -> &Arc<ClientSource> {
        &self.source
    }
}

impl ConnectionLimiter {
    /// Whether requests of these connections wait for the place of another one.
    pub fn contention(&self) -> &Contention {
        &self.contention
    }

    /// A limiter without open connections.
    pub fn new(limits: ConnectionLimits) -> SharedConnectionLimiter {
        Arc::new(Self {
            state: Mutex::new(State {
                open: 0,
                by_source: HashMap::new(),
                limits,
            }),
            released: Notify::new(),
            contention: Contention::default(),
        })
    }

    /// Changes the limits. Connections over the new limits stay open.
    pub fn set_limits(&self, limits: ConnectionLimits) {
        self.state.lock().limits = limits;
        self.released.notify_waiters();
    }

    /// The number of open connections.
    pub fn open_connections(&self) -> usize {
        self.state.lock().open
    }

    /// A permit for a connection from this address.
    pub(super) fn try_acquire(
        self: &Arc<Self>,
        address: IpAddr,
    ) -> Result<ConnectionPermit, LimitExceeded> {
        let source = source_key(address);
        let mut state = self.state.lock();
        let limits = state.limits;
        let (max, key) = if address.to_canonical().is_loopback() {
            (limits.per_loopback, "connections_per_loopback")
        } else {
            (limits.per_source, "connections_per_source")
        };
        let known = state.by_source.get(&source);
        if known.map_or(0, |known| known.connections) >= max {
            return Err(LimitExceeded::PerSource(key));
        }
        if state.open >= limits.total {
            return Err(LimitExceeded::Total);
        }
        state.open += 1;
        let known = state.by_source.entry(source).or_insert_with(|| OpenSource {
            connections: 0,
            source: ClientSource::new(source),
        });
        known.connections += 1;
        Ok(ConnectionPermit {
            limiter: Arc::clone(self),
            source: Arc::clone(&known.source),
        })
    }

    /// Returns once a permit was released. Call it before [`Self::try_acquire`], so that a release
    /// in between is not missed.
    pub(super) fn wait_for_release(&self) -> tokio::sync::futures::Notified<'_> {
        self.released.notified()
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        let mut state = self.limiter.state.lock();
        state.open -= 1;
        if let Entry::Occupied(mut known) = state.by_source.entry(self.source.address()) {
            known.get_mut().connections -= 1;
            if known.get().connections == 0 {
                known.remove();
            }
        }
        drop(state);
        self.limiter.released.notify_waiters();
    }
}

/// What counts as one source: an IPv4 address, or an IPv6 network, since a host usually has all the
/// addresses of its network (RFC 6177).
fn source_key(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) if !address.is_loopback() => {
            let network = u128::from(address) & !u128::from(u64::MAX);
            IpAddr::V6(Ipv6Addr::from(network))
        }
        other => other,
    }
}

#[cfg(test)]
impl Default for ConnectionLimits {
    /// The defaults of `[limits]`.
    fn default() -> Self {
        Self {
            total: 4096,
            per_source: 512,
            per_loopback: 1_000_000,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn limiter(total: usize, per_source: usize) -> SharedConnectionLimiter {
        ConnectionLimiter::new(ConnectionLimits {
            total,
            per_source,
            ..ConnectionLimits::default()
        })
    }

    #[test]
    fn one_source_cannot_take_all_permits() {
        let limiter = limiter(4, 2);
        let own = [(); 2].map(|()| limiter.try_acquire(ip("192.0.2.1")).unwrap());
        // The second is the same address, as a dual-stack socket reports it.
        for same in ["192.0.2.1", "::ffff:192.0.2.1"] {
            let exceeded = limiter.try_acquire(ip(same)).unwrap_err();
            assert_eq!(exceeded.key(), "connections_per_source");
        }
        let _other = limiter.try_acquire(ip("192.0.2.2")).unwrap();
        drop(own);
        assert!(limiter.try_acquire(ip("192.0.2.1")).is_ok());
        assert_eq!(limiter.open_connections(), 1);
    }

    #[test]
    fn an_ipv6_network_is_one_source() {
        let limiter = limiter(4, 1);
        let _first = limiter.try_acquire(ip("2001:db8::1")).unwrap();
        assert!(limiter.try_acquire(ip("2001:db8::2")).is_err());
        assert!(limiter.try_acquire(ip("2001:db8:0:1::1")).is_ok());
    }

    #[test]
    fn loopback_has_a_limit_of_its_own() {
        let limiter = limiter(3, 1);
        let _permits = [(); 3].map(|()| limiter.try_acquire(ip("127.0.0.1")).unwrap());
        let exceeded = limiter.try_acquire(ip("127.0.0.1")).unwrap_err();
        assert_eq!(exceeded, LimitExceeded::Total);
    }

    #[test]
    fn limits_can_change_while_connections_are_open() {
        let limiter = limiter(1, 1);
        let _permit = limiter.try_acquire(ip("127.0.0.1")).unwrap();
        assert!(limiter.try_acquire(ip("127.0.0.1")).is_err());
        limiter.set_limits(ConnectionLimits::default());
        assert!(limiter.try_acquire(ip("127.0.0.1")).is_ok());
    }
}
