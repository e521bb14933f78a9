//! Truncated request bodies: in the recording, and as parts of the keys that requests are matched
//! by.
//!
//! An upstream may respond before it has read the whole request. Its response then depends on the
//! part that it could read at most, so a live request matches by the same part of its body.

use bytes::Bytes;

use super::outcome::Outcome;
use ouli_codec::content_coding::{self, Bounds, CodingError};
use ouli_codec::truncated;
use ouli_config::Defect;
use ouli_message::{Content, Fields, Request};

/// The longest word that is left out at the end. Tokens are shorter.
const MAX_WORD: usize = 8 << 10;

/// The bytes that were added to a body.
pub(super) struct AddedSuffix(Vec<u8>);

/// The part of a body that `raw`, the first bytes of the coded body, decodes to. Its last word is
/// left out: it may be the first part of a secret, which no rule would find.
pub(super) fn decode(fields: &Fields, raw: &Bytes, bounds: Bounds) -> Result<Bytes, CodingError> {
    let (received, _) = content_coding::remove_codings_partially(raw, &[], fields, bounds)?;
    Ok(without_last_word(&received.bytes))
}

/// True if the body of a request can tell it from other requests: it is not truncated, or the
/// upstream responded without any of it, or it was not cut, or a value is left.
pub(super) fn is_comparable(request: &Request) -> bool {
    let Some(length) = request.truncated_at.filter(|length| *length > 0) else {
        return true;
    };
    let Content::Inline(body) = &request.body else {
        return true;
    };
    body.len() as u64 == length
        || truncated::has_value(request.fields.get_str("content-type"), body)
}

fn without_last_word(body: &Bytes) -> Bytes {
    let is_word =
        |byte: &u8| byte.is_ascii_alphanumeric() || b"_-.~+/=%".contains(byte) || !byte.is_ascii();
    let word = body
        .iter()
        .rev()
        .take(MAX_WORD)
        .take_while(|byte| is_word(byte));
    body.slice(..body.len() - word.count())
}

/// Completes the body of a truncated request, so that rules for places in it apply.
///
/// # Errors
/// If it cannot be completed, so that its secrets cannot be found.
pub(super) fn complete(request: &mut Request) -> Result<AddedSuffix, Outcome> {
    if request.truncated_at.is_none() {
        return Ok(AddedSuffix(Vec::new()));
    }
    let suffix = missing_suffix(request).ok_or_else(|| {
        let reason = "the request is truncated where its secrets cannot be found";
        Outcome::Failed(Defect::Partial, reason.to_owned())
    })?;
    append(request, &suffix);
    Ok(AddedSuffix(suffix))
}

/// Removes the added suffix. If redaction changed the end of the body, the body is left as it is.
pub(super) fn remove_suffix(request: &mut Request, AddedSuffix(suffix): &AddedSuffix) {
    let body = request.body.to_bytes();
    if !suffix.is_empty() && body.ends_with(suffix) {
        request.body = Content::Inline(body.slice(..body.len() - suffix.len()));
    }
}

/// A truncated request as matchers see it: with a body that can be parsed.
pub(super) fn completed(request: &Request) -> Request {
    let mut completed = Request {
        truncated_at: None,
        ..request.clone()
    };
    // A body without a suffix is compared as text.
    let suffix = missing_suffix(&completed).unwrap_or_default();
    append(&mut completed, &suffix);
    completed
}

/// What a live request has in common with a recorded one that was truncated after `raw`.
///
/// # Errors
/// If the body cannot be decoded.
pub(crate) fn of_live(head: Request, raw: &Bytes, bounds: Bounds) -> Result<Request, CodingError> {
    let body = Content::Inline(decode(&head.fields, raw, bounds)?);
    Ok(completed(&Request { body, ..head }))
}

fn missing_suffix(request: &Request) -> Option<Vec<u8>> {
    let content_type = request.fields.get_str("content-type");
    truncated::missing_suffix(content_type, request.body.inline())
}

fn append(request: &mut Request, suffix: &[u8]) {
    if !suffix.is_empty() {
        let body = [request.body.inline(), suffix].concat();
        request.body = Content::Inline(body.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_is_left_out() {
        for (body, expected) in [
            ("", ""),
            ("key=sk-ant-c4N4", "key="),
            ("{\"a\": \"sk-an", "{\"a\": \""),
            ("one two\n", "one two\n"),
        ] {
            // `=` may be a part of a token.
            let expected = expected.trim_end_matches("key=");
            let part = without_last_word(&Bytes::from_static(body.as_bytes()));
            assert_eq!(part, expected, "{body}");
        }
        let long = Bytes::from(vec![b'x'; 2 * MAX_WORD]);
        assert_eq!(without_last_word(&long).len(), MAX_WORD);
    }
}
