//! The choice among the exchanges of a key for one request, by its secrets.

use super::bindings::{Bindings, Fit, KnownIdentities, Standing};
use super::candidates::{Candidates, Sources};
use super::cursors::Cursors;
use super::identity_lists::Narrowed;
use super::index::{ExhaustedPolicy, IndexState};
use super::uses::Uses;
use ouli_codec::identity::Identity;
use ouli_matching::key::{IdentityUse, Key};
use ouli_matching::miss::IdentityConflict;
use ouli_redaction::Secrets;

/// The choice for one request.
pub(super) struct Chooser<'a> {
    secrets: &'a Secrets,
    uses: &'a Uses,
    state: &'a IndexState,
    bindings: &'a Bindings,
    live: &'a [IdentityUse],
}

/// An exchange whose secrets are those of the request.
pub(super) struct Chosen {
    pub(super) position: usize,
    pub(super) fit: Fit,
    /// The number of another exchange with other secrets that fit as well, if it is not known which
    /// of them are those of the request.
    pub(super) other: Option<u64>,
}

/// What is chosen.
pub(super) enum Choice {
    Claimed(Chosen),
    Repeated(Chosen),
    /// All were replayed, and none is repeated; their number.
    Exhausted(usize),
    /// None has the secrets of the request.
    Conflict(IdentityConflict),
    /// There are no exchanges.
    NotFound,
}

impl<'a> Chooser<'a> {
    pub(super) fn new(
        (secrets, uses): (&'a Secrets, &'a Uses),
        (state, bindings): (&'a IndexState, &'a Bindings),
        live: &'a [IdentityUse],
    ) -> Self {
        Self {
            secrets,
            uses,
            state,
            bindings,
            live,
        }
    }

    /// Claims the first exchange with the secrets of the request, or repeats the last one.
    pub(super) fn choose(
        &self,
        sources: &Sources<'a>,
        cursors: &mut Cursors,
        exhausted: ExhaustedPolicy,
    ) -> Choice {
        let narrowed = self.narrow(sources, cursors);
        if let Some((position, fit)) = self.claim_next(&narrowed, cursors) {
            return Choice::Claimed(self.chosen(position, fit, &narrowed));
        }
        let is_free = |identity: &Identity| self.bindings.is_free(identity);
        for position in Candidates::latest_first(&narrowed, &is_free) {
            let (entry, _) = &self.state.entries[position];
            let Some(fit) = self.fit(position).ok().filter(|_| self.uses.has(entry)) else {
                continue;
            };
            if !exhausted.repeats(entry) {
                return Choice::Exhausted(self.fitting(&narrowed).count());
            }
            self.uses.count_replay(entry);
            return Choice::Repeated(self.chosen(position, fit, &narrowed));
        }
        // The first one in the order of the recording is reported.
        let conflict = sources.first().and_then(|first| self.fit(first).err());
        conflict.map_or(Choice::NotFound, Choice::Conflict)
    }

    /// All positions with the secrets of the request, in recorded order.
    pub(super) fn all_fitting(
        &self,
        sources: &Sources<'a>,
        cursors: &mut Cursors,
    ) -> Result<Vec<usize>, IdentityConflict> {
        let narrowed = self.narrow(sources, cursors);
        let found: Vec<_> = self.fitting(&narrowed).collect();
        let conflict = || sources.first().and_then(|first| self.fit(first).err());
        match found.is_empty().then(conflict).flatten() {
            Some(conflict) => Err(conflict),
            None => Ok(found),
        }
    }

    /// The exchange at a position, if it has the secrets of the request.
    pub(super) fn fit_at(
        &self,
        position: usize,
        sources: &Sources<'a>,
        cursors: &mut Cursors,
    ) -> Result<Chosen, IdentityConflict> {
        let fit = self.fit(position)?;
        let narrowed = self.narrow(sources, cursors);
        Ok(self.chosen(position, fit, &narrowed))
    }

    /// How the secrets of the request fit those of the exchange at a position.
    pub(super) fn fit(&self, position: usize) -> Result<Fit, IdentityConflict> {
        let (entry, _) = &self.state.entries[position];
        let uses = (self.live, self.identities(position));
        let is_recorded = |identity: &Identity| self.state.identities.contains(identity);
        let known = KnownIdentities {
            secrets: self.secrets,
            is_recorded: &is_recorded,
        };
        self.bindings.fit(uses, entry.ordinal, &known)
    }

    fn identities(&self, position: usize) -> &'a [IdentityUse] {
        let (_, key) = &self.state.entries[position];
        key.as_ref().map_or(&[][..], Key::identities)
    }

    /// The lists of all exchanges that may have the secrets of the request.
    fn narrow<'s>(&self, sources: &'s Sources<'a>, cursors: &mut Cursors) -> Vec<Narrowed<'s>> {
        let standings = self.standings();
        let is_free = |identity: &Identity| self.bindings.is_free(identity);
        let free = (
            self.bindings.undone(),
            &is_free as &dyn Fn(&Identity) -> bool,
        );
        let groups = sources.groups.iter().map(|group| {
            let lists = group.identities();
            let narrowed = lists.narrow(self.live, &standings, cursors, free);
            narrowed.unwrap_or_else(|| Narrowed::of(group.list()))
        });
        groups.chain([Narrowed::of(&sources.others)]).collect()
    }

    /// What the identities of the request stand for.
    fn standings(&self) -> Vec<Standing> {
        let is_recorded = |identity: &Identity| self.state.identities.contains(identity);
        let known = KnownIdentities {
            secrets: self.secrets,
            is_recorded: &is_recorded,
        };
        let live = self.live.iter();
        live.map(|it| self.bindings.standing(&it.identity, &known))
            .collect()
    }

    fn claim_next(&self, narrowed: &[Narrowed<'_>], cursors: &mut Cursors) -> Option<(usize, Fit)> {
        let is_free = |identity: &Identity| self.bindings.is_free(identity);
        let is_used = |position: usize| self.uses.is_used(&self.state.entries[position].0);
        let mut candidates = Candidates::new(narrowed, &is_free, Some((cursors, &is_used)));
        candidates.find_map(|position| {
            let fit = self.fit(position).ok()?;
            let (entry, _) = &self.state.entries[position];
            self.uses.claim_first(entry).then_some((position, fit))
        })
    }

    fn chosen(&self, position: usize, fit: Fit, narrowed: &[Narrowed<'_>]) -> Chosen {
        let other = match fit.is_guess() {
            true => self.other_fit(position, narrowed),
            false => None,
        };
        Chosen {
            position,
            fit,
            other,
        }
    }

    fn other_fit(&self, chosen: usize, narrowed: &[Narrowed<'_>]) -> Option<u64> {
        let own = self.identities(chosen);
        let is_other = |position: &usize| {
            let mut pairs = own.iter().zip(self.identities(*position));
            pairs.any(|(own, other)| own.identity != other.identity) && self.fit(*position).is_ok()
        };
        let is_free = |identity: &Identity| self.bindings.is_free(identity);
        let other = Candidates::new(narrowed, &is_free, None).find(is_other)?;
        Some(self.state.entries[other].0.ordinal)
    }

    /// All positions of the lists with the secrets of the request.
    fn fitting<'s>(&'s self, narrowed: &'s [Narrowed<'_>]) -> impl Iterator<Item = usize> {
        let known = narrowed.iter().flat_map(|it| it.known.iter().copied());
        let free = narrowed.iter().flat_map(|it| it.free);
        let free = free.filter(|it| self.bindings.is_free(&it.identity));
        let lists = known.chain(free.map(|it| &it.list));
        let positions = lists.flat_map(|list| list.positions().iter().copied());
        let has = |position: usize| self.uses.has(&self.state.entries[position].0);
        let fitting = positions.filter(|it| has(*it) && self.fit(*it).is_ok());
        let mut fitting: Vec<_> = fitting.collect();
        fitting.sort_unstable();
        fitting.into_iter()
    }
}
