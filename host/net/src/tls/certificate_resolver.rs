//! Certificates on demand: one for each name that a client asks for, kept for the next handshake.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::CertificateAuthority;

/// What a client may mean that names no server (RFC 6066, section 3): one that connects to an
/// address does not.
const NO_SNI_NAMES: &[&str] = &["localhost", "127.0.0.1", "::1"];

/// A certificate is made anew long before it expires.
const RENEW_AFTER: Duration = Duration::from_secs(30 * 24 * 3600);

/// Answers each handshake with a certificate of the local CA.
#[derive(Debug)]
pub(super) struct CertResolver {
    authority: Arc<CertificateAuthority>,
    cache: Mutex<CertCache>,
}

/// The certificates made so far, by name; the empty one is for clients that name no server.
#[derive(Debug)]
struct CertCache {
    by_name: HashMap<String, (Arc<CertifiedKey>, Instant)>,
    /// The names, the oldest first.
    insertion_order: VecDeque<String>,
    capacity: usize,
}

impl CertResolver {
    /// Keeps at most `most` certificates; the oldest makes room.
    pub(super) fn new(authority: Arc<CertificateAuthority>, most: usize) -> Self {
        Self {
            authority,
            cache: Mutex::new(CertCache {
                by_name: HashMap::new(),
                insertion_order: VecDeque::new(),
                capacity: most.max(1),
            }),
        }
    }

    fn certificate_for(&self, name: &str, now: Instant) -> Option<Arc<CertifiedKey>> {
        let name = name.to_ascii_lowercase();
        if let Some(key) = self.lock_cache().get(&name, now) {
            return Some(key);
        }
        let single = [name.as_str()];
        let names = if name.is_empty() {
            NO_SNI_NAMES
        } else {
            &single
        };
        // Made outside the lock: two clients at once may both make one, and the later one is kept.
        let key = Arc::new(self.authority.issue(names).ok()?);
        self.lock_cache().insert(name, Arc::clone(&key), now);
        Some(key)
    }

    fn lock_cache(&self) -> MutexGuard<'_, CertCache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ResolvesServerCert for CertResolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.certificate_for(hello.server_name().unwrap_or_default(), Instant::now())
    }
}

impl CertCache {
    fn get(&self, name: &str, now: Instant) -> Option<Arc<CertifiedKey>> {
        let (key, made) = self.by_name.get(name)?;
        let fresh = now.saturating_duration_since(*made) < RENEW_AFTER;
        fresh.then(|| Arc::clone(key))
    }

    fn insert(&mut self, name: String, key: Arc<CertifiedKey>, now: Instant) {
        if self.by_name.insert(name.clone(), (key, now)).is_some() {
            return;
        }
        self.insertion_order.push_back(name);
        if self.insertion_order.len() > self.capacity
            && let Some(oldest) = self.insertion_order.pop_front()
        {
            self.by_name.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolver(most: usize) -> (tempfile::TempDir, CertResolver) {
        let folder = tempfile::tempdir().unwrap();
        let authority = CertificateAuthority::open_or_create(&folder.path().join("ca")).unwrap();
        (folder, CertResolver::new(Arc::new(authority), most))
    }

    #[test]
    fn a_certificate_is_kept_whatever_the_case_of_its_name() {
        let (_folder, resolver) = resolver(8);
        let now = Instant::now();
        let first = resolver.certificate_for("api.example.com", now).unwrap();
        let second = resolver.certificate_for("API.example.com", now).unwrap();
        assert!(Arc::ptr_eq(&first, &second));
    }

    #[test]
    fn the_oldest_makes_room() {
        let (_folder, resolver) = resolver(2);
        let now = Instant::now();
        let first = resolver.certificate_for("a", now).unwrap();
        for name in ["b", "c", "d"] {
            resolver.certificate_for(name, now).unwrap();
        }
        assert_eq!(resolver.lock_cache().by_name.len(), 2);
        assert_eq!(resolver.lock_cache().insertion_order.len(), 2);
        let again = resolver.certificate_for("a", now).unwrap();
        assert!(!Arc::ptr_eq(&first, &again));
    }

    #[test]
    fn an_old_certificate_is_made_anew() {
        let (_folder, resolver) = resolver(2);
        let now = Instant::now();
        let first = resolver.certificate_for("a", now).unwrap();
        let later = now + RENEW_AFTER;
        let second = resolver.certificate_for("a", later).unwrap();
        assert!(!Arc::ptr_eq(&first, &second));
        assert!(Arc::ptr_eq(
            &second,
            &resolver.certificate_for("a", later).unwrap()
        ));
    }
}
