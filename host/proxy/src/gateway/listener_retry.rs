//! Tries again to open listeners whose addresses were taken at a reload.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// The first wait. Each further one is twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(500);

/// The longest wait.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// The endpoints that wait for their addresses.
#[derive(Debug, Default)]
pub(super) struct ListenerRetry {
    waiting: BTreeMap<String, Waiting>,
    next: Option<(Instant, Duration)>,
}

#[derive(Debug)]
struct Waiting {
    address: SocketAddr,
    /// Why its listener could not be opened.
    reason: String,
}

impl ListenerRetry {
    /// The address that an endpoint waits for.
    pub(super) fn address(&self, endpoint: &str) -> Option<SocketAddr> {
        self.waiting.get(endpoint).map(|waiting| waiting.address)
    }

    /// The endpoints that wait, with their addresses and the reasons.
    pub(super) fn waiting(&self) -> impl Iterator<Item = (&str, SocketAddr, &str)> {
        let waiting = self.waiting.iter();
        waiting.map(|(name, one)| (name.as_str(), one.address, one.reason.as_str()))
    }

    /// True if the listeners should be opened again.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.next.is_some_and(|(time, _)| time <= now)
    }

    /// Replaces the endpoints that wait by those that failed now. Returns the names of those that
    /// are new or fail for another reason.
    pub(super) fn replace(
        &mut self,
        failed: Vec<(String, SocketAddr, String)>,
        now: Instant,
    ) -> Vec<String> {
        let failed = failed.into_iter().map(|(name, address, reason)| {
            let waiting = Waiting { address, reason };
            (name, waiting)
        });
        let before = std::mem::replace(&mut self.waiting, failed.collect());
        let is_known = |name: &String, waiting: &Waiting| {
            let known = before.get(name);
            known.is_some_and(|known| known.reason == waiting.reason)
        };
        let waiting = self.waiting.iter();
        let new: Vec<_> = waiting
            .filter(|(name, waiting)| !is_known(name, waiting))
            .map(|(name, _)| name.clone())
            .collect();
        self.next = match (self.waiting.is_empty(), self.next) {
            (true, _) => None,
            (false, Some((_, wait))) if new.is_empty() => {
                let wait = (wait * 2).min(LONGEST_WAIT);
                Some((now + wait, wait))
            }
            (false, _) => Some((now + FIRST_WAIT, FIRST_WAIT)),
        };
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_up_to_a_bound_and_begins_anew() {
        let mut retry = ListenerRetry::default();
        let failed = || {
            let address = SocketAddr::from(([127, 0, 0, 1], 80));
            vec![("api".to_owned(), address, "taken".to_owned())]
        };
        let mut now = Instant::now();
        assert!(!retry.is_due(now));
        assert_eq!(retry.replace(failed(), now), ["api"]);
        let mut waits = Vec::new();
        for _ in 0..9 {
            let wait = retry.next.unwrap().1;
            assert!(!retry.is_due(now + wait - Duration::from_millis(1)));
            now += wait;
            assert!(retry.is_due(now));
            waits.push(wait);
            assert!(
                retry.replace(failed(), now).is_empty(),
                "it is reported once"
            );
        }
        assert_eq!(waits[..3], [500, 1000, 2000].map(Duration::from_millis));
        assert_eq!(waits[8], LONGEST_WAIT);
        assert!(retry.replace(Vec::new(), now).is_empty());
        assert!(!retry.is_due(now + LONGEST_WAIT));
        assert_eq!(retry.replace(failed(), now), ["api"]);
        assert_eq!(retry.next.unwrap().1, FIRST_WAIT);
    }
}
