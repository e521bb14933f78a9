//! Ranks many recorded keys by their digests and selects those for a full comparison.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::key::{Key, PartDigest};

/// The positions of up to `limit` candidates that are most similar to the live key, the best first.
/// Among equals, lower positions come first.
///
/// Memory is bounded by `limit`, time is linear in the number of candidates.
pub fn rank<'a>(
    live: &Key,
    candidates: impl Iterator<Item = (usize, &'a Key)>,
    limit: usize,
) -> Vec<usize> {
    let weights = weights(live);
    let mut best = BinaryHeap::with_capacity(limit.min(1024) + 1);
    for (position, key) in candidates {
        let entry = Reverse((score(live, key, &weights), Reverse(position)));
        if best.len() < limit {
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

/// The weight of a part in the similarity of two requests.
pub(super) fn weight(part: &str) -> u32 {
    WEIGHTS
        .iter()
        .find(|(name, _)| *name == part)
        .map_or(1, |(_, weight)| *weight)
}

const WEIGHTS: [(&str, u32); 4] = [("path", 8), ("body", 4), ("query", 3), ("method", 4)];

fn weights(live: &Key) -> Vec<u32> {
    let weights = WEIGHTS.map(|(name, weight)| (PartDigest::name_of(name), weight));
    let weight_of = |part: &PartDigest| {
        let found = weights.iter().find(|(name, _)| *name == part.name);
        found.map_or(1, |(_, weight)| *weight)
    };
    live.parts().iter().map(weight_of).collect()
}

/// The similarity of two keys. Among equals, the one with fewer parts that the live key does not
/// have, such as a header, is nearer.
fn score(live: &Key, candidate: &Key, weights: &[u32]) -> (u32, Reverse<usize>) {
    let further = candidate.parts().len().saturating_sub(live.parts().len());
    (common(live, candidate, weights), Reverse(further))
}

fn common(live: &Key, candidate: &Key, weights: &[u32]) -> u32 {
    let parts = live.parts().iter().zip(weights).enumerate();
    parts
        .map(|(index, (part, weight))| {
            // Usually one matcher derives all keys, so the parts have the same positions.
            let same_position = candidate.parts().get(index);
            let counterpart = same_position
                .filter(|other| other.name == part.name)
                .or_else(|| {
                    candidate
                        .parts()
                        .iter()
                        .find(|other| other.name == part.name)
                });
            counterpart.map_or(0, |other| weight * similarity(part, other))
        })
        .sum()
}

/// 64 for equal values, less than half of it for values with common components.
fn similarity(live: &PartDigest, other: &PartDigest) -> u32 {
    if live.value == other.value {
        return 64;
    }
    let all = (live.sketch | other.sketch).count_ones();
    let common = (live.sketch & other.sketch).count_ones();
    (31 * common).checked_div(all).unwrap_or(0)
}
