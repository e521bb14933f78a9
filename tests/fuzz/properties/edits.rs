//! Edits of plugins: all of them are applied or none, each within its range.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, StatusCode};
use ouli_codec::json::Document;
use ouli_message::{CodedBody, Content, Fields, Request, Response};
use ouli_redaction::{Edit, edit_part, edit_request, edit_response, edit_trailers};

use super::choices::Choices;

/// The input is a list of edits and the body to edit.
pub(super) fn check(input: &[u8]) {
    let mut choices = Choices::new(input);
    let edits: Vec<_> = (0..choices.below(6)).map(|_| edit(&mut choices)).collect();
    let border = usize::from(choices.byte());
    let body = Bytes::copy_from_slice(choices.rest());
    of_request(&body, &edits);
    of_response(&body, &edits);
    of_part(&body, &edits, border.min(body.len()));
    let mut trailers = Fields::default();
    let changed = edit_trailers(&mut trailers, edits.clone());
    assert!(changed.is_ok() || trailers.is_empty());
}

fn edit(choices: &mut Choices<'_>) -> Edit {
    const POINTERS: [&str; 6] = ["", "/a", "/*", "/0", "/a/*/b", "/~"];
    const TEXTS: [&str; 5] = ["1", "\"x\"", "{}", "nul", "[1,2]"];
    match choices.below(5) {
        0 => Edit::SetHeader {
            name: choices.one_of(&["x-a", "X B", "cookie", ""]).to_owned(),
            values: (0..choices.below(3))
                .map(|_| choices.bytes().to_vec())
                .collect(),
        },
        1 => Edit::RemoveHeader {
            name: choices.one_of(&["x-a", "\n", "cookie"]).to_owned(),
        },
        2 => {
            let start = u64::from(choices.byte());
            let end = match choices.byte() {
                255 => u64::MAX,
                size => start + u64::from(size) / 8,
            };
            let bytes = choices.bytes().to_vec();
            Edit::Replace { start, end, bytes }
        }
        3 => Edit::ReplaceJson {
            pointer: choices.one_of(&POINTERS).to_owned(),
            text: choices.one_of(&TEXTS).to_owned(),
        },
        _ => Edit::SetTarget(choices.text()),
    }
}

fn fields() -> Fields {
    let field = (
        HeaderName::from_static("x-a"),
        HeaderValue::from_static("1"),
    );
    [field].into_iter().collect()
}

fn of_request(body: &Bytes, edits: &[Edit]) {
    let before = Request {
        method: Method::POST,
        authority: "api".to_owned(),
        target: "/".to_owned(),
        fields: fields(),
        body: Content::Inline(body.clone()),
        trailers: Fields::default(),
        truncated_at: None,
    };
    let mut after = before.clone();
    if edit_request(&mut after, edits.to_vec()).is_err() {
        assert_eq!(after, before, "a failed edit changed the body");
        return;
    }
    assert!(after.target.starts_with('/'));
    let bytes = after.body.to_bytes();
    assert_eq!(bytes, by_hand(body, edits).unwrap_or_else(|| bytes.clone()));
    // Edits by pointers keep JSON valid.
    let is_json = |bytes: &Bytes| Document::parse(bytes.clone()).is_some();
    let by_pointers = !edits
        .iter()
        .any(|edit| matches!(edit, Edit::Replace { .. }));
    assert!(
        !by_pointers || !is_json(body) || is_json(&bytes),
        "{bytes:?}"
    );
}

/// Applies range edits one by one from the end; none if there are others.
fn by_hand(body: &Bytes, edits: &[Edit]) -> Option<Bytes> {
    let mut ranges = Vec::new();
    for edit in edits {
        match edit {
            Edit::Replace { start, end, bytes } => ranges.push((*start, *end, bytes)),
            Edit::ReplaceJson { .. } => return None,
            Edit::SetHeader { .. } | Edit::RemoveHeader { .. } | Edit::SetTarget(_) => {}
        }
    }
    ranges.sort_by_key(|(start, end, _)| (*start, *end));
    let mut out = body.to_vec();
    for (start, end, bytes) in ranges.into_iter().rev() {
        let range = usize::try_from(start).ok()?..usize::try_from(end).ok()?;
        out.splice(range, bytes.iter().copied());
    }
    Some(out.into())
}

fn of_response(body: &Bytes, edits: &[Edit]) {
    let before = Response {
        status: StatusCode::OK,
        fields: fields(),
        body: Content::Inline(body.clone()),
        coded: CodedBody::Derived,
        trailers: Fields::default(),
        reason: None,
        omitted: Vec::new(),
    };
    let mut after = before.clone();
    let changed = edit_response(&mut after, edits.to_vec());
    assert!(changed.is_ok() || after == before, "{changed:?}");
}

fn of_part(body: &Bytes, edits: &[Edit], border: usize) {
    let Ok(part) = edit_part(body, edits.to_vec(), border) else {
        return;
    };
    assert!(part.boundary <= part.bytes.len());
    let across = edits.iter().any(|edit| match edit {
        Edit::Replace { start, end, .. } => *start < border as u64 && *end > border as u64,
        Edit::ReplaceJson { .. } => true,
        Edit::SetHeader { .. } | Edit::RemoveHeader { .. } | Edit::SetTarget(_) => false,
    });
    if !across {
        // The bytes after the boundary change as if they were edited alone.
        let grown = |bytes: &[u8]| bytes.len() as i64;
        let behind: i64 = edits
            .iter()
            .map(|edit| match edit {
                Edit::Replace { start, end, bytes } if *start >= border as u64 && *end > *start => {
                    grown(bytes) - i64::try_from(end - start).unwrap_or(0)
                }
                _ => 0,
            })
            .sum();
        let empty = edits.iter().any(|edit| match edit {
            Edit::Replace { start, end, .. } => start == end,
            _ => false,
        });
        let expected = (body.len() - border) as i64 + behind;
        assert!(
            empty || (part.bytes.len() - part.boundary) as i64 == expected,
            "{part:?}"
        );
    }
}
