//! The cheap pass: which of many recorded keys are worth a closer look.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::key::{Key, PartDigest};

/// The positions of the `most` candidates that share most with the live key, the best first; of
/// equals the one at the lower position.
///
/// Memory is bounded by `most`, time by the number of candidates.
pub fn rank<'a>(
    live: &Key,
    candidates: impl Iterator<Item = (usize, &'a Key)>,
    most: usize,
) -> Vec<usize> {
    let weights = weights(live);
    let mut best = BinaryHeap::with_capacity(most.min(1024) + 1);
    for (position, key) in candidates {
        let entry = Reverse((score(live, key, &weights), Reverse(position)));
        if best.len() < most {
            best.push(entry);
        } else if best.peek().is_some_and(|worst| entry < *worst) {
            best.pop();
            best.push(entry);
        }
    }
    let sorted = best.into_sorted_vec().into_iter();
    sorted
        .map(|Reverse((_, Reverse(position)))| position)
        .collect()
}

/// How much a part of this name says about what a request is for.
pub(super) fn weight(part: &str) -> u32 {
    WEIGHTS
        .iter()
        .find(|(name, _)| *name == part)
        .map_or(1, |(_, weight)| *weight)
}

const WEIGHTS: [(&str, u32); 4] = [("path", 8), ("body", 4), ("query", 3), ("method", 4)];

fn weights(live: &Key) -> Vec<u32> {
    let known = WEIGHTS.map(|(name, weight)| (PartDigest::name_of(name), weight));
    let of = |part: &PartDigest| {
        let found = known.iter().find(|(name, _)| *name == part.name);
        found.map_or(1, |(_, weight)| *weight)
    };
    live.parts().iter().map(of).collect()
}

fn score(live: &Key, candidate: &Key, weights: &[u32]) -> u32 {
    let parts = live.parts().iter().zip(weights).enumerate();
    parts
        .map(|(index, (part, weight))| {
            // One matcher mostly makes all keys, so the parts stand at the same places.
            let same_place = candidate.parts().get(index);
            let twin = same_place
                .filter(|other| other.name == part.name)
                .or_else(|| {
                    candidate
                        .parts()
                        .iter()
                        .find(|other| other.name == part.name)
                });
            twin.map_or(0, |other| weight * likeness(part, other))
        })
        .sum()
}

/// 64 for equal values, and less than half of it for values that have pieces in common.
fn likeness(live: &PartDigest, other: &PartDigest) -> u32 {
    if live.value == other.value {
        return 64;
    }
    let all = (live.sketch | other.sketch).count_ones();
    let common = (live.sketch & other.sketch).count_ones();
    (31 * common).checked_div(all).unwrap_or(0)
}
