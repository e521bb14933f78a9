//! Removes digests of bodies that redaction changed. A client that checks those of a response would
//! reject the replay, or send its request again and get the response to another one. Those of a
//! request would let a reader of the cassette guess a short secret.

use bytes::Bytes;

use ouli_message::{Content, Exchange, Fields, is_body_digest};

/// The bodies of an exchange before redaction.
pub(super) struct OriginalBodies {
    request: Bytes,
    response: Bytes,
}

impl OriginalBodies {
    pub(super) fn of(exchange: &Exchange) -> Self {
        Self {
            request: inline(&exchange.request.body),
            response: inline(&exchange.response.body),
        }
    }

    /// Removes the digests of the bodies that are others now.
    pub(super) fn remove_stale_digests(&self, exchange: &mut Exchange) {
        let (request, response) = (&mut exchange.request, &mut exchange.response);
        if request.body.inline() != &*self.request {
            remove(&mut request.fields);
            remove(&mut request.trailers);
        }
        if response.body.inline() != &*self.response {
            remove(&mut response.fields);
            remove(&mut response.trailers);
        }
    }
}

fn inline(content: &Content) -> Bytes {
    match content {
        Content::Inline(bytes) => bytes.clone(),
        Content::Stored { .. } => Bytes::new(),
    }
}

fn remove(fields: &mut Fields) {
    fields.retain(|name, _| !is_body_digest(name));
}
