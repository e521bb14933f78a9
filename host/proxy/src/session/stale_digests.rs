//! Removes digests of a body that redaction changed. A client that checks them would reject the
//! replayed response, or send its request again and get the response to another one.

use bytes::Bytes;

use ouli_message::{Content, Response, is_body_digest};

/// The body of a response before redaction.
pub(super) struct OriginalBody(Bytes);

impl OriginalBody {
    pub(super) fn of(response: &Response) -> Self {
        Self(match &response.body {
            Content::Inline(bytes) => bytes.clone(),
            Content::Stored { .. } => Bytes::new(),
        })
    }

    /// Removes the digests of the body, if it is another one now.
    pub(super) fn remove_stale_digests(&self, response: &mut Response) {
        if response.body.inline() == &*self.0 {
            return;
        }
        response.fields.retain(|name, _| !is_body_digest(name));
        response.trailers.retain(|name, _| !is_body_digest(name));
    }
}
