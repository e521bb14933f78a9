//! Chooses among the exchanges of a key the one whose secrets are those of the request.

use super::bindings::{Bindings, Fit, KnownIdentities};
use super::candidates::Sources;
use super::chooser::{Choice, Chooser};
use super::claimed_entry::ClaimedEntry;
use super::entry::Entry;
use super::index::{ExhaustedPolicy, Index, IndexState, LookupResult};
use ouli_codec::identity::Identity;
use ouli_config::Defect;
use ouli_matching::key::{IdentityUse, Key};
use ouli_matching::miss::IdentityConflict;

impl Index {
    /// Claims the first of these exchanges whose secrets are those of the request, in the order of
    /// the recording. The secrets of the request stand for those of the exchange from then on. If
    /// all were replayed, the last one may be repeated.
    pub(super) fn choose(
        &self,
        state: &IndexState,
        sources: &Sources<'_>,
        live: &[IdentityUse],
        exhausted: ExhaustedPolicy,
    ) -> LookupResult {
        let mut bindings = self.session.bindings().lock();
        let chooser = self.chooser((state, &bindings), live);
        let choice = chooser.choose(sources, &mut self.lock_cursors(state), exhausted);
        match choice {
            Choice::Claimed(chosen) => {
                let entry = &state.entries[chosen.position].0;
                self.accept(&mut bindings, (&chosen.fit, chosen.other), entry);
                LookupResult::Hit(self.claimed(entry, chosen.position))
            }
            Choice::Repeated(chosen) => {
                let entry = &state.entries[chosen.position].0;
                self.accept(&mut bindings, (&chosen.fit, chosen.other), entry);
                let uses = self.session.entries.uses();
                LookupResult::Hit(ClaimedEntry::repeated(entry, uses))
            }
            Choice::Exhausted(count) => LookupResult::Exhausted(count),
            Choice::Conflict(conflict) => LookupResult::OtherIdentity(conflict),
            Choice::NotFound => LookupResult::NotFound,
        }
    }

    /// The positions of all exchanges whose secrets are those of the request, in recorded order.
    /// An error if there are none, but some with other secrets.
    pub(super) fn all_fitting(
        &self,
        state: &IndexState,
        sources: &Sources<'_>,
        live: &[IdentityUse],
    ) -> Result<Vec<usize>, IdentityConflict> {
        let bindings = self.session.bindings().lock();
        let chooser = self.chooser((state, &bindings), live);
        chooser.all_fitting(sources, &mut self.lock_cursors(state))
    }

    /// True if the secrets of the request fit those of an exchange with the same key. They stand
    /// for them from now on.
    pub(crate) fn bind(&self, entry: &Entry, live: &Key) -> bool {
        let state = self.state.read();
        let Some(position) = state.position_of(entry, live) else {
            return true;
        };
        let mut bindings = self.session.bindings().lock();
        let chooser = self.chooser((&state, &bindings), live.identities());
        let sources = Sources::of_key(state.groups(live.hash()).collect());
        let chosen = chooser.fit_at(position, &sources, &mut self.lock_cursors(&state));
        let Ok(chosen) = chosen else {
            return false;
        };
        self.accept(&mut bindings, (&chosen.fit, chosen.other), entry);
        true
    }

    /// The same for an exchange that takes the place of another one, which is not replayed.
    pub(crate) fn rebind(&self, before: &Entry, entry: &Entry, live: &Key) -> bool {
        if live.identities().is_empty() {
            return true;
        }
        self.unbind(before);
        let state = self.state.read();
        let position = state.position_of(entry, live);
        let key = position.and_then(|position| state.entries[position].1.as_ref());
        let recorded = key.map_or(&[][..], Key::identities);
        self.bind_identities(&state, entry, (live.identities(), recorded), &[])
    }

    /// Secrets that began to stand for those of an exchange which is not replayed after all do not
    /// stand for them any more.
    pub(crate) fn unbind(&self, entry: &Entry) {
        let mut bindings = self.session.bindings().lock();
        bindings.unbind(entry.ordinal, self.session.secrets());
    }

    /// Binds the identities in equal places. False if they do not fit.
    pub(super) fn bind_identities(
        &self,
        state: &IndexState,
        entry: &Entry,
        identities: (&[IdentityUse], &[IdentityUse]),
        others: &[(u64, &[IdentityUse])],
    ) -> bool {
        if identities.0.is_empty() {
            return true;
        }
        let in_messages = self.message_identities.read();
        let is_recorded = |identity: &Identity| {
            state.identities.contains(identity) || in_messages.contains(identity)
        };
        let mut bindings = self.session.bindings().lock();
        let known = KnownIdentities {
            secrets: self.session.secrets(),
            is_recorded: &is_recorded,
        };
        match bindings.fit(identities, entry.ordinal, &known) {
            Ok(fit) => {
                let (live, recorded) = identities;
                let is_other = |(ordinal, uses): &&(u64, &[IdentityUse])| {
                    let mut pairs = recorded.iter().zip(*uses);
                    pairs.any(|(own, other)| own.identity != other.identity)
                        && bindings.fit((live, uses), *ordinal, &known).is_ok()
                };
                let other = others.iter().filter(|_| fit.is_guess()).find(is_other);
                let other = other.map(|(ordinal, _)| *ordinal);
                self.accept(&mut bindings, (&fit, other), entry);
                true
            }
            Err(_) => false,
        }
    }

    /// True if it is not known what a secret of a request stands for. A response that is still to
    /// be recorded may tell.
    pub(crate) fn has_new_secret(&self, live: &Key) -> bool {
        if live.identities().is_empty() {
            return false;
        }
        let state = self.state.read();
        let is_recorded = |identity: &Identity| state.identities.contains(identity);
        let known = KnownIdentities {
            secrets: self.session.secrets(),
            is_recorded: &is_recorded,
        };
        let bindings = self.session.bindings().lock();
        let uses = live.identities().iter().map(|it| &it.identity);
        // No server makes up what its client does.
        let mut secrets = uses.filter(|it| !it.is_minted());
        secrets.any(|secret| bindings.is_new(secret, &known))
    }

    /// The secrets of a request are sent to the upstream, which may repeat them in its responses.
    pub(crate) fn send_secrets(&self, live: &Key) {
        let secrets = self.session.secrets();
        for used in live.identities() {
            if let Identity::Secret(digest) = secrets.resolve(&used.identity) {
                secrets.send(digest);
            }
        }
    }

    fn chooser<'a>(
        &'a self,
        (state, bindings): (&'a IndexState, &'a Bindings),
        live: &'a [IdentityUse],
    ) -> Chooser<'a> {
        let (secrets, uses) = (self.session.secrets(), self.session.entries.uses());
        Chooser::new((secrets, uses), (state, bindings), live)
    }

    /// Why the secrets of a request do not fit those of an exchange; none if they do.
    pub(super) fn identity_conflict(
        &self,
        state: &IndexState,
        position: usize,
        live: &[IdentityUse],
    ) -> Option<IdentityConflict> {
        let bindings = self.session.bindings().lock();
        let chooser = self.chooser((state, &bindings), live);
        chooser.fit(position).err()
    }

    /// Counts a hit for which values of the request were assumed to be secrets: those that its key
    /// has and `before` does not.
    pub(crate) fn count_assumed_values(&self, key: &Key, before: &Key) {
        let session = self.session.name();
        tracing::warn!(
            %session,
            "a value of a request is assumed to be a secret, because the recorded request has one \
             in its place"
        );
        let (counters, secrets) = (self.session.counters(), self.session.secrets());
        counters.count_defects(Defect::Assumed, ASSUMED_VALUE, 1);
        for used in key.identities() {
            let is_known = before.identities().iter().any(|it| it.place == used.place);
            if let (Identity::Secret(digest), false) = (&used.identity, is_known)
                && let Some(Identity::Placeholder(class, number)) =
                    secrets.recorded_placeholder_of(*digest)
            {
                let taken = format!("the value in {} is taken for <{class}-{number}>", used.part);
                counters.count_renaming(taken);
            }
        }
    }

    /// The secrets of the request stand for those of an exchange. Another one, `other`, may fit as
    /// well.
    fn accept(&self, bindings: &mut Bindings, (fit, other): (&Fit, Option<u64>), entry: &Entry) {
        self.count(fit, other, entry);
        bindings.bind(fit, entry.ordinal, self.session.secrets());
    }

    /// Counts a hit whose secrets stand for others. `other` is an exchange that fits as well.
    fn count(&self, fit: &Fit, other: Option<u64>, entry: &Entry) {
        let counters = self.session.counters();
        if fit.is_renamed {
            counters.count_renamed();
        }
        for description in fit.descriptions() {
            let since = format!("{description} since exchange {}", entry.ordinal);
            counters.count_renaming(match other {
                Some(other) => format!("{since}; assumed, that of exchange {other} fits as well"),
                None => since,
            });
        }
        let Some(other) = other else {
            return;
        };
        let (session, exchange) = (self.session.name(), entry.ordinal);
        tracing::warn!(
            %session,
            "exchange {exchange} is replayed on an assumption: {}; the secret of exchange {other} \
             fits as well",
            fit.descriptions().collect::<Vec<_>>().join(", ")
        );
        counters.count_defects(Defect::Assumed, ASSUMED, 1);
    }
}

/// The reason in a verdict.
const ASSUMED: &str = "secrets of several recorded requests fit; the first in the order of the \
                       recording was taken";

/// The same for values that no rule names.
const ASSUMED_VALUE: &str = "a value was taken for the secret that the recorded request has in its \
                             place";
