//! The exchanges of a key by the identities in their requests, so that a request is compared with
//! those alone that may have its secrets.

use std::collections::HashMap;

use super::bindings::Standing;
use super::cursors::Cursors;
use super::position_list::{ListIds, PositionList};
use ouli_codec::identity::Identity;
use ouli_matching::key::IdentityUse;

/// Places by which exchanges are listed. Requests with more of them are told apart by these first.
const MAX_PLACES: usize = 4;

/// The lists of one key.
#[derive(Clone, Debug, Default)]
pub(super) struct IdentityLists {
    places: Vec<PlaceLists>,
}

/// The exchanges by the identity in one place of their requests.
#[derive(Clone, Debug)]
struct PlaceLists {
    place: u128,
    /// The place in `lists` of each identity.
    by_identity: HashMap<Identity, usize>,
    /// In the order of their first exchanges.
    lists: Vec<IdentityList>,
    /// The exchanges without an identity in this place.
    without: PositionList,
}

/// The exchanges with one identity.
#[derive(Clone, Debug)]
pub(super) struct IdentityList {
    pub(super) identity: Identity,
    pub(super) list: PositionList,
}

/// Lists that have all exchanges which may have the secrets of a request, each in one of them.
#[derive(Debug, Default)]
pub(super) struct Narrowed<'a> {
    /// In any order.
    pub(super) known: Vec<&'a PositionList>,
    /// Those of identities that may be free, in the order of their first exchanges.
    pub(super) free: &'a [IdentityList],
}

impl IdentityLists {
    /// Adds an exchange to the others of the key.
    pub(super) fn add(
        &mut self,
        position: usize,
        uses: &[IdentityUse],
        others: &[usize],
        ids: &mut ListIds,
    ) {
        for identity_use in uses {
            let is_known = self.places.iter().any(|it| it.place == identity_use.place);
            if !is_known && self.places.len() < MAX_PLACES {
                self.places.push(PlaceLists {
                    place: identity_use.place,
                    by_identity: HashMap::new(),
                    lists: Vec::new(),
                    without: PositionList::with(ids.next(), others.to_vec()),
                });
            }
        }
        for lists in &mut self.places {
            match uses.iter().find(|it| it.place == lists.place) {
                Some(found) => lists.list_of(&found.identity, ids).push(position),
                None => lists.without.push(position),
            }
        }
    }

    /// The lists that have an exchange with these identities.
    pub(super) fn lists_of<'a>(
        &'a self,
        uses: &'a [IdentityUse],
    ) -> impl Iterator<Item = &'a PositionList> {
        self.places.iter().filter_map(|lists| {
            match uses.iter().find(|it| it.place == lists.place) {
                Some(found) => lists.get(&found.identity),
                None => Some(&lists.without),
            }
        })
    }

    /// The fewest lists for a request with these identities, and what each of them stands for. None
    /// if they tell nothing.
    pub(super) fn narrow(
        &self,
        live: &[IdentityUse],
        standings: &[Standing],
        cursors: &mut Cursors,
        (undone, is_free): (u64, &dyn Fn(&Identity) -> bool),
    ) -> Option<Narrowed<'_>> {
        let has_free = standings.iter().any(|it| matches!(it, Standing::Free));
        let narrowed = live.iter().zip(standings).filter_map(|(live, standing)| {
            let lists = self.places.iter().find(|it| it.place == live.place)?;
            let own = &live.identity;
            match standing {
                Standing::Itself => Some(lists.with([Some(own), None])),
                Standing::Bound(recorded) => Some(lists.with([Some(own), Some(recorded)])),
                // Another secret of the request may come to stand for it.
                Standing::Exact(_) if has_free => None,
                Standing::Exact(recorded) => Some(lists.with([Some(own), Some(recorded)])),
                Standing::Free => {
                    let at = |at: usize| is_free(&lists.lists[at].identity);
                    let count = (lists.lists.len(), undone);
                    let first = cursors.first_free(&lists.without, count, at);
                    let taken = Some(own).filter(|own| !is_free(own));
                    let mut narrowed = lists.with([taken, None]);
                    narrowed.free = &lists.lists[first..];
                    Some(narrowed)
                }
            }
        });
        narrowed.min_by_key(Narrowed::size)
    }
}

impl PlaceLists {
    fn get(&self, identity: &Identity) -> Option<&PositionList> {
        let at = self.by_identity.get(identity)?;
        Some(&self.lists[*at].list)
    }

    fn list_of(&mut self, identity: &Identity, ids: &mut ListIds) -> &mut PositionList {
        let at = match self.by_identity.get(identity) {
            Some(at) => *at,
            None => {
                self.by_identity.insert(identity.clone(), self.lists.len());
                self.lists.push(IdentityList {
                    identity: identity.clone(),
                    list: PositionList::new(ids.next()),
                });
                self.lists.len() - 1
            }
        };
        &mut self.lists[at].list
    }

    /// The exchanges with one of these identities, and those without any.
    fn with(&self, mut identities: [Option<&Identity>; 2]) -> Narrowed<'_> {
        if identities[0] == identities[1] {
            identities[1] = None;
        }
        let with = identities.into_iter().flatten();
        let with = with.filter_map(|identity| self.get(identity));
        Narrowed {
            known: with.chain([&self.without]).collect(),
            free: &[],
        }
    }
}

impl<'a> Narrowed<'a> {
    /// All exchanges of a list.
    pub(super) fn of(list: &'a PositionList) -> Self {
        Self {
            known: vec![list],
            free: &[],
        }
    }

    fn size(&self) -> usize {
        let known = self.known.iter().map(|list| list.positions().len());
        known.sum::<usize>() + self.free.len()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::Arc;

    use super::*;
    use crate::session::bindings::{Bindings, KnownIdentities};
    use ouli_redaction::Secrets;

    /// Numbers that follow from a seed.
    struct Numbers(u64);

    impl Numbers {
        fn below(&mut self, end: u64) -> u64 {
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (self.0 >> 33) % end
        }

        /// Identities in some of three places.
        fn uses(&mut self, make: impl Fn(u64) -> Identity) -> Vec<IdentityUse> {
            let mut uses = Vec::new();
            for place in 0..3 {
                let number = self.below(6);
                if number > 0 {
                    uses.push(IdentityUse {
                        place,
                        part: "header x".into(),
                        identity: make(number),
                    });
                }
            }
            uses
        }
    }

    fn recorded(number: u64) -> Identity {
        Identity::Placeholder(Arc::from("token"), number)
    }

    #[test]
    fn every_exchange_that_fits_is_in_one_of_the_lists() {
        let mut fitting = 0;
        for seed in 0..400 {
            let mut numbers = Numbers(seed);
            let (mut lists, mut ids) = (IdentityLists::default(), ListIds::default());
            let mut exchanges: Vec<Vec<IdentityUse>> = Vec::new();
            let (mut bindings, secrets) = (Bindings::default(), Secrets::default());
            let mut cursors = Cursors::default();
            for step in 0..40_u64 {
                let uses = numbers.uses(recorded);
                let others: Vec<_> = (0..exchanges.len()).collect();
                lists.add(exchanges.len(), &uses, &others, &mut ids);
                exchanges.push(uses);
                let is_secret = numbers.below(3) > 0;
                let live = numbers.uses(|number| match is_secret {
                    true => Identity::Secret(number.into()),
                    false => recorded(number),
                });
                let is_recorded = |identity: &Identity| {
                    let mut all = exchanges.iter().flatten();
                    all.any(|it| it.identity == *identity)
                };
                let known = KnownIdentities {
                    secrets: &secrets,
                    is_recorded: &is_recorded,
                };
                let standing = |it: &IdentityUse| bindings.standing(&it.identity, &known);
                let standings: Vec<_> = live.iter().map(standing).collect();
                let is_free = |identity: &Identity| bindings.is_free(identity);
                let free = (bindings.undone(), &is_free as &dyn Fn(&Identity) -> bool);
                let narrowed = lists.narrow(&live, &standings, &mut cursors, free);
                let fits = |uses: &[IdentityUse]| bindings.fit((&live, uses), step, &known);
                if let Some(narrowed) = &narrowed {
                    let free = narrowed.free.iter().filter(|it| is_free(&it.identity));
                    let all = narrowed
                        .known
                        .iter()
                        .copied()
                        .chain(free.map(|it| &it.list));
                    let all: Vec<_> = all.flat_map(PositionList::positions).collect();
                    let found: HashSet<_> = all.iter().copied().copied().collect();
                    assert_eq!(found.len(), all.len(), "in two lists");
                    for (position, uses) in exchanges.iter().enumerate() {
                        let is_found = found.contains(&position);
                        assert!(is_found || fits(uses).is_err(), "{position} of {seed}");
                    }
                }
                let fit = exchanges.iter().find_map(|uses| fits(uses).ok());
                if let Some(fit) = fit {
                    fitting += 1;
                    bindings.bind(&fit, step, &secrets);
                }
                if numbers.below(4) == 0 {
                    bindings.unbind(numbers.below(step + 1), &secrets);
                }
            }
        }
        assert!(fitting > 5_000, "{fitting}");
    }
}
