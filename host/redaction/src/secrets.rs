//! The registry of the secrets of one session and of their placeholders.

use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::build_locks::BuildLocks;
use crate::common_values::is_searchable;
use crate::forgotten_secrets::ForgottenSecrets;
use crate::placeholder::{self, is_class};
use crate::placeholder_key::PlaceholderKey;
use crate::secret::{Secret, SecretKind, SeenIn};
use crate::secret_bounds::SecretBounds;
use crate::secret_memory::{CountedValues, SecretMemory, SharedRegistry};
use crate::secret_part;
use crate::secret_registry::Registry;
use crate::told_words::ToldWords;
use ouli_codec::identity::{FIRST_KEYED, Identity};
use ouli_codec::minted_values::MintedValues;
use ouli_codec::randomness::looks_random;

/// The registry of the secrets of one session. Equal secrets have equal placeholders.
///
/// At its limits the registry forgets: first what it saw only in requests that were looked up, then
/// what was recorded, in each case the least recently seen first. A secret that is seen again gets
/// the next number of its class. Of those that were recorded fingerprints are left, by which the
/// guard finds them.
pub struct Secrets {
    id: u64,
    pub(super) registry: SharedRegistry,
    pub(super) building: BuildLocks,
    /// The memory of all sessions.
    pub(super) memory: Arc<SecretMemory>,
    pub(super) bounds: SecretBounds,
    /// The keys of the digests of values.
    digest_keys: [RandomState; 2],
    /// The key that the numbers of placeholders follow from, if there is one.
    key: Option<PlaceholderKey>,
    /// That of the registry.
    version: Arc<AtomicU64>,
    /// That of the registry.
    last_seen: Arc<AtomicU64>,
    /// What clients made up. It is no secret, but has an identity too.
    pub(super) minted: Arc<CountedValues>,
    /// What the upstream has told.
    pub(super) told: ToldWords,
    /// A request is recorded with a secret that was told where no rule looked.
    pub(super) was_told: AtomicBool,
}

impl Default for Secrets {
    fn default() -> Self {
        Self::with_bounds(SecretBounds::default())
    }
}

impl Secrets {
    /// An empty registry with these limits.
    pub fn with_bounds(bounds: SecretBounds) -> Self {
        Self::in_memory(bounds, &Arc::default())
    }

    /// An empty registry with these limits, whose secrets count in this memory.
    pub fn in_memory(bounds: SecretBounds, memory: &Arc<SecretMemory>) -> Self {
        static IDS: AtomicU64 = AtomicU64::new(0);
        let minted = Arc::new(CountedValues::with_limit(bounds.count));
        let registry = memory.new_registry(bounds, &minted);
        let (version, last_seen) = {
            let registry = registry.read();
            let (version, last_seen) = (&registry.version, &registry.last_seen);
            (Arc::clone(version), Arc::clone(last_seen))
        };
        Self {
            id: IDS.fetch_add(1, Ordering::Relaxed),
            registry,
            building: BuildLocks::default(),
            memory: Arc::clone(memory),
            bounds,
            digest_keys: [RandomState::new(), RandomState::new()],
            key: None,
            version,
            last_seen,
            minted,
            told: ToldWords::default(),
            was_told: AtomicBool::new(false),
        }
    }

    /// The values that clients of the session made up, at most as many as secrets.
    pub fn minted(&self) -> &MintedValues {
        &self.minted.values
    }

    /// The same with a key that the numbers of placeholders follow from.
    #[must_use]
    pub fn with_key(mut self, key: Option<PlaceholderKey>) -> Self {
        self.key = key;
        self
    }

    /// The id of this registry, unique in the process.
    pub(super) fn id(&self) -> u64 {
        self.id
    }

    /// Increases whenever the known secrets change.
    pub(super) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// Returns the placeholder of a secret. A known secret keeps its placeholder, whatever its
    /// class; a new one gets the next number of the class. A placeholder is returned unchanged.
    pub fn placeholder(&self, class: &str, secret: &[u8]) -> String {
        match std::str::from_utf8(secret) {
            Ok(text) if placeholder::is_placeholder(secret) => text.to_owned(),
            Ok(_) | Err(_) => self
                .get_or_register(
                    &UNDECLARED_RULE.into(),
                    class,
                    secret,
                    SeenIn::Request,
                    || true,
                )
                .placeholder(),
        }
    }

    /// Registers a secret.
    pub fn register(&self, class: &str, secret: &[u8]) {
        self.placeholder(class, secret);
    }

    /// Registers the value of an environment variable with rule `env.NAME` and class `env`. It is
    /// never forgotten. Returns false and registers nothing if the value is too short or too common
    /// to search for.
    pub fn register_env(&self, name: &str, value: &[u8]) -> bool {
        let searchable = is_searchable(value);
        if searchable {
            let kind = SecretKind {
                is_pinned: true,
                is_searched_for: true,
            };
            self.create(
                &format!("env.{name}").into(),
                "env",
                value,
                kind,
                SeenIn::Request,
            );
        }
        searchable
    }

    /// Continues the numbering after the placeholders of an existing recording.
    pub fn resume_numbering(&self, recording: &[u8]) {
        let mut registry = self.registry.write();
        for chunk in recording.utf8_chunks() {
            registry.resume_numbering(chunk.valid());
        }
    }

    /// A secret with whose first part a text ends. Compares all secrets one by one.
    pub(super) fn cut_in(&self, text: &[u8]) -> Option<Arc<Secret>> {
        let searched: Vec<_> = self.registry.read().searched().cloned().collect();
        let mut cut = searched.into_iter();
        cut.find(|secret| secret_part::ends_with_part(text, secret))
    }

    /// Number of known secrets.
    pub fn len(&self) -> usize {
        self.registry.read().len()
    }

    /// True if no secret is known.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Total size in bytes of the secrets that were found in messages, and of the fingerprints of
    /// those that were forgotten.
    pub fn bytes(&self) -> usize {
        self.registry.read().bytes()
    }

    /// Begins an exchange that is to be recorded. Returns its time for [`Self::has_lost_since`].
    pub fn begin_exchange(&self) -> u64 {
        self.memory.tick()
    }

    /// True if a secret was forgotten that an exchange contains which began at this time: it has
    /// more secrets than the limits allow. It must not be written.
    pub fn has_lost_since(&self, begun: u64) -> bool {
        self.registry.read().forgotten_until >= begun
    }

    /// What is left of the recorded secrets that were forgotten; `None` if none was.
    pub(super) fn forgotten(&self) -> Option<Arc<ForgottenSecrets>> {
        let _ = self.make_fingerprints(None);
        self.registry.read().forgotten.clone()
    }

    /// The number of recorded secrets whose fingerprints were dropped since the last call. Later
    /// exchanges may have them in clear.
    pub fn take_forgotten(&self) -> u64 {
        let _ = self.make_fingerprints(None);
        if self.registry.read().uncounted == 0 {
            return 0;
        }
        std::mem::take(&mut self.registry.write().uncounted)
    }

    /// True if a secret was recorded, other than those of the environment.
    pub fn has_recorded(&self) -> bool {
        self.registry.read().has_recorded()
    }

    /// Forgets what no recording needs. The session stays usable.
    pub fn compact(&self) {
        while self.change_only(Registry::forget_unrecorded) {}
        drop(self.change_only(Registry::restart_index));
        self.tidy_up();
    }

    /// The secret with this digest stands for the recorded one with this placeholder: it has the
    /// same placeholder from now on.
    pub fn adopt(&self, digest: u128, class: &Arc<str>, number: u64) {
        let name = (Arc::clone(class), number);
        self.registry.write().adopt(digest, &name);
    }

    /// The secret with this digest does not stand for the recorded one with this placeholder after
    /// all: it gets one of its own.
    pub fn disown(&self, digest: u128, class: &Arc<str>, number: u64) {
        let name = (Arc::clone(class), number);
        self.registry.write().disown(digest, &name);
    }

    /// Registers a secret that stands for the recorded one with this placeholder.
    pub fn register_as(&self, value: &[u8], class: &Arc<str>, number: u64) {
        self.adopt(self.digest(value), class, number);
        self.get_or_register(
            &UNDECLARED_RULE.into(),
            class,
            value,
            SeenIn::Lookup,
            || true,
        );
    }

    /// The identity of a secret, also if a placeholder stands for it.
    pub fn resolve(&self, identity: &Identity) -> Identity {
        let Identity::Placeholder(class, number) = identity else {
            return identity.clone();
        };
        let owner = self.registry.read().owner(&(Arc::clone(class), *number));
        owner.map_or_else(|| identity.clone(), Identity::Secret)
    }

    /// True if a response of the upstream revealed the secret with this digest, before any client
    /// sent it. The server has made it now, so it is no secret of an earlier recording.
    pub fn is_minted(&self, digest: u128) -> bool {
        let secret = self.registry.read().with_digest(digest).cloned();
        secret.is_some_and(|it| it.is_minted(|| self.told.have(it.value())))
    }

    /// The same for a value.
    pub fn is_minted_value(&self, value: &[u8]) -> bool {
        let secret = self.registry.read().get(value).cloned();
        let is_told = || self.told.have(value);
        secret.map_or_else(is_told, |secret| secret.is_minted(is_told))
    }

    /// The time of the registry. It goes on with each new secret.
    pub fn now(&self) -> u64 {
        self.memory.now()
    }

    /// The placeholder under which the secret with this digest is recorded. A number that a secret
    /// got when it was looked up says nothing of a recording, unless it follows from the secret.
    pub fn recorded_placeholder_of(&self, digest: u128) -> Option<Identity> {
        let name = self.registry.read().recorded_name(digest);
        name.map(|(class, number)| Identity::Placeholder(class, number))
    }

    /// True if the number of this placeholder follows from its secret, so that it is known of any
    /// other secret that it is another one.
    pub fn tells_apart(&self, recorded: &Identity) -> bool {
        let is_keyed =
            matches!(recorded, Identity::Placeholder(_, number) if *number >= FIRST_KEYED);
        is_keyed && self.key.is_some()
    }

    /// True if the secret that is recorded with this number is known to be another value.
    pub fn is_another(&self, value: &[u8], number: u64) -> bool {
        let key = self.key.as_ref().filter(|_| number >= FIRST_KEYED);
        key.is_some_and(|key| key.number(value) != number)
    }

    fn digest(&self, value: &[u8]) -> u128 {
        let [high, low] = self.digest_keys.each_ref().map(|key| key.hash_one(value));
        (u128::from(high) << 64) | u128::from(low)
    }

    /// A known secret is seen again.
    pub(super) fn see(&self, secret: &Secret, place: SeenIn) {
        self.see_at(self.memory.now(), secret, place);
    }

    fn see_at(&self, now: u64, secret: &Secret, place: SeenIn) {
        if self.last_seen.load(Ordering::Relaxed) < now {
            self.last_seen.fetch_max(now, Ordering::Relaxed);
        }
        let is_sent_first = secret.see(now, place);
        if is_sent_first && looks_random(secret.value()) && self.told.have(secret.value()) {
            self.was_told.store(true, Ordering::Release);
        }
    }

    /// Registers a secret that a rule found. It is searched for elsewhere only if
    /// `is_searched_for` returns true.
    pub(super) fn get_or_register(
        &self,
        rule: &Arc<str>,
        class: &str,
        value: &[u8],
        place: SeenIn,
        is_searched_for: impl FnOnce() -> bool,
    ) -> Arc<Secret> {
        if let Some(secret) = self.registry.read().get(value) {
            self.see(secret, place);
            return Arc::clone(secret);
        }
        let kind = SecretKind {
            is_pinned: false,
            is_searched_for: is_searched_for(),
        };
        self.create(rule, class, value, kind, place)
    }

    fn create(
        &self,
        rule: &Arc<str>,
        class: &str,
        value: &[u8],
        kind: SecretKind,
        place: SeenIn,
    ) -> Arc<Secret> {
        let class = if is_class(class) { class } else { "secret" };
        let digest = self.digest(value);
        let number = self.key.as_ref().map(|key| key.number(value));
        self.change(|registry| {
            if let Some(secret) = registry.get(value) {
                self.see(secret, place);
                return Arc::clone(secret);
            }
            let now = self.memory.tick();
            let names = registry.name_for(class, digest, number);
            let secret = Secret::new(Arc::clone(rule), names, (value, digest), (kind, now));
            let secret = Arc::new(secret);
            self.see_at(now, &secret, place);
            if !registry.insert(&secret, self.bounds) && secret.is_recorded() {
                registry.forgotten_until = registry.forgotten_until.max(now);
                registry.keep_fingerprints(&secret);
            }
            secret
        })
    }
}

impl Drop for Secrets {
    fn drop(&mut self) {
        let mut registry = self.registry.write();
        registry.clear();
        self.memory.count(&mut registry);
        drop(registry);
        self.memory.forget_session(&self.minted);
        self.memory.remove(self.told.counted());
    }
}

/// The rule id of secrets that no declared rule found.
const UNDECLARED_RULE: &str = "guard.known-secret";

impl fmt::Debug for Secrets {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Secrets")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}
