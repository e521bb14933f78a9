//! Truncated request bodies: in the recording, and as parts of the keys that requests are matched
//! by.
//!
//! An upstream may respond before it has read the whole request. Its response then depends on the
//! part that it could read at most, so a live request matches by the same part of its body.

use bytes::Bytes;
use xxhash_rust::xxh3::xxh3_128;

use super::outcome::Outcome;
use ouli_codec::content_coding::{self, Bounds, CodingError};
use ouli_codec::truncated;
use ouli_config::Defect;
use ouli_message::{Content, Fields, Request};
use ouli_plugin::Plugins;
use ouli_redaction::{Guard, Secrets};

/// The bytes that were added to a body.
pub(super) struct AddedSuffix(Vec<u8>);

/// The part of a body that `raw`, the first bytes of the coded body, decodes to.
pub(super) fn decode(fields: &Fields, raw: &Bytes, bounds: Bounds) -> Result<Bytes, CodingError> {
    let (received, _) = content_coding::remove_codings_partially(raw, &[], fields, bounds)?;
    Ok(received.bytes)
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

/// Removes the added suffix, or what redaction left of its end.
pub(super) fn remove_suffix(request: &mut Request, AddedSuffix(suffix): &AddedSuffix) {
    let body = request.body.to_bytes();
    let left = (0..suffix.len()).find(|from| body.ends_with(&suffix[*from..]));
    if let Some(from) = left {
        let end = body.len() - (suffix.len() - from);
        request.body = Content::Inline(body.slice(..end));
    }
}

/// Checks that a redacted request does not end with the first part of a secret. It cannot be
/// replaced either: a request whose body differs there would match.
///
/// # Errors
/// If a rule might find a secret there, or the code of a plugin.
pub(super) fn check_end(
    request: &Request,
    plugins: &Plugins,
    secrets: &Secrets,
    guard: &Guard,
) -> Result<(), Outcome> {
    let is_cut = request.truncated_at.is_some_and(|length| length > 0);
    let secret = is_cut.then(|| plugins.cut_secret(request, secrets, guard));
    match secret.flatten() {
        Some(secret) => {
            let reason = format!("the request is truncated where a secret may begin ({secret})");
            Err(Outcome::Failed(Defect::Partial, reason))
        }
        None => Ok(()),
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

/// The hash of a key, and of how the body broke off. Completed bodies may be equal although what
/// was received differs: `-` and `0`, or two members in another order, of which the last is cut.
pub(super) fn key_hash(key: u128, request: &Request) -> u128 {
    let content_type = request.fields.get_str("content-type");
    let suffix = truncated::suffix_form(content_type, request.body.inline()).unwrap_or_default();
    let names = truncated::open_names(content_type, request.body.inline());
    if suffix.is_empty() && names.is_empty() {
        return key;
    }
    xxh3_128(&[&key.to_le_bytes()[..], &suffix, b" ", &names].concat())
}

/// What a live request has in common with a recorded one that was truncated after some bytes.
pub(crate) struct LivePart {
    /// As it would be recorded.
    part: Request,
}

impl LivePart {
    /// The part of a request whose body begins with `raw`.
    ///
    /// # Errors
    /// If the body cannot be decoded.
    pub(crate) fn new(head: Request, raw: &Bytes, bounds: Bounds) -> Result<Self, CodingError> {
        let body = Content::Inline(decode(&head.fields, raw, bounds)?);
        Ok(Self {
            part: Request { body, ..head },
        })
    }

    /// Its body without content codings.
    pub(crate) fn body(&self) -> &[u8] {
        self.part.body.inline()
    }

    /// The part as matchers see it.
    pub(crate) fn completed(&self) -> Request {
        completed(&self.part)
    }

    /// The hash under which requests that are truncated alike are found, given that of the key.
    pub(crate) fn key_hash(&self, key: u128) -> u128 {
        key_hash(key, &self.part)
    }
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
