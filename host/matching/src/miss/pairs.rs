//! Pairs the entries of two lists by name. Entries of one name are paired in their order.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// An entry in one list or in both.
pub(super) enum Paired<'a, T> {
    Both(&'a T, &'a T),
    Live(&'a T),
    Recorded(&'a T),
}

/// Pairs all entries: first those of the live list in its order, then unpaired recorded ones.
pub(super) fn pair_by_name<'a, T, N: Eq + Hash>(
    live: &'a [T],
    recorded: &'a [T],
    name: impl Fn(&'a T) -> N,
) -> Vec<Paired<'a, T>> {
    let mut positions: HashMap<N, VecDeque<usize>> = HashMap::new();
    for (position, entry) in recorded.iter().enumerate() {
        positions
            .entry(name(entry))
            .or_default()
            .push_back(position);
    }
    let mut taken = vec![false; recorded.len()];
    let mut all = Vec::with_capacity(live.len().max(recorded.len()));
    for entry in live {
        let counterpart = positions
            .get_mut(&name(entry))
            .and_then(VecDeque::pop_front);
        all.push(match counterpart {
            Some(position) => {
                taken[position] = true;
                Paired::Both(entry, &recorded[position])
            }
            None => Paired::Live(entry),
        });
    }
    let unmatched = recorded.iter().zip(taken).filter(|(_, taken)| !taken);
    all.extend(unmatched.map(|(entry, _)| Paired::Recorded(entry)));
    all
}
