//! Which secret of this run stands for which recorded one: one to one, from its first use on. The
//! same holds for values that clients make up, which are told by the digest of their value.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::identity_texts::{kind, quoted, shape_conflict, shown};
use ouli_codec::identity::Identity;
use ouli_matching::key::IdentityUse;
use ouli_matching::miss::IdentityConflict;
use ouli_redaction::Secrets;
use xxhash_rust::xxh3::xxh3_128;

/// The secrets that stand for recorded ones.
#[derive(Default)]
pub(super) struct Bindings {
    /// The recorded identity that a secret stands for.
    by_secret: HashMap<u128, Identity>,
    by_recorded: HashMap<Identity, Bound>,
    /// A value that a client made up stands for another one.
    renamed_minted: bool,
    /// The number of bindings that were undone.
    undone: u64,
}

/// What an identity of a request stands for, before the request is compared with a recorded one.
/// A recorded request that fits has this identity in its place, or the same one as the request, or
/// none at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// For itself alone: it is no secret.
    Itself,
    /// For this recorded identity, since it was used first.
    Bound(Identity),
    /// For this recorded identity, which it is, unless another secret of the request does.
    Exact(Identity),
    /// For any recorded identity that no secret stands for yet.
    Free,
}

/// A secret that stands for a recorded one, and where it did so first.
struct Bound {
    secret: u128,
    /// The number of the exchange.
    exchange: u64,
    part: Arc<str>,
    /// It is another one than the recorded one, as far as is known.
    is_renamed: bool,
    /// The value itself, if the client made it up.
    minted: Option<Arc<str>>,
}

/// How the secrets of a request fit those of a recorded one.
#[derive(Default)]
pub(super) struct Fit {
    new: Vec<NewBinding>,
    /// The places in `new` by secret, and the recorded identities in it.
    by_secret: HashMap<u128, usize>,
    taken: HashSet<Identity>,
    /// A secret stands for another one.
    pub(super) is_renamed: bool,
}

/// A secret that begins to stand for a recorded one.
struct NewBinding {
    secret: u128,
    recorded: Identity,
    part: Arc<str>,
    is_renamed: bool,
    minted: Option<Arc<str>>,
}

/// What is known of the identities of a session.
pub(super) struct KnownIdentities<'a> {
    pub(super) secrets: &'a Secrets,
    /// True if an identity is in a recorded request.
    pub(super) is_recorded: &'a dyn Fn(&Identity) -> bool,
}

impl KnownIdentities<'_> {
    /// The recorded identity that is this value itself.
    fn exact(&self, secret: u128, own: &Identity) -> Option<Identity> {
        if own.is_minted() {
            return (self.is_recorded)(own).then(|| own.clone());
        }
        let own = Identity::Secret(secret);
        if (self.is_recorded)(&own) {
            return Some(own);
        }
        let placeholder = self.secrets.recorded_placeholder_of(secret)?;
        (self.is_recorded)(&placeholder).then_some(placeholder)
    }
}

impl Bindings {
    /// How the identities of a live request fit those of a recorded one with the same key.
    pub(super) fn fit(
        &self,
        (live, recorded): (&[IdentityUse], &[IdentityUse]),
        exchange: u64,
        known: &KnownIdentities<'_>,
    ) -> Result<Fit, IdentityConflict> {
        let mut fit = Fit::default();
        for (live, recorded) in pairs(live, recorded) {
            let part = &recorded.part;
            let conflict = |reason| IdentityConflict {
                part: part.to_string(),
                exchange,
                reason,
                is_minted: recorded.identity.is_minted(),
            };
            let (own, other) = (&live.identity, &recorded.identity);
            if own == other && !own.is_minted() {
                continue;
            }
            let Some(secret) = digest(own, known.secrets) else {
                let reason = format!("it has {}, not {}", shown(own), shown(other));
                return Err(conflict(reason));
            };
            if let Some(reason) = shape_conflict(own, other) {
                return Err(conflict(reason));
            }
            let bound = self.bound((secret, own), &fit, known);
            match bound {
                Some(bound) if bound == *other => {
                    self.extend(&mut fit, (secret, own, other, part), known);
                }
                Some(bound) => return Err(conflict(self.other_binding(&bound, other))),
                None if self.is_taken(other, &fit) => {
                    return Err(conflict(self.taken_by_another(other)));
                }
                None if known.secrets.is_minted(secret) => {
                    return Err(conflict(MINTED.to_owned()));
                }
                None if known.secrets.tells_apart(other) => {
                    let recorded = shown(other);
                    return Err(conflict(format!("its secret is not {recorded}, {BY_KEY}")));
                }
                None => {
                    self.extend(&mut fit, (secret, own, other, part), known);
                }
            }
        }
        Ok(fit)
    }

    /// True if it is not known yet what a secret stands for.
    pub(super) fn is_new(&self, own: &Identity, known: &KnownIdentities<'_>) -> bool {
        matches!(self.standing(own, known), Standing::Free)
    }

    /// What an identity of a live request stands for. Agrees with [`Self::fit`].
    pub(super) fn standing(&self, own: &Identity, known: &KnownIdentities<'_>) -> Standing {
        let Some(secret) = digest(own, known.secrets) else {
            return Standing::Itself;
        };
        if let Some(bound) = self.by_secret.get(&secret) {
            return Standing::Bound(bound.clone());
        }
        match known.exact(secret, own).filter(|exact| self.is_free(exact)) {
            Some(exact) => Standing::Exact(exact),
            None if known.secrets.is_minted(secret) => Standing::Itself,
            None => Standing::Free,
        }
    }

    /// The number of bindings that were undone.
    pub(super) fn undone(&self) -> u64 {
        self.undone
    }

    /// The secrets of a fit stand for the recorded ones from now on.
    pub(super) fn bind(&mut self, fit: &Fit, exchange: u64, secrets: &Secrets) {
        for new in &fit.new {
            self.renamed_minted |= new.is_renamed && new.minted.is_some();
            self.by_secret.insert(new.secret, new.recorded.clone());
            let bound = Bound {
                secret: new.secret,
                exchange,
                part: Arc::clone(&new.part),
                is_renamed: new.is_renamed,
                minted: new.minted.clone(),
            };
            self.by_recorded.insert(new.recorded.clone(), bound);
            if let (Identity::Placeholder(class, number), None) = (&new.recorded, &new.minted) {
                secrets.adopt(new.secret, class, *number);
            }
        }
    }

    /// True if no secret stands for a recorded one yet.
    pub(super) fn is_free(&self, recorded: &Identity) -> bool {
        !self.by_recorded.contains_key(recorded)
    }

    /// Undoes the bindings that began with an exchange which was not replayed after all.
    pub(super) fn unbind(&mut self, exchange: u64, secrets: &Secrets) {
        let began_with = |bound: &Bound| bound.exchange == exchange;
        for (recorded, bound) in self.by_recorded.extract_if(|_, bound| began_with(bound)) {
            self.by_secret.remove(&bound.secret);
            self.undone += 1;
            let is_secret = bound.is_renamed && bound.minted.is_none();
            if let (true, Identity::Placeholder(class, number)) = (is_secret, recorded) {
                secrets.disown(bound.secret, &class, number);
            }
        }
    }

    /// True if a value that a client made up stands for another one.
    pub(super) fn renames_minted(&self) -> bool {
        self.renamed_minted
    }

    /// True if a value stands for another one.
    pub(super) fn renames(&self, own: &Identity, secrets: &Secrets) -> bool {
        let recorded = digest(own, secrets).and_then(|it| self.by_secret.get(&it));
        let bound = recorded.and_then(|recorded| self.by_recorded.get(recorded));
        bound.is_some_and(|bound| bound.is_renamed)
    }

    /// The value of this run that stands for a recorded one that a client made up, if it is another
    /// one.
    pub(super) fn value_for(&self, recorded: &Arc<str>) -> Option<Arc<str>> {
        let bound = self
            .by_recorded
            .get(&Identity::Minted(Arc::clone(recorded)))?;
        bound.minted.clone().filter(|value| value != recorded)
    }

    /// The values of this run that stand for recorded ones that a client made up.
    pub(super) fn minted_values(&self) -> HashSet<Arc<str>> {
        let bound = self.by_recorded.values();
        bound.filter_map(|bound| bound.minted.clone()).collect()
    }

    /// The recorded value for which one of this run stands, if it is another one.
    pub(super) fn recorded_for(&self, own: &Arc<str>) -> Option<Arc<str>> {
        let recorded = self.by_secret.get(&xxh3_128(own.as_bytes()))?;
        let recorded = recorded.minted_value()?;
        (recorded != own).then(|| Arc::clone(recorded))
    }

    /// Where a value began to stand for a recorded one that a client made up.
    pub(super) fn origin_of(&self, recorded: &Arc<str>) -> Option<String> {
        let bound = self
            .by_recorded
            .get(&Identity::Minted(Arc::clone(recorded)))?;
        let (exchange, part, value) = (bound.exchange, &bound.part, bound.minted.as_ref()?);
        Some(format!(
            "{} stands for its {} since exchange {exchange} ({part})",
            quoted(value),
            quoted(recorded)
        ))
    }

    /// What a secret stands for, in the bindings and in this fit.
    fn bound(
        &self,
        (secret, own): (u128, &Identity),
        fit: &Fit,
        known: &KnownIdentities<'_>,
    ) -> Option<Identity> {
        if let Some(bound) = self.by_secret.get(&secret) {
            return Some(bound.clone());
        }
        if let Some(place) = fit.by_secret.get(&secret) {
            return Some(fit.new[*place].recorded.clone());
        }
        // The secret of an earlier run may have been replaced by another one in this run.
        let exact = known.exact(secret, own)?;
        (!self.is_taken(&exact, fit)).then_some(exact)
    }

    fn is_taken(&self, recorded: &Identity, fit: &Fit) -> bool {
        self.by_recorded.contains_key(recorded) || fit.taken.contains(recorded)
    }

    fn extend(
        &self,
        fit: &mut Fit,
        (secret, own, recorded, part): (u128, &Identity, &Identity, &Arc<str>),
        known: &KnownIdentities<'_>,
    ) {
        if let Some(bound) = self
            .by_recorded
            .get(recorded)
            .filter(|it| it.secret == secret)
        {
            fit.is_renamed |= bound.is_renamed;
            return;
        }
        if fit.by_secret.contains_key(&secret) {
            return;
        }
        let is_renamed = known.exact(secret, own).as_ref() != Some(recorded);
        fit.is_renamed |= is_renamed;
        fit.by_secret.insert(secret, fit.new.len());
        fit.taken.insert(recorded.clone());
        fit.new.push(NewBinding {
            secret,
            recorded: recorded.clone(),
            part: Arc::clone(part),
            is_renamed,
            minted: own.minted_value().cloned(),
        });
    }

    fn other_binding(&self, bound: &Identity, recorded: &Identity) -> String {
        let (bound_name, recorded, kind) = (shown(bound), shown(recorded), kind(bound));
        match self.by_recorded.get(bound) {
            Some(Bound { exchange, part, .. }) => format!(
                "its {kind} stands for {bound_name} since exchange {exchange} ({part}), and this \
                 one has {recorded}"
            ),
            None => format!("its {kind} is {bound_name}, and this one has {recorded}"),
        }
    }

    fn taken_by_another(&self, recorded: &Identity) -> String {
        let (name, kind) = (shown(recorded), kind(recorded));
        match self.by_recorded.get(recorded) {
            Some(Bound { exchange, part, .. }) => {
                format!("another {kind} stands for {name} since exchange {exchange} ({part})")
            }
            None => format!("another {kind} of the request stands for {name}"),
        }
    }
}

impl Fit {
    /// True if a secret begins to stand for another one. What a client makes up is new by its
    /// definition: the recorded ones follow each other.
    pub(super) fn is_guess(&self) -> bool {
        let is_secret = |new: &NewBinding| new.minted.is_none();
        self.new.iter().any(|new| new.is_renamed && is_secret(new))
    }

    /// What the secrets that begin to stand for others are in, and what they stand for.
    pub(super) fn descriptions(&self) -> impl Iterator<Item = String> {
        let is_secret = |new: &&NewBinding| new.is_renamed && new.minted.is_none();
        self.new.iter().filter(is_secret).map(|new| {
            let recorded = shown(&new.recorded);
            format!("the secret in {} stands for {recorded}", new.part)
        })
    }
}

/// Why a secret stands for no recorded one.
const MINTED: &str =
    "the server made its secret in this run, so it is none that was recorded before";

/// How it is known that a secret is another one.
const BY_KEY: &str = "as the key in `OULI_REDACTION_KEY` tells; send the recorded one, or replay \
                      without the key if another one may stand for it";

/// The identities in the same places. Both are sorted by place.
fn pairs<'a>(
    live: &'a [IdentityUse],
    recorded: &'a [IdentityUse],
) -> impl Iterator<Item = (&'a IdentityUse, &'a IdentityUse)> {
    let mut rest = recorded;
    live.iter().filter_map(move |live| {
        while let [first, others @ ..] = rest {
            if first.place > live.place {
                break;
            }
            rest = others;
            if first.place == live.place {
                return Some((live, first));
            }
        }
        None
    })
}

/// The digest of a value that stands for a recorded one; none for a placeholder whose secret is not
/// known.
fn digest(own: &Identity, secrets: &Secrets) -> Option<u128> {
    match secrets.resolve(own) {
        Identity::Secret(digest) => Some(digest),
        Identity::Minted(value) => Some(xxh3_128(value.as_bytes())),
        Identity::Placed(place, value) => Some(place ^ xxh3_128(value.as_bytes())),
        Identity::Placeholder(..) => None,
    }
}
