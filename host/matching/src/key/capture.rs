//! Finds the texts that a live request has where a recorded one has holes.
//!
//! A value that only the response reveals as a secret is redacted in the request too, for example
//! in its path. In a live request the secret is not known yet, so the keys differ.

use super::describe::{DescribedPart, Value};
use super::json::Json;
use ouli_codec::identity::holes;

/// A text in the place of a hole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capture {
    /// The index of the hole in the recorded request.
    pub hole: usize,
    /// The text in the live request, encoded as it is there.
    pub text: String,
}

/// The texts of a live request in the place of the holes of a recorded one; none if the requests
/// differ elsewhere. Both are described with their holes.
pub fn captures(recorded: &[DescribedPart], live: &[DescribedPart]) -> Option<Vec<Capture>> {
    let mut found = Vec::new();
    let is_equal = recorded.len() == live.len()
        && recorded.iter().zip(live).all(|(recorded, live)| {
            recorded.name == live.name && value(&recorded.value, &live.value, &mut found)
        });
    is_equal.then_some(found)
}

fn value(recorded: &Value, live: &Value, found: &mut Vec<Capture>) -> bool {
    match (recorded, live) {
        (Value::Text(recorded), Value::Text(live)) => text(recorded, live, found),
        (Value::Pairs(recorded), Value::Pairs(live)) => {
            all(recorded, live, |one, other| text(one, other, found))
        }
        (Value::Fields(recorded), Value::Fields(live)) => all(recorded, live, |one, other| {
            let texts = std::str::from_utf8(one)
                .ok()
                .zip(std::str::from_utf8(other).ok());
            texts.map_or(one == other, |(one, other)| text(one, other, found))
        }),
        (Value::Json(recorded), Value::Json(live)) => json(recorded, live, found),
        (recorded, live) => recorded == live,
    }
}

fn json(recorded: &Json, live: &Json, found: &mut Vec<Capture>) -> bool {
    match (recorded, live) {
        (Json::String(recorded), Json::String(live)) => text(recorded, live, found),
        (Json::Array(recorded), Json::Array(live)) => {
            all(recorded, live, |one, other| json(one, other, found))
        }
        (Json::Object(recorded), Json::Object(live)) => {
            all(recorded, live, |one, other| json(one, other, found))
        }
        (recorded, live) => recorded == live,
    }
}

/// True if both lists have the same names or indexes in the same order, and all values are equal.
fn all<N: PartialEq, V>(
    recorded: &[(N, V)],
    live: &[(N, V)],
    mut is_equal: impl FnMut(&V, &V) -> bool,
) -> bool {
    let mut pairs = recorded.iter().zip(live);
    recorded.len() == live.len()
        && pairs
            .all(|((name, one), (other_name, other))| name == other_name && is_equal(one, other))
}

fn text(recorded: &str, live: &str, found: &mut Vec<Capture>) -> bool {
    let places: Vec<_> = holes(recorded.as_bytes()).collect();
    let Some((first, _)) = places.first() else {
        return recorded == live;
    };
    let Some(mut rest) = live.strip_prefix(&recorded[..first.start]) else {
        return false;
    };
    for (at, (range, index)) in places.iter().enumerate() {
        let next = places.get(at + 1).map(|(next, _)| next.start);
        let between = &recorded[range.end..next.unwrap_or(recorded.len())];
        let end = match next {
            // Without a text between two holes it is not known where the first one ends.
            Some(_) if between.is_empty() => return false,
            Some(_) => rest.find(between),
            None => rest
                .len()
                .checked_sub(between.len())
                .filter(|_| rest.ends_with(between)),
        };
        let Some((content, after)) = end.and_then(|end| rest.split_at_checked(end)) else {
            return false;
        };
        rest = &after[between.len()..];
        let is_hole = holes(content.as_bytes()).any(|(range, _)| range.len() == content.len());
        if is_hole {
            continue;
        }
        if content.is_empty() || content.contains(['/', '?', '&', '<', '>', '"']) {
            return false;
        }
        found.push(Capture {
            hole: *index,
            text: content.to_owned(),
        });
    }
    rest.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ouli_codec::identity::hole;

    fn found(recorded: &str, live: &str) -> Option<Vec<String>> {
        let part = |text: &str| {
            let (name, value) = ("part".to_owned(), Value::Text(text.to_owned()));
            vec![DescribedPart { name, value }]
        };
        let found = captures(&part(recorded), &part(live))?;
        Some(found.into_iter().map(|it| it.text).collect())
    }

    #[test]
    fn a_hole_is_filled_within_one_segment() {
        let (one, two) = (hole(0), hole(1));
        let cases: [(String, String, Option<&[&str]>); 8] = [
            (
                format!("/set/{one}"),
                "/set/blue".to_owned(),
                Some(&["blue"]),
            ),
            (
                format!("/set/{one}/x"),
                "/set/blue/x".to_owned(),
                Some(&["blue"]),
            ),
            (
                format!("/{one}/{two}"),
                "/a/b".to_owned(),
                Some(&["a", "b"]),
            ),
            (format!("/{one}{two}"), "/ab".to_owned(), None),
            (format!("/set/{one}"), "/set/blue/green".to_owned(), None),
            (format!("/set/{one}"), "/get/blue".to_owned(), None),
            (format!("/set/{one}"), "/set/".to_owned(), None),
            // Both have a secret there.
            (format!("/set/{one}"), format!("/set/{two}"), Some(&[])),
        ];
        for (recorded, live, expected) in cases {
            let expected = expected.map(|it| it.iter().map(|it| (*it).to_owned()).collect());
            assert_eq!(found(&recorded, &live), expected, "{recorded} {live}");
        }
    }
}
