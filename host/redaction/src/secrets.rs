//! The secrets of one session, and the placeholders that stand for them.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use crate::common_values::is_searchable;
use crate::known_secrets::SecretSearcher;
use crate::placeholder::{self, is_class};
use crate::secret::Secret;

/// What one session remembers at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SecretBounds {
    /// Secrets.
    pub count: usize,
    /// Bytes of all of them.
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

/// The secrets of one session. Equal secrets have equal placeholders.
pub struct Secrets {
    id: u64,
    registry: RwLock<Registry>,
    bounds: SecretBounds,
    overflow: AtomicBool,
}

#[derive(Default)]
struct Registry {
    secrets: HashMap<Arc<[u8]>, Arc<Secret>>,
    /// The last number of each class.
    numbers: HashMap<Arc<str>, u64>,
    bytes: usize,
    /// Those that the search does not have yet.
    pending: Vec<Arc<Secret>>,
    searcher: SecretSearcher,
}

impl Default for Secrets {
    fn default() -> Self {
        Self::with_bounds(SecretBounds::default())
    }
}

impl Secrets {
    /// No secrets yet, and never more than these bounds.
    pub fn with_bounds(bounds: SecretBounds) -> Self {
        static IDS: AtomicU64 = AtomicU64::new(0);
        Self {
            id: IDS.fetch_add(1, Ordering::Relaxed),
            registry: RwLock::default(),
            bounds,
            overflow: AtomicBool::new(false),
        }
    }

    /// A number that no other registry of the process has.
    pub(super) fn id(&self) -> u64 {
        self.id
    }

    /// The placeholder of a secret: that of an equal one where there is one, whatever its class,
    /// else the next of this class. A placeholder is its own.
    pub fn placeholder(&self, class: &str, secret: &[u8]) -> String {
        match std::str::from_utf8(secret) {
            Ok(text) if placeholder::is_placeholder(secret) => text.to_owned(),
            Ok(_) | Err(_) => self
                .get_or_register(&UNDECLARED_RULE.into(), class, secret, || true)
                .placeholder(),
        }
    }

    /// Remembers a secret.
    pub fn register(&self, class: &str, secret: &[u8]) {
        self.placeholder(class, secret);
    }

    /// Remembers the value of an environment variable; its rule is `env.NAME`, its class `env`.
    /// False, and nothing remembered, where it is too short or too common to be searched for.
    pub fn register_env(&self, name: &str, value: &[u8]) -> bool {
        let searchable = is_searchable(value);
        if searchable {
            let rule = format!("env.{name}").into();
            self.get_or_register(&rule, "env", value, || true);
        }
        searchable
    }

    /// Goes on numbering behind the placeholders of an existing recording.
    pub fn resume_numbering(&self, recording: &[u8]) {
        let mut registry = self.write();
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

    /// The search for all secrets known by now.
    pub fn searcher(&self) -> SecretSearcher {
        {
            let registry = self.registry.read().unwrap_or_else(PoisonError::into_inner);
            if registry.pending.is_empty() {
                return registry.searcher.clone();
            }
        }
        let mut registry = self.write();
        let pending = std::mem::take(&mut registry.pending);
        registry.searcher = registry.searcher.with_secrets(&pending);
        registry.searcher.clone()
    }

    /// How many secrets are known.
    pub fn len(&self) -> usize {
        let registry = self.registry.read().unwrap_or_else(PoisonError::into_inner);
        registry.secrets.len()
    }

    /// True where none is known.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// True once a secret came that could not be remembered. Nothing may be written any more, for
    /// it can no longer be searched for.
    pub fn overflowed(&self) -> bool {
        self.overflow.load(Ordering::Acquire)
    }

    /// Remembers a secret that a rule found. Only one that is to be `searched` is looked for
    /// elsewhere.
    pub(super) fn get_or_register(
        &self,
        rule: &Arc<str>,
        class: &str,
        value: &[u8],
        searched: impl FnOnce() -> bool,
    ) -> Arc<Secret> {
        {
            let registry = self.registry.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(secret) = registry.secrets.get(value) {
                return Arc::clone(secret);
            }
        }
        let class = if is_class(class) { class } else { "secret" };
        let mut registry = self.write();
        if let Some(secret) = registry.secrets.get(value) {
            return Arc::clone(secret);
        }
        let fits = registry.has_room(value.len(), self.bounds);
        let secret = registry.number(rule, class, if fits { value } else { &[] });
        if fits {
            registry.insert(&secret, searched());
        } else {
            self.overflow.store(true, Ordering::Release);
        }
        secret
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, Registry> {
        self.registry
            .write()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// The rule of secrets that no rule declared.
const UNDECLARED_RULE: &str = "guard.known-secret";

impl Registry {
    fn has_room(&self, more: usize, bounds: SecretBounds) -> bool {
        self.secrets.len() < bounds.count && self.bytes + more <= bounds.bytes
    }

    fn number(&mut self, rule: &Arc<str>, class: &str, value: &[u8]) -> Arc<Secret> {
        let class: Arc<str> = match self.numbers.get_key_value(class) {
            Some((class, _)) => Arc::clone(class),
            None => class.into(),
        };
        let number = self.numbers.entry(Arc::clone(&class)).or_default();
        *number += 1;
        Arc::new(Secret::new(Arc::clone(rule), class, *number, value))
    }

    fn insert(&mut self, secret: &Arc<Secret>, searched: bool) {
        self.bytes += secret.value().len();
        self.secrets
            .insert(Arc::clone(secret.value()), Arc::clone(secret));
        if searched && is_searchable(secret.value()) {
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
    fn numbering_goes_on_behind_a_recording() {
        let secrets = Secrets::default();
        secrets.resume_numbering(b"\xff <token-41> %3Ctoken-7%3E <key-2>");
        secrets.resume_numbering(b"<token-3>");
        assert_eq!(secrets.placeholder("token", b"new"), "<token-42>");
        assert_eq!(secrets.placeholder("key", b"newer"), "<key-3>");
    }

    #[test]
    fn what_cannot_be_remembered_is_reported() {
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
    fn common_values_are_not_searched() {
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
    fn nothing_shows_a_secret() {
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
