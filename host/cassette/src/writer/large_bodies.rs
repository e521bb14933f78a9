//! Bodies and messages that are stored as files beside the cassette.

use std::collections::HashMap;
use std::mem;

use bytes::Bytes;

use crate::format::body_digest;
use ouli_message::{Content, Exchange};

/// A body that is stored as a file: its digest and its content.
pub(super) type LargeBody = (String, Bytes);

/// Takes the bodies and messages over the limit out of an exchange, and leaves references.
pub(super) fn take_large(exchange: &mut Exchange, inline_limit: u64) -> Vec<LargeBody> {
    let mut large = Vec::new();
    for body in exchange.contents_mut() {
        if let Content::Inline(bytes) = body
            && bytes.len() as u64 > inline_limit
        {
            let (digest, size) = (body_digest(bytes), bytes.len() as u64);
            large.push((digest.clone(), mem::take(bytes)));
            *body = Content::Stored { digest, size };
        }
    }
    large
}

/// Puts bodies and messages in the place of the references to them.
pub(super) fn put_back(exchange: &mut Exchange, large: Vec<LargeBody>) {
    let large: HashMap<_, _> = large.into_iter().collect();
    for body in exchange.contents_mut() {
        if let Content::Stored { digest, .. } = body
            && let Some(bytes) = large.get(digest)
        {
            *body = Content::Inline(bytes.clone());
        }
    }
}
