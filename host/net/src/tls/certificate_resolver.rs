//! Certificates on demand: one for each name that a client asks for, kept for the next handshake.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::Authority;

/// What a client may mean that names no server (RFC 6066, section 3): one that connects to an
/// address does not.
const UNNAMED: &[&str] = &["localhost", "127.0.0.1", "::1"];

/// A certificate is made anew long before it expires.
const RENEWAL: Duration = Duration::from_secs(30 * 24 * 3600);

/// Answers each handshake with a certificate of the local CA.
#[derive(Debug)]
pub(super) struct Resolver {
    authority: Arc<Authority>,
    kept: Mutex<Kept>,
}

/// The certificates made so far, by name; the empty one is for clients that name no server.
#[derive(Debug)]
struct Kept {
    by_name: HashMap<String, (Arc<CertifiedKey>, Instant)>,
    /// The names, the oldest first.
    order: VecDeque<String>,
    most: usize,
}

impl Resolver {
    /// Keeps at most `most` certificates; the oldest makes room.
    pub(super) fn new(authority: Arc<Authority>, most: usize) -> Self {
        Self {
            authority,
            kept: Mutex::new(Kept {
                by_name: HashMap::new(),
                order: VecDeque::new(),
                most: most.max(1),
            }),
        }
    }

    fn certificate(&self, name: &str, now: Instant) -> Option<Arc<CertifiedKey>> {
        let name = name.to_ascii_lowercase();
        if let Some(key) = self.kept().get(&name, now) {
            return Some(key);
        }
        let single = [name.as_str()];
        let names = if name.is_empty() { UNNAMED } else { &single };
        // Made outside the lock: two clients at once may both make one, and the later one is kept.
        let key = Arc::new(self.authority.leaf(names).ok()?);
        self.kept().put(name, Arc::clone(&key), now);
        Some(key)
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.certificate(hello.server_name().unwrap_or_default(), Instant::now())
    }
}

impl Kept {
    fn get(&self, name: &str, now: Instant) -> Option<Arc<CertifiedKey>> {
        let (key, made) = self.by_name.get(name)?;
        let fresh = now.saturating_duration_since(*made) < RENEWAL;
        fresh.then(|| Arc::clone(key))
    }

    fn put(&mut self, name: String, key: Arc<CertifiedKey>, now: Instant) {
        if self.by_name.insert(name.clone(), (key, now)).is_some() {
            return;
        }
        self.order.push_back(name);
        if self.order.len() > self.most
            && let Some(oldest) = self.order.pop_front()
        {
            self.by_name.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolver(most: usize) -> (tempfile::TempDir, Resolver) {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::open_or_create(&folder.path().join("ca")).unwrap();
        (folder, Resolver::new(Arc::new(authority), most))
    }

    #[test]
    fn a_certificate_is_kept_whatever_the_case_of_its_name() {
        let (_folder, resolver) = resolver(8);
        let now = Instant::now();
        let first = resolver.certificate("api.example.com", now).unwrap();
        let second = resolver.certificate("API.example.com", now).unwrap();
        assert!(Arc::ptr_eq(&first, &second));
    }

    #[test]
    fn the_oldest_makes_room() {
        let (_folder, resolver) = resolver(2);
        let now = Instant::now();
        let first = resolver.certificate("a", now).unwrap();
        for name in ["b", "c", "d"] {
            resolver.certificate(name, now).unwrap();
        }
        assert_eq!(resolver.kept().by_name.len(), 2);
        assert_eq!(resolver.kept().order.len(), 2);
        let again = resolver.certificate("a", now).unwrap();
        assert!(!Arc::ptr_eq(&first, &again));
    }

    #[test]
    fn an_old_certificate_is_made_anew() {
        let (_folder, resolver) = resolver(2);
        let now = Instant::now();
        let first = resolver.certificate("a", now).unwrap();
        let later = now + RENEWAL;
        let second = resolver.certificate("a", later).unwrap();
        assert!(!Arc::ptr_eq(&first, &second));
        assert!(Arc::ptr_eq(
            &second,
            &resolver.certificate("a", later).unwrap()
        ));
    }
}
