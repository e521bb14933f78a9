//! Compares a recorded response with the replayed one.
//!
//! Three differences are allowed: volatile headers; placeholders in place of secrets; and encoded
//! bodies, which are encoded again, so that only their decoded content is equal.

use crate::client::Seen;
use crate::secrets::Secrets;

/// Headers of httpbin and the gateway that are not recorded.
const VOLATILE: [&str; 1] = ["date"];

/// Replaces both secrets and placeholders.
const SECRET: &str = "<secret>";

/// The differences between a recorded and a replayed response, one line each.
pub(crate) fn differences(recorded: &Seen, replayed: &Seen, secrets: &Secrets) -> Vec<String> {
    let mut lines = Vec::new();
    let mut note = |what: &str, was: String, is: String| {
        let name = &recorded.name;
        lines.push(format!(
            "{name}: {what}\n    recorded {was}\n    replayed {is}"
        ));
    };
    if recorded.status != replayed.status {
        note(
            "status",
            recorded.status.to_string(),
            replayed.status.to_string(),
        );
        // With another status, all other differences follow.
        return lines;
    }
    let (was, is) = (headers(recorded, secrets), headers(replayed, secrets));
    if was != is {
        note("headers", only(&was, &is), only(&is, &was));
    }
    let mut bodies = vec![("body", &recorded.body, &replayed.body)];
    if recorded.coding().is_none() {
        bodies.push(("raw body", &recorded.raw, &replayed.raw));
    }
    for (what, was, is) in bodies {
        let (was, is) = (body(was, secrets), body(is, secrets));
        if was != is {
            note(what, excerpt(&was, &is), excerpt(&is, &was));
        }
    }
    lines
}

/// True if a response contains a secret.
pub(crate) fn shows_any(seen: &Seen, secrets: &Secrets) -> bool {
    let texts = seen.headers.iter().map(|(_, value)| value.as_bytes());
    let mut all = texts.chain(seen.body.as_deref()).chain(seen.raw.as_deref());
    all.any(|bytes| secrets.are_in(bytes))
}

fn headers(seen: &Seen, secrets: &Secrets) -> Vec<String> {
    let kept = seen
        .headers
        .iter()
        .filter(|(name, _)| !VOLATILE.contains(&name.as_str()));
    let line = |(name, value): &(String, String)| {
        let value = match name.as_str() {
            "set-cookie" => cookie(value),
            "www-authenticate" => challenge(value),
            "content-length" => length(value, seen, secrets),
            _ => without_secrets(value, secrets),
        };
        format!("{name}: {value}")
    };
    kept.map(line).collect()
}

/// The headers that `other` lacks; all of them if only their order differs.
fn only(some: &[String], other: &[String]) -> String {
    let missing: Vec<_> = some.iter().filter(|line| !other.contains(line)).collect();
    if missing.is_empty() && some.len() == other.len() {
        format!("{some:?}")
    } else {
        format!("{missing:?}")
    }
}

/// Replaces the value in `name=value; Path=/` if there is one.
fn cookie(cookie: &str) -> String {
    let (name, rest) = cookie.split_once('=').unwrap_or((cookie, ""));
    let (value, attributes) = rest.split_at(rest.find(';').unwrap_or(rest.len()));
    let value = if value.is_empty() { value } else { SECRET };
    format!("{name}={value}{attributes}")
}

/// Replaces the values in `Digest nonce="...", opaque="...", qop="auth"` that are new in each
/// challenge.
fn challenge(value: &str) -> String {
    let (scheme, parameters) = value.split_once(' ').unwrap_or((value, ""));
    let drawn = |part: &str| match part.split_once('=') {
        Some((name @ ("nonce" | "opaque"), _)) => format!("{name}={SECRET}"),
        Some(_) | None => part.to_owned(),
    };
    let parameters: Vec<_> = parameters.split(", ").map(drawn).collect();
    format!("{scheme} {}", parameters.join(", "))
}

/// Placeholders and bodies that were encoded again change the length, so only its correctness is
/// compared.
fn length(value: &str, seen: &Seen, secrets: &Secrets) -> String {
    let Some(came) = &seen.raw else {
        return "not to be told".to_owned();
    };
    let is_placeholder = std::str::from_utf8(came).is_ok_and(|text| placeholder(text, 0).is_some());
    let differs = is_placeholder || secrets.are_in(came) || seen.coding().is_some();
    if differs && value == came.len().to_string() {
        "as long as the body".to_owned()
    } else {
        value.to_owned()
    }
}

fn body(bytes: &Option<Vec<u8>>, secrets: &Secrets) -> Vec<u8> {
    let bytes = bytes.as_deref().unwrap_or_default();
    match std::str::from_utf8(bytes) {
        Ok(text) => without_secrets(text, secrets).into_bytes(),
        Err(_) => bytes.to_owned(),
    }
}

/// Replaces each secret and each placeholder by the same word.
pub(crate) fn without_secrets(text: &str, secrets: &Secrets) -> String {
    let text = without_values(text, secrets.values());
    // If a JSON member is the secret, the placeholder includes its scheme.
    let text = text.replace(&format!("Bearer {SECRET}"), SECRET);
    text.replace(&format!("Basic {SECRET}"), SECRET)
}

/// The text with the same word in place of each of these values and of each placeholder.
pub(crate) fn without_values<'a>(text: &str, values: impl Iterator<Item = &'a str>) -> String {
    let mut text = values.fold(text.to_owned(), |text, value| text.replace(value, SECRET));
    let mut from = 0;
    while let Some((start, end)) = placeholder(&text, from) {
        text.replace_range(start..end, SECRET);
        from = start + SECRET.len();
    }
    text
}

/// The next `<class-N>`, or `%3Cclass-N%3E` in a URL.
fn placeholder(text: &str, from: usize) -> Option<(usize, usize)> {
    let brackets = [("<", ">"), ("%3C", "%3E")];
    let found = brackets.iter().filter_map(|(open, close)| {
        let openings = text[from..].match_indices(open).map(|(at, _)| from + at);
        let mut placeholders = openings.filter_map(|start| {
            let inner = start + open.len();
            let end = inner + text[inner..].find(close)?;
            is_class_and_number(&text[inner..end]).then_some((start, end + close.len()))
        });
        placeholders.next()
    });
    found.min()
}

fn is_class_and_number(text: &str) -> bool {
    let class = |text: &str| {
        text.bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte == b'-')
    };
    text.rsplit_once('-').is_some_and(|(name, number)| {
        let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        !name.is_empty() && class(name) && digits
    })
}

/// An excerpt of `one` around the first byte that differs from `other`.
fn excerpt(one: &[u8], other: &[u8]) -> String {
    let same = one.iter().zip(other).take_while(|(a, b)| a == b).count();
    let (start, end) = (same.saturating_sub(60), one.len().min(same + 100));
    let part = one[start..end].escape_ascii();
    format!(
        "{} bytes, from byte {same} on differing: ...{part}...",
        one.len()
    )
}
