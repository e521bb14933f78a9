//! Chooses among the exchanges of a key the one whose secrets are those of the request.

use std::sync::Arc;

use super::bindings::{Bindings, Fit, KnownIdentities};
use super::candidates::Candidates;
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
        candidates: &Candidates<'_>,
        live: &[IdentityUse],
        exhausted: ExhaustedPolicy,
    ) -> LookupResult {
        let chooser = Chooser {
            index: self,
            state,
            positions: candidates.positions,
            live,
        };
        let mut bindings = self.session.bindings().lock();
        if let Some(entry) = chooser.claim_next(&mut bindings, candidates.from) {
            return LookupResult::Hit(match candidates.returned {
                Some(returned) => ClaimedEntry::of_list(&entry, returned),
                None => ClaimedEntry::new(&entry),
            });
        }
        chooser.repeat(&mut bindings, exhausted)
    }

    /// True if the secrets of the request fit those of an exchange with the same key. They stand
    /// for them from now on.
    pub(crate) fn bind(&self, entry: &Entry, live: &Key) -> bool {
        let state = self.state.read();
        let positions = state.all_positions(live);
        let Some(place) = state.place_of(entry, &positions) else {
            return true;
        };
        let chooser = Chooser {
            index: self,
            state: &state,
            positions: &positions,
            live: live.identities(),
        };
        let mut bindings = self.session.bindings().lock();
        let Ok(fit) = chooser.fit(&bindings, positions[place]) else {
            return false;
        };
        let other = chooser.other_fit(&bindings, &fit, place);
        chooser.accept(&mut bindings, &fit, other, entry);
        true
    }

    /// The same for an exchange that takes the place of another one, which is not replayed.
    pub(crate) fn rebind(&self, before: &Entry, entry: &Entry, live: &Key) -> bool {
        if live.identities().is_empty() {
            return true;
        }
        self.unbind(before);
        let state = self.state.read();
        let positions = state.all_positions(live);
        let place = state.place_of(entry, &positions);
        let key = place.and_then(|place| state.entries[positions[place]].1.as_ref());
        let recorded = key.map_or(&[][..], Key::identities);
        self.bind_identities(&state, entry, (live.identities(), recorded))
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
    ) -> bool {
        if identities.0.is_empty() {
            return true;
        }
        let mut bindings = self.session.bindings().lock();
        let is_recorded = |identity: &Identity| state.identities.contains(identity);
        let known = KnownIdentities {
            secrets: self.session.secrets(),
            is_recorded: &is_recorded,
        };
        match bindings.fit(identities, entry.ordinal, &known) {
            Ok(fit) => {
                self.count(&fit, None, entry);
                bindings.bind(&fit, entry.ordinal, self.session.secrets());
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
        let mut uses = live.identities().iter();
        uses.any(|it| bindings.is_new(&it.identity, &known))
    }

    /// Why the secrets of a request do not fit those of an exchange; none if they do.
    pub(super) fn identity_conflict(
        &self,
        state: &IndexState,
        position: usize,
        live: &[IdentityUse],
    ) -> Option<IdentityConflict> {
        let chooser = Chooser {
            index: self,
            state,
            positions: &[],
            live,
        };
        let bindings = self.session.bindings().lock();
        chooser.fit(&bindings, position).err()
    }

    /// Counts a hit for which values of the request were assumed to be secrets.
    pub(crate) fn count_assumed_values(&self) {
        let session = self.session.name();
        tracing::warn!(
            %session,
            "a value of a request is assumed to be a secret, because the recorded request has one \
             in its place"
        );
        let counters = self.session.counters();
        counters.count_defects(Defect::Assumed, ASSUMED_VALUE, 1);
    }

    /// Counts a hit whose secrets stand for others. `other` is an exchange that fits as well.
    fn count(&self, fit: &Fit, other: Option<u64>, entry: &Entry) {
        let counters = self.session.counters();
        if fit.is_renamed {
            counters.count_renamed();
        }
        let Some(other) = other else {
            return;
        };
        let (session, exchange) = (self.session.name(), entry.ordinal);
        tracing::warn!(
            %session,
            "exchange {exchange} is replayed on an assumption: {}; the secret of exchange {other} \
             fits as well",
            fit.description()
        );
        counters.count_defects(Defect::Assumed, ASSUMED, 1);
    }
}

/// The choice for one request.
struct Chooser<'a> {
    index: &'a Index,
    state: &'a IndexState,
    positions: &'a [usize],
    live: &'a [IdentityUse],
}

impl Chooser<'_> {
    fn claim_next(&self, bindings: &mut Bindings, from: usize) -> Option<Arc<Entry>> {
        for (place, position) in self.positions.iter().enumerate().skip(from) {
            let (entry, _) = &self.state.entries[*position];
            if entry.is_used() {
                continue;
            }
            let Ok(fit) = self.fit(bindings, *position) else {
                continue;
            };
            if !entry.claim_first() {
                continue;
            }
            let other = self.other_fit(bindings, &fit, place);
            self.accept(bindings, &fit, other, entry);
            return Some(Arc::clone(entry));
        }
        None
    }

    fn repeat(&self, bindings: &mut Bindings, exhausted: ExhaustedPolicy) -> LookupResult {
        let latest_first = self.positions.iter().enumerate().rev();
        let mut conflict = None;
        for (place, position) in latest_first {
            let (entry, _) = &self.state.entries[*position];
            match self.fit(bindings, *position) {
                Ok(fit) if exhausted.repeats(entry) => {
                    entry.count_replay();
                    let other = self.other_fit(bindings, &fit, place);
                    self.accept(bindings, &fit, other, entry);
                    return LookupResult::Hit(ClaimedEntry::repeated(entry));
                }
                Ok(_) => return LookupResult::Exhausted(self.fitting(bindings)),
                // The first one in the order of the recording is reported.
                Err(found) => conflict = Some(found),
            }
        }
        conflict.map_or(LookupResult::NotFound, LookupResult::OtherIdentity)
    }

    fn fitting(&self, bindings: &Bindings) -> usize {
        let fits = |position: &&usize| self.fit(bindings, **position).is_ok();
        self.positions.iter().filter(fits).count()
    }

    fn fit(&self, bindings: &Bindings, position: usize) -> Result<Fit, IdentityConflict> {
        let (entry, key) = &self.state.entries[position];
        let recorded = key.as_ref().map_or(&[][..], Key::identities);
        let is_recorded = |identity: &Identity| self.state.identities.contains(identity);
        let known = KnownIdentities {
            secrets: self.index.session.secrets(),
            is_recorded: &is_recorded,
        };
        bindings.fit((self.live, recorded), entry.ordinal, &known)
    }

    /// The number of another exchange with other secrets that fit as well, if it is not known which
    /// of them are those of the request.
    fn other_fit(&self, bindings: &Bindings, fit: &Fit, chosen: usize) -> Option<u64> {
        if !fit.is_guess() {
            return None;
        }
        let identities = |position: usize| {
            let (_, key) = &self.state.entries[position];
            key.as_ref().map_or(&[][..], Key::identities)
        };
        let own = identities(self.positions[chosen]);
        let is_other = |position: &usize| {
            let other = identities(*position);
            let mut pairs = own.iter().zip(other);
            pairs.any(|(own, other)| own.identity != other.identity)
                && self.fit(bindings, *position).is_ok()
        };
        let mut positions = self.positions.iter().copied();
        let other = positions.find(is_other)?;
        Some(self.state.entries[other].0.ordinal)
    }

    fn accept(&self, bindings: &mut Bindings, fit: &Fit, other: Option<u64>, entry: &Entry) {
        self.index.count(fit, other, entry);
        bindings.bind(fit, entry.ordinal, self.index.session.secrets());
    }
}

/// The reason in a verdict.
const ASSUMED: &str = "secrets of several recorded requests fit; the first in the order of the \
                       recording was taken";

/// The same for values that no rule names.
const ASSUMED_VALUE: &str = "a value was taken for the secret that the recorded request has in its \
                             place";
