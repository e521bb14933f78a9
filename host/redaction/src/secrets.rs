//! The registry of the secrets of one session and of their placeholders.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::RwLock;

use crate::common_values::is_searchable;
use crate::placeholder::{self, is_class};
use crate::secret::Secret;
use crate::secret_searcher::SecretSearcher;

/// Limits of the registry of one session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SecretBounds {
    /// Maximum number of secrets.
    pub count: usize,
    /// Maximum total size of the secrets in bytes.
    pub bytes: usize,
}

impl Default for SecretBounds {
    fn default() -> Self {
        Self {
            count: 65_536,
            bytes: 64 << 20,
        }
    }
}

/// The registry of the secrets of one session. Equal secrets have equal placeholders.
pub struct Secrets {
    id: u64,
    registry: RwLock<Registry>,
    bounds: SecretBounds,
    overflow: AtomicBool,
}

#[derive(Default)]
struct Registry {
    secrets: HashMap<Arc<[u8]>, Arc<Secret>>,
    /// The last placeholder number of each class.
    numbers: HashMap<Arc<str>, u64>,
    bytes: usize,
    /// Searchable secrets that are not in `searcher` yet.
    pending: Vec<Arc<Secret>>,
    searcher: SecretSearcher,
}

impl Default for Secrets {
    fn default() -> Self {
        Self::with_bounds(SecretBounds::default())
    }
}

impl Secrets {
    /// An empty registry with these limits.
    pub fn with_bounds(bounds: SecretBounds) -> Self {
        static IDS: AtomicU64 = AtomicU64::new(0);
        Self {
            id: IDS.fetch_add(1, Ordering::Relaxed),
            registry: RwLock::default(),
            bounds,
            overflow: AtomicBool::new(false),
        }
    }

    /// The id of this registry, unique in the process.
    pub(super) fn id(&self) -> u64 {
        self.id
    }

    /// Returns the placeholder of a secret. A known secret keeps its placeholder, whatever its
    /// class; a new one gets the next number of the class. A placeholder is returned unchanged.
    pub fn placeholder(&self, class: &str, secret: &[u8]) -> String {
        match std::str::from_utf8(secret) {
            Ok(text) if placeholder::is_placeholder(secret) => text.to_owned(),
            Ok(_) | Err(_) => self
                .get_or_register(&UNDECLARED_RULE.into(), class, secret, || true)
                .placeholder(),
        }
    }

    /// Registers a secret.
    pub fn register(&self, class: &str, secret: &[u8]) {
        self.placeholder(class, secret);
    }

    /// Registers the value of an environment variable with rule `env.NAME` and class `env`.
    /// Returns false and registers nothing if the value is too short or too common to search for.
    pub fn register_env(&self, name: &str, value: &[u8]) -> bool {
        let searchable = is_searchable(value);
        if searchable {
            let rule = format!("env.{name}").into();
            self.get_or_register(&rule, "env", value, || true);
        }
        searchable
    }

    /// Continues the numbering after the placeholders of an existing recording.
    pub fn resume_numbering(&self, recording: &[u8]) {
        let mut registry = self.registry.write();
        for chunk in recording.utf8_chunks() {
            for found in placeholder::find_all(chunk.valid()) {
                let found_number = found.number.unwrap_or_default();
                match registry.numbers.get_mut(found.class) {
                    Some(number) => *number = found_number.max(*number),
                    None => {
                        registry.numbers.insert(found.class.into(), found_number);
                    }
                }
            }
        }
    }

    /// Returns a searcher for all secrets known so far.
    pub fn searcher(&self) -> SecretSearcher {
        {
            let registry = self.registry.read();
            if registry.pending.is_empty() {
                return registry.searcher.clone();
            }
        }
        let mut registry = self.registry.write();
        let pending = std::mem::take(&mut registry.pending);
        registry.searcher = registry.searcher.with_secrets(&pending);
        registry.searcher.clone()
    }

    /// Number of known secrets.
    pub fn len(&self) -> usize {
        let registry = self.registry.read();
        registry.secrets.len()
    }

    /// True if no secret is known.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// True once a secret did not fit into the limits. It cannot be searched for, so nothing may
    /// be written from then on.
    pub fn overflowed(&self) -> bool {
        self.overflow.load(Ordering::Acquire)
    }

    /// Registers a secret that a rule found. It is searched for elsewhere only if
    /// `is_searched_for` returns true.
    pub(super) fn get_or_register(
        &self,
        rule: &Arc<str>,
        class: &str,
        value: &[u8],
        is_searched_for: impl FnOnce() -> bool,
    ) -> Arc<Secret> {
        {
            let registry = self.registry.read();
            if let Some(secret) = registry.secrets.get(value) {
                return Arc::clone(secret);
            }
        }
        let class = if is_class(class) { class } else { "secret" };
        let mut registry = self.registry.write();
        if let Some(secret) = registry.secrets.get(value) {
            return Arc::clone(secret);
        }
        let fits = registry.has_room(value.len(), self.bounds);
        let secret = registry.create(rule, class, if fits { value } else { &[] });
        if fits {
            registry.insert(&secret, is_searched_for());
        } else {
            self.overflow.store(true, Ordering::Release);
        }
        secret
    }
}

/// The rule id of secrets that no declared rule found.
const UNDECLARED_RULE: &str = "guard.known-secret";

impl Registry {
    fn has_room(&self, more: usize, bounds: SecretBounds) -> bool {
        self.secrets.len() < bounds.count && self.bytes + more <= bounds.bytes
    }

    /// Creates a secret with the next number of its class.
    fn create(&mut self, rule: &Arc<str>, class: &str, value: &[u8]) -> Arc<Secret> {
        let class: Arc<str> = match self.numbers.get_key_value(class) {
            Some((class, _)) => Arc::clone(class),
            None => class.into(),
        };
        let number = self.numbers.entry(Arc::clone(&class)).or_default();
        *number += 1;
        Arc::new(Secret::new(Arc::clone(rule), class, *number, value))
    }

    fn insert(&mut self, secret: &Arc<Secret>, is_searched_for: bool) {
        self.bytes += secret.value().len();
        self.secrets
            .insert(Arc::clone(secret.value()), Arc::clone(secret));
        if is_searched_for && is_searchable(secret.value()) {
            self.pending.push(Arc::clone(secret));
        }
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Secrets")
            .field("len", &self.len())
            .field("overflowed", &self.overflowed())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_secrets_have_equal_placeholders() {
        let secrets = Secrets::default();
        assert_eq!(secrets.placeholder("token", b"first"), "<token-1>");
        assert_eq!(secrets.placeholder("key", b"second"), "<key-1>");
        assert_eq!(secrets.placeholder("token", b"third"), "<token-2>");
        assert_eq!(secrets.placeholder("key", b"first"), "<token-1>");
        assert_eq!(secrets.placeholder("key", b"<token-9>"), "<token-9>");
        assert_eq!(secrets.placeholder("No Class", b"fourth"), "<secret-1>");
        assert_eq!(secrets.len(), 4);
    }

    #[test]
    fn numbering_continues_after_a_recording() {
        let secrets = Secrets::default();
        secrets.resume_numbering(b"\xff <token-41> %3Ctoken-7%3E <key-2>");
        secrets.resume_numbering(b"<token-3>");
        assert_eq!(secrets.placeholder("token", b"new"), "<token-42>");
        assert_eq!(secrets.placeholder("key", b"newer"), "<key-3>");
    }

    #[test]
    fn a_secret_beyond_the_limits_sets_overflowed() {
        let bounds = SecretBounds {
            count: 1000,
            bytes: 64 << 10,
        };
        let secrets = Secrets::with_bounds(bounds);
        let large = vec![b'x'; bounds.bytes];
        secrets.register("token", &large);
        assert!(!secrets.overflowed());
        assert_eq!(secrets.placeholder("token", b"one more"), "<token-2>");
        assert!(secrets.overflowed());

        let secrets = Secrets::with_bounds(bounds);
        for number in 0..=bounds.count {
            assert!(!secrets.overflowed());
            secrets.register("token", &number.to_le_bytes());
        }
        assert!(secrets.overflowed());
        assert_eq!(secrets.len(), bounds.count);
    }

    #[test]
    fn common_values_are_not_searched_for() {
        let secrets = Secrets::default();
        for value in [
            "short",
            "Password",
            "********",
            "ababababab",
            "undefined",
            "<token-1>",
        ] {
            secrets.register("token", value.as_bytes());
            assert!(
                secrets.searcher().find(value.as_bytes()).is_empty(),
                "{value}"
            );
        }
        assert!(!secrets.register_env("CI", b"true"));
        assert!(secrets.register_env("KEY", b"s3cr3t!"));
        let hit = secrets.searcher().find_any(b"a s3cr3t! b").unwrap();
        assert_eq!(
            (&**hit.secret.rule(), &*hit.secret.placeholder()),
            ("env.KEY", "<env-1>")
        );
    }

    #[test]
    fn debug_output_shows_no_secret() {
        let secrets = Secrets::default();
        secrets.register("token", b"s3cr3t!");
        let shown = format!(
            "{secrets:?} {:?} {:?}",
            secrets.searcher(),
            secrets.searcher().find_any(b"s3cr3t!")
        );
        assert!(!shown.contains("s3cr3t"), "{shown}");
    }
}
