//! Who may have a connection: so many in all, and so many from one source.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use ouli_config::Limits;

/// Slots for connections, shared by all listeners.
pub type SharedConnectionLimiter = Arc<ConnectionLimiter>;

/// Counts the connections that are open.
#[derive(Debug)]
pub struct ConnectionLimiter {
    state: Mutex<State>,
    released: Notify,
}

#[derive(Debug)]
struct State {
    open: usize,
    by_source: HashMap<IpAddr, usize>,
    max: MaxConnections,
}

/// How many connections there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct MaxConnections {
    total: usize,
    per_source: usize,
    per_loopback: usize,
}

/// Which limit a connection is above.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LimitExceeded {
    /// All slots are taken.
    Total,
    /// The source has all that it may have. The name is that of the limit.
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

/// A slot. Dropped, it is free.
#[derive(Debug)]
pub(super) struct ConnectionPermit {
    limiter: SharedConnectionLimiter,
    source: IpAddr,
}

impl ConnectionPermit {
    /// The address that the connection comes from.
    pub(super) fn source(&self) -> IpAddr {
        self.source
    }
}

impl ConnectionLimiter {
    /// Slots as the limits say.
    pub fn new(limits: &Limits) -> SharedConnectionLimiter {
        Arc::new(Self {
            state: Mutex::new(State {
                open: 0,
                by_source: HashMap::new(),
                max: MaxConnections::from(limits),
            }),
            released: Notify::new(),
        })
    }

    /// Other limits from now on. Connections above them stay.
    pub fn set_limits(&self, limits: &Limits) {
        self.lock_state().max = MaxConnections::from(limits);
        self.released.notify_waiters();
    }

    /// The connections that are open.
    pub fn open_connections(&self) -> usize {
        self.lock_state().open
    }

    /// A slot for a connection from this address.
    pub(super) fn try_acquire(
        self: &Arc<Self>,
        from: IpAddr,
    ) -> Result<ConnectionPermit, LimitExceeded> {
        let source = source_key(from);
        let mut state = self.lock_state();
        let most = state.max;
        let (own, key) = if from.to_canonical().is_loopback() {
            (most.per_loopback, "connections_per_loopback")
        } else {
            (most.per_source, "connections_per_source")
        };
        let held = state.by_source.get(&source).copied().unwrap_or_default();
        if held >= own {
            return Err(LimitExceeded::PerSource(key));
        }
        if state.open >= most.total {
            return Err(LimitExceeded::Total);
        }
        state.open += 1;
        state.by_source.insert(source, held + 1);
        Ok(ConnectionPermit {
            limiter: Arc::clone(self),
            source,
        })
    }

    /// Returns once a slot was given back. To be asked for before a look at whether there is one,
    /// so that none is missed in between.
    pub(super) fn wait_for_release(&self) -> tokio::sync::futures::Notified<'_> {
        self.released.notified()
    }

    fn lock_state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl From<&Limits> for MaxConnections {
    fn from(limits: &Limits) -> Self {
        Self {
            total: limits.connections,
            per_source: limits.connections_per_source,
            per_loopback: limits.connections_per_loopback,
        }
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        let mut state = self.limiter.lock_state();
        state.open -= 1;
        if let Some(held) = state.by_source.get_mut(&self.source) {
            *held -= 1;
            if *held == 0 {
                state.by_source.remove(&self.source);
            }
        }
        drop(state);
        self.limiter.released.notify_waiters();
    }
}

/// Who counts as one source: an address of IPv4, and of IPv6 all addresses of one network, since
/// whoever has one of them has the others too (RFC 6177).
fn source_key(from: IpAddr) -> IpAddr {
    match from.to_canonical() {
        IpAddr::V6(address) if !address.is_loopback() => {
            let network = u128::from(address) & !u128::from(u64::MAX);
            IpAddr::V6(Ipv6Addr::from(network))
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn slots(connections: usize, connections_per_source: usize) -> SharedConnectionLimiter {
        ConnectionLimiter::new(&Limits {
            connections,
            connections_per_source,
            ..Limits::default()
        })
    }

    #[test]
    fn one_source_cannot_take_all_slots() {
        let slots = slots(4, 2);
        let own = [(); 2].map(|()| slots.try_acquire(address("192.0.2.1")).unwrap());
        // The same source, as a socket of both families tells it.
        for same in ["192.0.2.1", "::ffff:192.0.2.1"] {
            let refused = slots.try_acquire(address(same)).unwrap_err();
            assert_eq!(refused.key(), "connections_per_source");
        }
        let _other = slots.try_acquire(address("192.0.2.2")).unwrap();
        drop(own);
        assert!(slots.try_acquire(address("192.0.2.1")).is_ok());
        assert_eq!(slots.open_connections(), 1);
    }

    #[test]
    fn a_network_of_ipv6_is_one_source() {
        let slots = slots(4, 1);
        let _one = slots.try_acquire(address("2001:db8::1")).unwrap();
        assert!(slots.try_acquire(address("2001:db8::2")).is_err());
        assert!(slots.try_acquire(address("2001:db8:0:1::1")).is_ok());
    }

    #[test]
    fn this_machine_is_told_from_others() {
        let slots = slots(3, 1);
        let _held = [(); 3].map(|()| slots.try_acquire(address("127.0.0.1")).unwrap());
        let refused = slots.try_acquire(address("127.0.0.1")).unwrap_err();
        assert_eq!(refused, LimitExceeded::Total);
    }

    #[test]
    fn limits_may_change_while_connections_are_open() {
        let slots = slots(1, 1);
        let _held = slots.try_acquire(address("127.0.0.1")).unwrap();
        assert!(slots.try_acquire(address("127.0.0.1")).is_err());
        slots.set_limits(&Limits::default());
        assert!(slots.try_acquire(address("127.0.0.1")).is_ok());
    }
}
