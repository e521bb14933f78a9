//! What a session keeps of an exchange that was written: large bodies are in files.

use bytes::Bytes;

use ouli_cassette::body_digest;
use ouli_message::{Content, Exchange};

/// Replaces the bodies over the limit by references, as if the exchange was loaded from the
/// cassette. The others are copied then: a short message may be a slice of all that was received.
pub(super) fn refer_to(mut exchange: Exchange, inline_body: usize) -> Exchange {
    let is_stored = |content: &Content| content.inline().len() > inline_body;
    if !exchange.contents().any(is_stored) {
        return exchange;
    }
    for content in exchange.contents_mut() {
        let Content::Inline(bytes) = content else {
            continue;
        };
        *content = match bytes.len() > inline_body {
            true => Content::Stored {
                digest: body_digest(bytes),
                size: bytes.len() as u64,
            },
            false => Content::Inline(Bytes::copy_from_slice(bytes)),
        };
    }
    exchange
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::test_exchange::exchange;

    #[test]
    fn a_short_body_does_not_keep_what_it_was_received_with() {
        let received = Bytes::from(vec![b'x'; 1000]);
        let mut recorded = exchange();
        recorded.request.body = Content::Inline(received.slice(..10));
        recorded.response.body = Content::Inline(received.slice(10..));
        let kept = refer_to(recorded, 10);
        assert!(received.is_unique(), "nothing refers to it any more");
        assert_eq!(kept.request.body.inline(), [b'x'; 10]);
        assert_eq!(kept.response.body.size(), 990);
        assert!(kept.response.body.inline().is_empty());
    }
}
