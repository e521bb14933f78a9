//! JSON pointers (RFC 6901) into JSON text. The result is the text exactly as sent.

use std::fmt;

use serde::Deserializer;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The text at a pointer. `None` if the body is not JSON or has no value there.
///
/// # Errors
/// If the pointer is invalid.
pub(super) fn find(body: &[u8], pointer: &str) -> Result<Option<String>, String> {
    let steps = steps(pointer).ok_or_else(|| format!("`{pointer}` is not a JSON pointer"))?;
    let Ok(mut found) = serde_json::from_slice::<&RawValue>(body) else {
        return Ok(None);
    };
    for step in steps {
        match child(found, &step) {
            Some(next) => found = next,
            None => return Ok(None),
        }
    }
    Ok(Some(found.get().to_owned()))
}

fn steps(pointer: &str) -> Option<Vec<String>> {
    if pointer.is_empty() {
        return Some(Vec::new());
    }
    pointer
        .strip_prefix('/')?
        .split('/')
        .map(unescape)
        .collect()
}

/// `~0` means `~` and `~1` means `/`; there is no other escape.
fn unescape(step: &str) -> Option<String> {
    let mut segments = step.split('~');
    let mut name = segments.next()?.to_owned();
    for segment in segments {
        let letter = match segment.chars().next()? {
            '0' => '~',
            '1' => '/',
            _ => return None,
        };
        name.push(letter);
        name.push_str(&segment[1..]);
    }
    Some(name)
}

fn child<'a>(value: &'a RawValue, step: &str) -> Option<&'a RawValue> {
    let text = value.get();
    if text.starts_with('[') {
        let index: usize = step.parse().ok()?;
        // `01` and `+1` are not indices.
        let is_canonical = index.to_string() == step;
        let values: Vec<&RawValue> = serde_json::from_str(text).ok()?;
        return values.get(index).copied().filter(|_| is_canonical);
    }
    let mut parser = serde_json::Deserializer::from_str(text);
    parser.deserialize_map(Member(step)).ok().flatten()
}

/// Finds the first member with this name.
struct Member<'s>(&'s str);

impl<'de> Visitor<'de> for Member<'_> {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(name) = members.next_key::<String>()? {
            if found.is_none() && name == self.0 {
                found = Some(members.next_value()?);
            } else {
                members.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::find;

    #[test]
    fn returns_the_text_as_sent() {
        let body = br#" {"a": [1.50, {"b" : null}], "m~n/o": "x", "": 0, "a": 2, "1": true} "#;
        for (pointer, expected) in [
            ("/a/0", Some("1.50")),
            ("/a/1", Some(r#"{"b" : null}"#)),
            ("/a/1/b", Some("null")),
            ("/m~0n~1o", Some(r#""x""#)),
            ("/", Some("0")),
            ("/1", Some("true")),
            ("/a/2", None),
            ("/a/00", None),
            ("/a/-", None),
            ("/a/1/b/c", None),
            ("/b", None),
        ] {
            assert_eq!(
                find(body, pointer).unwrap().as_deref(),
                expected,
                "{pointer}"
            );
        }
    }

    #[test]
    fn the_empty_pointer_returns_the_document() {
        assert_eq!(find(b" 7 ", "").unwrap().as_deref(), Some("7"));
    }

    #[test]
    fn a_body_that_is_not_json_has_no_values() {
        for body in ["", "{", r#"{"a": 1} b"#, "\u{feff}1"] {
            assert_eq!(find(body.as_bytes(), "/a").unwrap(), None, "{body}");
        }
    }

    #[test]
    fn an_invalid_pointer_is_an_error() {
        for pointer in ["a", "/~", "/~2", "/a~/b"] {
            let error = find(b"{}", pointer).unwrap_err();
            assert_eq!(error, format!("`{pointer}` is not a JSON pointer"));
        }
    }
}
