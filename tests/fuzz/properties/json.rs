//! JSON with positions: it accepts the same texts as serde_json, with or without a byte order mark
//! before them, and each value is at its position.

use bytes::Bytes;
use ouli_codec::json::{Document, Kind, Node, Pointer};

/// The input is a JSON text.
pub(super) fn check(input: &[u8]) {
    let pointer = String::from_utf8_lossy(input);
    if let Ok(pointer) = Pointer::parse(&pointer) {
        assert_eq!(Pointer::parse(&pointer.to_string()), Ok(pointer));
    }
    // A parser may ignore the mark (RFC 8259, section 8.1). Document does, serde_json does not.
    let unmarked = input.strip_prefix(b"\xef\xbb\xbf").unwrap_or(input);
    let Some(document) = Document::parse(Bytes::copy_from_slice(input)) else {
        assert!(
            serde_json::from_slice::<serde_json::Value>(unmarked).is_err() || is_deep(input),
            "serde_json accepts {pointer:?}"
        );
        return;
    };
    let other = serde_json::from_slice::<serde::de::IgnoredAny>(unmarked);
    assert!(
        other.is_ok() || is_deep(input),
        "serde_json rejects {pointer:?}"
    );
    node(&document, document.root(), 0..input.len());
    walk(&document, document.root(), "");
}

/// True if the nesting is so deep that the limits of two parsers may differ.
fn is_deep(text: &[u8]) -> bool {
    text.iter()
        .filter(|byte| matches!(byte, b'[' | b'{'))
        .count()
        > 100
}

/// A value lies within its parent, after its predecessors, and parses alone to the same value.
fn node(document: &Document, value: Node<'_>, within: std::ops::Range<usize>) -> usize {
    let span = value.span();
    assert!(within.start <= span.start && span.end <= within.end && !span.is_empty());
    let alone = document.text().slice(span.clone());
    let alone = Document::parse(alone).expect("a value is a JSON text");
    assert_eq!(
        std::mem::discriminant(&alone.root().kind()),
        std::mem::discriminant(&value.kind())
    );
    let values: Vec<_> = match value.kind() {
        Kind::Object(members) => members.map(|member| member.value).collect(),
        Kind::Array(elements) => elements.collect(),
        Kind::String(text) => {
            let read: Result<String, _> = serde_json::from_str(value.text());
            assert_eq!(read.ok().as_deref(), Some(text.as_ref()));
            Vec::new()
        }
        Kind::Number | Kind::Bool(_) | Kind::Null => Vec::new(),
    };
    let mut start = span.start + 1;
    for value in values {
        start = node(document, value, start..span.end);
    }
    span.end
}

/// The pointer to a value finds it.
fn walk(document: &Document, value: Node<'_>, at: &str) {
    if at.len() > 200 {
        return;
    }
    let pointer = Pointer::parse(at).expect("a valid pointer");
    let mut found = document.find(&pointer);
    let here = found.any(|found| found.span() == value.span());
    assert!(here, "{at:?} finds another value");
    match value.kind() {
        Kind::Object(members) => {
            for member in members.take(4) {
                let step = ouli_codec::json::escape(&member.name);
                walk(document, member.value, &format!("{at}/{step}"));
            }
        }
        Kind::Array(elements) => {
            for (index, element) in elements.enumerate().take(4) {
                walk(document, element, &format!("{at}/{index}"));
            }
        }
        Kind::String(_) | Kind::Number | Kind::Bool(_) | Kind::Null => {}
    }
}
