//! The similarity of two requests, computed down to path segments and JSON leaves.

use super::pairs::{Paired, pair_by_name};
use super::path_form;
use super::rank::weight;
use crate::key::{DescribedPart, Json, Value};

/// The score of equal parts before their weight is applied.
const FULL_SCORE: u64 = 1000;

/// The similarity score of two requests. Higher is more similar.
pub(super) fn score(live: &[DescribedPart], recorded: &[DescribedPart]) -> u64 {
    let parts = pair_by_name(live, recorded, |part| part.name.as_str());
    parts
        .into_iter()
        .map(|part| match part {
            Paired::Both(live, recorded) => {
                let similarity = if live.name == "path" {
                    path(&live.value, &recorded.value)
                } else {
                    value(&live.value, &recorded.value)
                };
                u64::from(weight(&live.name)) * similarity.scale(FULL_SCORE)
            }
            Paired::Live(_) | Paired::Recorded(_) => 0,
        })
        .sum()
}

/// The number of equal units out of all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Similarity {
    equal: u64,
    all: u64,
}

impl Similarity {
    const NONE: Self = Self { equal: 0, all: 1 };

    fn scale(self, whole: u64) -> u64 {
        (whole * self.equal).checked_div(self.all).unwrap_or(whole)
    }

    fn add(&mut self, other: Self) {
        self.equal += other.equal;
        self.all += other.all;
    }

    /// One unit for a name on both sides, one for an equal value.
    fn pair(equal: bool) -> Self {
        Self {
            equal: 1 + u64::from(equal),
            all: 2,
        }
    }

    fn missing(leaves: u64) -> Self {
        Self {
            equal: 0,
            all: 2 * leaves,
        }
    }
}

fn value(live: &Value, recorded: &Value) -> Similarity {
    match (live, recorded) {
        (Value::Text(live), Value::Text(recorded)) => bytes(live.as_bytes(), recorded.as_bytes()),
        (Value::Bytes(live), Value::Bytes(recorded)) => bytes(live, recorded),
        (Value::Fields(live), Value::Fields(recorded)) => {
            entries(live, recorded, |(name, _)| name.as_str())
        }
        (Value::Pairs(live), Value::Pairs(recorded)) => {
            entries(live, recorded, |(name, _)| name.as_str())
        }
        (Value::Json(live), Value::Json(recorded)) => json(live, recorded),
        (Value::BodyParts(live), Value::BodyParts(recorded)) => {
            entries(live, recorded, |section| section.name.as_deref())
        }
        (live, recorded) if live == recorded => Similarity::pair(true),
        (_, _) => Similarity::NONE,
    }
}

fn path(live: &Value, recorded: &Value) -> Similarity {
    let (Value::Text(live), Value::Text(recorded)) = (live, recorded) else {
        return value(live, recorded);
    };
    let segments = |path: &str| path.split('/').skip(1).count() as u64;
    if live == recorded {
        return Similarity::pair(true);
    }
    if path_form::is_alike(live, recorded) {
        return Similarity { equal: 9, all: 10 };
    }
    let pairs = live.split('/').skip(1).zip(recorded.split('/').skip(1));
    // No setting ignores a difference between paths, so equal segments count half.
    Similarity {
        equal: pairs.filter(|(live, recorded)| live == recorded).count() as u64,
        all: 2 * segments(live).max(segments(recorded)).max(1),
    }
}

/// The equal bytes at both ends. Different texts have some by chance, so these count half.
fn bytes(live: &[u8], recorded: &[u8]) -> Similarity {
    if live == recorded {
        return Similarity::pair(true);
    }
    let equal = |pairs: &mut dyn Iterator<Item = (&u8, &u8)>| {
        pairs.take_while(|(left, right)| left == right).count()
    };
    let head = equal(&mut live.iter().zip(recorded));
    let shorter = live.len().min(recorded.len());
    let tail = equal(&mut live.iter().rev().zip(recorded.iter().rev())).min(shorter - head);
    Similarity {
        equal: (head + tail) as u64,
        all: 2 * live.len().max(recorded.len()) as u64,
    }
}

fn entries<'a, T: PartialEq, N: Eq + std::hash::Hash>(
    live: &'a [T],
    recorded: &'a [T],
    name: impl Fn(&'a T) -> N,
) -> Similarity {
    let mut similarity = Similarity::default();
    for entry in pair_by_name(live, recorded, name) {
        similarity.add(match entry {
            Paired::Both(live, recorded) => Similarity::pair(live == recorded),
            Paired::Live(_) | Paired::Recorded(_) => Similarity::missing(1),
        });
    }
    similarity
}

fn json(live: &Json, recorded: &Json) -> Similarity {
    match (live, recorded) {
        (Json::Object(live), Json::Object(recorded)) => {
            children(live, recorded, |(name, _)| name.as_str())
        }
        (Json::Array(live), Json::Array(recorded)) => children(live, recorded, |(index, _)| *index),
        (live, recorded) if live == recorded => Similarity::pair(true),
        (live, recorded) => Similarity {
            equal: 1,
            all: 2 * leaves(live).max(leaves(recorded)),
        },
    }
}

fn children<'a, N, K: Eq + std::hash::Hash>(
    live: &'a [(N, Json)],
    recorded: &'a [(N, Json)],
    name: impl Fn(&'a (N, Json)) -> K,
) -> Similarity {
    let mut similarity = Similarity::default();
    for child in pair_by_name(live, recorded, name) {
        similarity.add(match child {
            Paired::Both((_, live), (_, recorded)) => json(live, recorded),
            Paired::Live((_, only)) | Paired::Recorded((_, only)) => {
                Similarity::missing(leaves(only))
            }
        });
    }
    similarity
}

fn leaves(json: &Json) -> u64 {
    let below: u64 = match json {
        Json::Array(elements) => elements.iter().map(|(_, element)| leaves(element)).sum(),
        Json::Object(members) => members.iter().map(|(_, member)| leaves(member)).sum(),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => 1,
    };
    below.max(1)
}
