//! Issues a certificate for each name that clients request, and caches it.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::authority::CertificateAuthority;

/// The names for a client that sends no server name: one that connects to an IP address does not
/// (RFC 6066, section 3).
const NO_SNI_NAMES: &[&str] = &["localhost", "127.0.0.1", "::1"];

/// A certificate is replaced long before it expires.
const RENEW_AFTER: Duration = Duration::from_secs(30 * 24 * 3600);

/// Resolves the certificate of each handshake with the local CA.
#[derive(Debug)]
pub(super) struct CertResolver {
    authority: Arc<CertificateAuthority>,
    cache: Mutex<CertCache>,
}

/// The issued certificates by name. The empty name is for clients that send none.
#[derive(Debug)]
struct CertCache {
    by_name: HashMap<String, (Arc<CertifiedKey>, Instant)>,
    /// The names, oldest first.
    insertion_order: VecDeque<String>,
    capacity: usize,
}

impl CertResolver {
    /// Caches at most `capacity` certificates; the oldest is evicted.
    pub(super) fn new(authority: Arc<CertificateAuthority>, capacity: usize) -> Self {
        Self {
            authority,
            cache: Mutex::new(CertCache {
                by_name: HashMap::new(),
                insertion_order: VecDeque::new(),
                capacity: capacity.max(1),
            }),
        }
    }

    fn certificate_for(&self, name: &str, now: Instant) -> Option<Arc<CertifiedKey>> {
        let name = name.to_ascii_lowercase();
        if let Some(key) = self.cache.lock().get(&name, now) {
            return Some(key);
        }
        let single = [name.as_str()];
        let names = if name.is_empty() {
            NO_SNI_NAMES
        } else {
            &single
        };
        // Issued outside the lock: two handshakes at once may both issue one; the later is cached.
        let key = Arc::new(self.authority.issue(names).ok()?);
        self.cache.lock().insert(name, Arc::clone(&key), now);
        Some(key)
    }
}

impl ResolvesServerCert for CertResolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.certificate_for(hello.server_name().unwrap_or_default(), Instant::now())
    }
}

impl CertCache {
    fn get(&self, name: &str, now: Instant) -> Option<Arc<CertifiedKey>> {
        let (key, issued) = self.by_name.get(name)?;
        let is_fresh = now.saturating_duration_since(*issued) < RENEW_AFTER;
        is_fresh.then(|| Arc::clone(key))
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

    fn resolver(capacity: usize) -> (tempfile::TempDir, CertResolver) {
        let folder = tempfile::tempdir().unwrap();
        let authority = CertificateAuthority::open_or_create(&folder.path().join("ca")).unwrap();
        (folder, CertResolver::new(Arc::new(authority), capacity))
    }

    #[test]
    fn caches_names_case_insensitively() {
        let (_folder, resolver) = resolver(8);
        let now = Instant::now();
        let first = resolver.certificate_for("api.example.com", now).unwrap();
        let second = resolver.certificate_for("API.example.com", now).unwrap();
        assert!(Arc::ptr_eq(&first, &second));
    }

    #[test]
    fn evicts_the_oldest_certificate() {
        // As for `limits.certificate_cache_size = 2`.
        let (_folder, resolver) = resolver(2);
        let now = Instant::now();
        let first = resolver.certificate_for("a", now).unwrap();
        for name in ["b", "c", "d"] {
            resolver.certificate_for(name, now).unwrap();
        }
        assert_eq!(resolver.cache.lock().by_name.len(), 2);
        assert_eq!(resolver.cache.lock().insertion_order.len(), 2);
        let again = resolver.certificate_for("a", now).unwrap();
        assert!(!Arc::ptr_eq(&first, &again));
    }

    #[test]
    fn replaces_an_old_certificate() {
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
