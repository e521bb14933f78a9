//! Two lists side by side: entries of one name meet in their order.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// An entry of one list, of the other, or of both.
pub(super) enum Paired<'a, T> {
    Both(&'a T, &'a T),
    Live(&'a T),
    Recorded(&'a T),
}

/// All entries: first those of the live list in its order, then the recorded ones without a twin.
pub(super) fn pair_by_name<'a, T, N: Eq + Hash>(
    live: &'a [T],
    recorded: &'a [T],
    name: impl Fn(&'a T) -> N,
) -> Vec<Paired<'a, T>> {
    let mut places: HashMap<N, VecDeque<usize>> = HashMap::new();
    for (place, entry) in recorded.iter().enumerate() {
        places.entry(name(entry)).or_default().push_back(place);
    }
    let mut taken = vec![false; recorded.len()];
    let mut all = Vec::with_capacity(live.len().max(recorded.len()));
    for entry in live {
        let twin = places.get_mut(&name(entry)).and_then(VecDeque::pop_front);
        all.push(match twin {
            Some(place) => {
                taken[place] = true;
                Paired::Both(entry, &recorded[place])
            }
            None => Paired::Live(entry),
        });
    }
    let left = recorded.iter().zip(taken).filter(|(_, taken)| !taken);
    all.extend(left.map(|(entry, _)| Paired::Recorded(entry)));
    all
}
