//! Compares two observations of one invocation. Every difference is a fault, except those that are
//! listed here with their reasons.

use std::borrow::Cow;

use super::curl::{Block, Observation};
use super::invocations::Invocation;
use crate::compare::without_values;

/// Fields that may differ.
const ALLOWED_FIELDS: [(&str, &str); 6] = [
    (
        "date",
        "it is the time of the response; a replay makes it anew",
    ),
    (
        "connection",
        "it belongs to one hop (RFC 9110, section 7.6.1)",
    ),
    (
        "keep-alive",
        "it belongs to one hop (RFC 9110, section 7.6.1)",
    ),
    (
        "transfer-encoding",
        "it belongs to one hop (RFC 9112, section 6.1)",
    ),
    ("via", "a proxy may add it (RFC 9110, section 7.6.3)"),
    (
        "x-request-id",
        "a replay makes it anew, since it differs in each response",
    ),
];

/// Values of the origin that are redacted: a replay has placeholders instead.
const SECRETS: [&str; 4] = [
    "nonce-value-1",
    "cookie-value-1",
    "cookie-value-2",
    "cookie-value-3",
];

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pair {
    DirectAndRecorded,
    RecordedAndReplayed,
}

impl Pair {
    fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::DirectAndRecorded => ("direct", "recorded"),
            Self::RecordedAndReplayed => ("recorded", "replayed"),
        }
    }

    /// True for an interim response that need not be equal: 102 and 103 are not recorded, and the
    /// interim responses of HTTP/2 upstreams are not forwarded.
    fn allows(self, invocation: &Invocation, block: &Block) -> bool {
        let status = block.status().unwrap_or_default();
        match self {
            Self::DirectAndRecorded => invocation.server.is_h2c() && status.starts_with('1'),
            Self::RecordedAndReplayed => status == "102" || status == "103",
        }
    }
}

/// The differences as a text; none if there is none.
pub(super) fn fault(
    invocation: &Invocation,
    pair: Pair,
    one: &Observation,
    other: &Observation,
) -> Option<String> {
    let (name, other_name) = pair.names();
    let mut lines = Vec::new();
    let mut note = |what: &str, one: String, other: String| {
        if one != other {
            lines.push(format!(
                "  {what}\n    {name:<9} {one}\n    {other_name:<9} {other}"
            ));
        }
    };
    let exit = |seen: &Observation| format!("{:?}", seen.exit_status);
    note("exit status", exit(one), exit(other));
    let written_out = |seen: &Observation| version_of_request(invocation, &seen.written_out);
    note("--write-out", written_out(one), written_out(other));
    let heads = |seen: &Observation| {
        let blocks = seen.blocks.iter();
        let blocks = blocks.filter(|block| !pair.allows(invocation, block));
        blocks
            .map(|block| shown(invocation, block))
            .collect::<Vec<_>>()
            .join("\n        ")
    };
    note("heads", heads(one), heads(other));
    let mut names: Vec<_> = one.files.keys().chain(other.files.keys()).collect();
    names.sort();
    names.dedup();
    for name in names {
        let content = |seen: &Observation| {
            let bytes = seen.files.get(name).map_or(&[][..], |bytes| bytes);
            content(invocation, bytes)
        };
        let (one, other) = (content(one), content(other));
        if one != other {
            note(
                &format!("file {name}"),
                excerpt(&one, &other),
                excerpt(&other, &one),
            );
        }
    }
    (!lines.is_empty()).then(|| format!("{}\n{}", invocation.text, lines.join("\n")))
}

/// The text with HTTP/1.1 instead of HTTP/1.0, if curl requests HTTP/1.0: the version belongs to
/// one hop (RFC 9110, section 2.5), and the gateway responds with that of the request.
fn version_of_request(invocation: &Invocation, text: &str) -> String {
    if invocation.words.iter().any(|word| word == b"--http1.0") {
        let text = text.replace("HTTP/1.0 ", "HTTP/1.1 ");
        text.replace("HTTP/1 ", "HTTP/1.1 ")
    } else {
        text.to_owned()
    }
}

fn shown(invocation: &Invocation, block: &Block) -> String {
    let mut text = block.status_line.clone().unwrap_or_default();
    let is_allowed = |name: &str| ALLOWED_FIELDS.iter().any(|(allowed, _)| *allowed == name);
    // The order of fields with different names has no meaning (RFC 9110, section 5.3).
    let mut fields: Vec<_> = block.fields.iter().collect();
    fields.sort_by_key(|(name, _)| name);
    for (name, value) in fields {
        if !is_allowed(name) {
            text += &format!("\n        {name}: {}", value.escape_ascii());
        }
    }
    let text = version_of_request(invocation, &text);
    without_values(&text, SECRETS.into_iter())
}

fn content(invocation: &Invocation, bytes: &[u8]) -> Vec<u8> {
    let is_raw = invocation.words.iter().any(|word| word == b"--raw");
    let bytes = match joined_chunks(bytes).filter(|_| is_raw) {
        Some(joined) => Cow::Owned(joined),
        None => Cow::Borrowed(bytes),
    };
    match std::str::from_utf8(&bytes) {
        Ok(text) => without_values(text, SECRETS.into_iter()).into_bytes(),
        Err(_) => bytes.into_owned(),
    }
}

/// A chunked body with all chunks joined to one, and its trailer section: where a chunk ends
/// belongs to one hop (RFC 9112, section 7.1). None if it is not chunked.
fn joined_chunks(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut joined = Vec::new();
    loop {
        let end = memchr::memmem::find(rest, b"\r\n")?;
        let size = std::str::from_utf8(&rest[..end]).ok()?;
        let size = usize::from_str_radix(size, 16).ok()?;
        rest = &rest[end + 2..];
        if size == 0 {
            joined.extend_from_slice(rest);
            return Some(joined);
        }
        joined.extend_from_slice(rest.get(..size)?);
        rest = rest.get(size + 2..)?;
    }
}

/// A part of `one` around the first byte that differs from `other`.
fn excerpt(one: &[u8], other: &[u8]) -> String {
    let same = one.iter().zip(other).take_while(|(a, b)| a == b).count();
    let (start, end) = (same.saturating_sub(40), one.len().min(same + 120));
    let part = one[start..end].escape_ascii();
    format!("{} bytes, from byte {same} on: ...{part}...", one.len())
}

#[test]
fn chunks_are_joined() {
    let joined = joined_chunks(b"2\r\nab\r\n1\r\nc\r\n0\r\nx: 1\r\n\r\n").unwrap();
    assert_eq!(joined, b"abcx: 1\r\n\r\n");
    assert_eq!(joined_chunks(b"plain"), None);
}
